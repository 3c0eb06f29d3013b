//! The documentation names what is there: its links and paths lead somewhere, and no event is left out of its table.

use crate::tree::Tree;
use crate::{Faults, keep};

/// Where a path that a text names begins.
const ROOTS: [&str; 6] = ["services/", "shared/", "tests/", "migrations/", "k8s/", "docs/"];

fn pages(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.files().filter(|(path, _)| path.ends_with(".md"))
}

/// A page without its code blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What lies at the path: a file, or a folder with something in it.
fn exists(tree: &Tree, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    tree.text(path).is_some() || tree.files().any(|(file, _)| file.starts_with(&folder))
}

/// The target of a link on a page, as a path of the repository; none if it leads elsewhere.
fn target(page: &str, link: &str) -> Option<String> {
    let link = link.split('#').next().filter(|link| !link.is_empty() && !link.contains("://"))?;
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[test]
fn links_and_paths_lead_somewhere() {
    let lost = |tree: &Tree| -> Faults {
        let mut faults = Vec::new();
        for (page, text) in pages(tree) {
            let text = prose(text);
            let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            let missing = links.filter(|link| target(page, link).is_some_and(|path| !exists(tree, &path)));
            faults.extend(missing.map(|link| format!("{page}: the link to {link} leads nowhere")));
            let named = text.split('`').skip(1).step_by(2);
            let paths =
                named.filter(|name| ROOTS.iter().any(|root| name.starts_with(root)) && !name.contains(['<', '…']));
            let missing = paths.filter(|path| !exists(tree, path));
            faults.extend(missing.map(|path| format!("{page}: {path} does not exist")));
        }
        faults
    };
    keep(
        lost,
        "correct the link or the path; where the thing was moved, read whether what the page says still holds.",
        &[
            ("docs/page.md", "As [there](gone.md) described."),
            ("README.md", "See [there](docs/gone.md#part)."),
            ("docs/page.md", "It is in `services/order/src/app/gone.rs`."),
        ],
    );
}

#[test]
fn every_event_has_its_row() {
    let untold = |tree: &Tree| -> Faults {
        let table = tree.text("docs/events.md").unwrap_or_default();
        let fixtures = tree.files().filter_map(|(path, _)| {
            let event = path.strip_prefix("shared/contracts/fixtures/")?.split('/').next()?;
            Some((path, format!("| `{event}` |")))
        });
        fixtures
            .filter(|(_, row)| !table.contains(row))
            .map(|(path, _)| format!("{path}: has no row in docs/events.md"))
            .collect()
    };
    keep(
        untold,
        "add a row to docs/events.md: what the event says, who tells it, who hears it.",
        &[("shared/contracts/fixtures/thing.happened/v1.json", "{}")],
    );
}
