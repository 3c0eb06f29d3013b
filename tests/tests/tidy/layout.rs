//! Where things lie, and which way dependencies point.

use crate::tree::Tree;
use crate::{Faults, faults, keep};

/// The services, which are also the names of their schemas.
pub const SERVICES: [&str; 6] = ["member", "product", "inventory", "order", "rebate", "gateway"];

/// Our crates in layers: each may depend on those of earlier layers only.
const LAYERS: [&[&str]; 7] = [
    &["kernel"],
    &["contracts", "runtime"],
    &["store", "web"],
    &["bus", "ledger"],
    &["service"],
    &SERVICES,
    &["onepool"],
];

/// What a crate must not know, though its layer would let it.
const MUST_NOT_KNOW: [(&str, &[&str]); 8] = [
    ("kernel", &["tokio", "diesel", "actix-web", "lapin", "redis", "tracing", "rand"]),
    ("contracts", &["tokio", "diesel", "actix-web", "lapin", "redis"]),
    ("runtime", &["diesel", "actix-web", "lapin"]),
    ("store", &["actix-web", "actix-http", "lapin", "reqwest"]),
    ("web", &["diesel", "diesel_migrations", "lapin", "store"]),
    ("bus", &["actix-web", "actix-http", "web"]),
    ("ledger", &["actix-web", "lapin", "web", "tokio"]),
    ("testkit", &["onepool", "member", "product", "inventory", "order", "rebate", "gateway"]),
];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// A crate's manifest: its name, and what it depends on, with whether that is for its tests only.
fn manifests(tree: &Tree) -> Vec<(&str, String, Vec<(String, bool)>)> {
    let ours = tree.files().filter(|(path, _)| path.ends_with("/Cargo.toml"));
    ours.map(|(path, text)| {
        let (mut section, mut name, mut dependencies) = ("", String::new(), Vec::new());
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']);
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                let key = key.trim().split('.').next().unwrap_or_default().to_owned();
                match section {
                    "package" if key == "name" => name = value.trim().trim_matches('"').to_owned(),
                    "dependencies" | "build-dependencies" => dependencies.push((key, false)),
                    "dev-dependencies" => dependencies.push((key, true)),
                    _ => {}
                }
            }
        }
        (path, name, dependencies)
    })
    .collect()
}

fn is_ours(name: &str) -> bool {
    layer(name).is_some() || ["testkit", "system-tests"].contains(&name)
}

#[test]
fn dependencies_point_one_way() {
    let wrong = |tree: &Tree| -> Faults {
        let mut faults = Vec::new();
        for (path, name, dependencies) in manifests(tree) {
            if !is_ours(&name) {
                faults.push(format!("{path}: {name} has no layer in tests/tests/tidy/layout.rs"));
            }
            for (dependency, for_tests) in dependencies.iter().filter(|(dependency, _)| is_ours(dependency)) {
                let allowed = match (name.as_str(), dependency.as_str()) {
                    ("system-tests", "testkit") => true,
                    (_, "testkit") => *for_tests,
                    // They drive the product from outside, so they know what it shares but none of its services.
                    ("testkit" | "system-tests", other) => layer(other) < layer("member"),
                    (ours, other) => layer(other) < layer(ours),
                };
                if !allowed {
                    faults.push(format!("{path}: {name} must not depend on {dependency}"));
                }
            }
        }
        faults
    };
    keep(
        wrong,
        "dependencies point one way (docs/ARCHITECTURE.md): what two crates need moves to the shared crate that owns it; what one service \
         needs of another it hears in events.",
        &[
            ("shared/kernel/Cargo.toml", "[package]\nname = \"kernel\"\n[dependencies]\ncontracts.workspace = true\n"),
            (
                "services/order/Cargo.toml",
                "[package]\nname = \"order\"\n[dependencies]\nmember = { workspace = true }\n",
            ),
            (
                "services/order/Cargo.toml",
                "[package]\nname = \"order\"\n[dev-dependencies]\ninventory.workspace = true\n",
            ),
            ("services/order/Cargo.toml", "[package]\nname = \"order\"\n[dependencies]\ntestkit.workspace = true\n"),
            ("tests/Cargo.toml", "[package]\nname = \"system-tests\"\n[dependencies]\nrebate.workspace = true\n"),
            ("shared/novelty/Cargo.toml", "[package]\nname = \"novelty\"\n"),
        ],
    );
}

#[test]
fn crates_know_only_what_their_part_needs() {
    let wrong = |tree: &Tree| -> Faults {
        let mut faults = Vec::new();
        for (path, name, dependencies) in manifests(tree) {
            let unknown =
                MUST_NOT_KNOW.iter().find(|(owner, _)| *owner == name).map_or(&[][..], |(_, unknown)| unknown);
            let known = dependencies
                .iter()
                .filter(|(dependency, for_tests)| !for_tests && unknown.contains(&dependency.as_str()));
            faults.extend(known.map(|(dependency, _)| format!("{path}: {name} must not know {dependency}")));
        }
        faults
    };
    keep(
        wrong,
        "the crate that owns the thing wraps it (docs/ARCHITECTURE.md says which crate that is).",
        &[
            ("shared/web/Cargo.toml", "[package]\nname = \"web\"\n[dependencies]\ndiesel.workspace = true\n"),
            ("shared/store/Cargo.toml", "[package]\nname = \"store\"\n[dependencies]\nlapin = \"4\"\n"),
        ],
    );
}

#[test]
fn every_crate_takes_the_workspaces_lints_and_versions() {
    let own = |tree: &Tree| -> Faults {
        let crates = tree.files().filter(|(path, _)| path.ends_with("/Cargo.toml"));
        faults(crates, |path, text| {
            let tests = path.starts_with("tests/") || path.starts_with("shared/testkit/");
            let versioned = text
                .lines()
                .any(|line| !line.starts_with('#') && (line.contains("version = \"") || line.contains(" = \"=")));
            if versioned {
                Some("names a version".to_owned())
            } else {
                (!tests && !text.contains("[lints]\nworkspace = true"))
                    .then(|| "does not take the workspace's lints".to_owned())
            }
        })
    };
    keep(
        own,
        "write `[lints] workspace = true`, and versions in the root's [workspace.dependencies].",
        &[
            ("shared/bus/Cargo.toml", "[package]\nname = \"bus\"\n"),
            ("shared/bus/Cargo.toml", "[lints]\nworkspace = true\n[dependencies]\nx = { version = \"1\" }\n"),
        ],
    );
}

#[test]
fn files_lie_where_a_newcomer_looks() {
    const TOP: [&str; 16] = [
        ".ci",
        ".clippy.toml",
        ".dockerignore",
        ".gitignore",
        ".rustfmt.toml",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "Makefile",
        "README.md",
        "README.zh-CN.md",
        "docs",
        "k8s",
        "migrations",
        "tests",
    ];
    let misplaced = |path: &str, _: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = match parts.as_slice() {
            ["services", name, ..] => SERVICES.contains(name) || *name == "onepool",
            ["shared", name, ..] => *name == "testkit" || LAYERS[..5].iter().any(|layer| layer.contains(name)),
            ["migrations", set, _, "up.sql" | "down.sql"] => {
                SERVICES.contains(set) || ["platform", "ledger"].contains(set)
            }
            ["migrations", ..] => false,
            [top, ..] => TOP.contains(top),
            [] => true,
        };
        (!fits).then(|| "lies outside the agreed layout".to_owned())
    };
    keep(
        |tree| faults(tree.files(), misplaced),
        "put it into the folder that owns it (docs/ARCHITECTURE.md lists them); the repository's root stays as it is.",
        &[
            ("notes.md", ""),
            ("scripts/deploy.sh", ""),
            ("services/console/src/lib.rs", ""),
            ("shared/misc/src/lib.rs", ""),
            ("migrations/warehouse/1_x/up.sql", ""),
        ],
    );
}

#[test]
fn every_service_has_the_same_rooms() {
    const ROOMS: [&str; 6] = ["http", "app", "domain", "store", "consumers", "jobs"];
    let elsewhere = |path: &str, _: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = match parts.as_slice() {
            ["services", name, "src", room, _, ..] if SERVICES.contains(name) => {
                ROOMS.contains(room) || *room == "tests"
            }
            _ => true,
        };
        (!fits).then(|| "lies in no room of its service".to_owned())
    };
    keep(
        |tree| faults(tree.files(), elsewhere),
        "the folders of a service's source are http, app, domain, store, consumers and jobs.",
        &[("services/order/src/api/orders.rs", "")],
    );
}

#[test]
fn files_are_named_for_what_they_own() {
    const EMPTY: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "manager", "base", "misc"];
    let empty = |path: &str, _: &str| {
        let stem = |part: &str| part.trim_end_matches(".rs").to_owned();
        path.split('/')
            .map(stem)
            .find(|name| EMPTY.contains(&name.as_str()))
            .map(|name| format!("the name {name} says nothing"))
    };
    keep(
        |tree| faults(tree.rust(), empty),
        "name the file for the thing it owns; what it holds may belong into several.",
        &[("shared/web/src/utils.rs", ""), ("shared/web/src/common/mod.rs", "")],
    );
}
