//! What an operator sees of the settings: what wins, what is refused, and how it is told.

use std::path::Path;

use runtime::settings::{DEFAULTS, ExposeSecret, LogFormat, document};
use runtime::{Faults, Settings};
use serde::Deserialize;

const ORDER: &str = "# The order book.\n[order]\n# Days for returns.\nreturn_days = 7\n# Ways to pay.\nmethods = [\"card\"]\n\
                     # Share of weight | height.\nshare = 0.5\n# Held for review.\nhold = false\n";

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct OrderSettings {
    return_days: u8,
    methods: Vec<String>,
    share: f64,
    hold: bool,
}

fn load(file: Option<&Path>, environment: &[(&str, &str)]) -> Result<Settings, Faults> {
    Settings::load(&[ORDER], file, environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

fn told(faults: &Faults) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn the_embedded_defaults_are_complete_and_valid() {
    let platform = load(None, &[]).unwrap().platform().unwrap();
    assert_eq!((platform.root.data_dir.as_path(), platform.http.port), (Path::new("./data"), 8080));
    assert_eq!(platform.root.time_zone, chrono_tz::Asia::Shanghai);
    assert_eq!(platform.database.url.expose_secret(), "embedded:");
    assert_eq!(platform.telemetry.log_format, LogFormat::Json);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("onepool.toml");
    std::fs::write(&file, "time_zone = \"Asia/Tokyo\"\n[http]\nport = 9000\nworkers = 3\n").unwrap();
    let settings = load(Some(&file), &[("ONEPOOL__HTTP__PORT", "9001"), ("ONEPOOL__LOG", "warn")]).unwrap();
    let platform = settings.platform().unwrap();
    assert_eq!((platform.http.port, platform.http.workers), (9001, 3));
    assert_eq!((platform.root.time_zone, platform.root.log.as_str()), (chrono_tz::Asia::Tokyo, "warn"));
}

#[test]
fn a_secret_that_looks_like_a_number_stays_as_it_is() {
    for secret in ["00123", "1e5", "true", "[1]", " 7 ", "0x10"] {
        let settings = load(None, &[("ONEPOOL__AUTH__BOOTSTRAP__CLIENT_SECRET", secret)]).unwrap();
        assert_eq!(settings.platform().unwrap().auth.bootstrap.client_secret.expose_secret(), secret);
    }
}

#[test]
fn each_type_can_be_given_as_text() {
    let environment = [
        ("ONEPOOL__ORDER__RETURN_DAYS", "0"),
        ("ONEPOOL__ORDER__METHODS", "card, 00123"),
        ("ONEPOOL__ORDER__SHARE", "1"),
        ("ONEPOOL__ORDER__HOLD", "true"),
    ];
    let order: OrderSettings = load(None, &environment).unwrap().section("order").unwrap();
    let methods = vec!["card".to_owned(), "00123".to_owned()];
    assert_eq!(order, OrderSettings { return_days: 0, methods, share: 1.0, hold: true });

    let written = load(None, &[("ONEPOOL__ORDER__METHODS", r#"["a,b", "c"]"#)]).unwrap();
    assert_eq!(written.section::<OrderSettings>("order").unwrap().methods, ["a,b", "c"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("onepool.toml");
    std::fs::write(&file, "htpp = 1\n[http]\nprot = 1\nport = \"80\"\n[order.database]\npool = 1\n").unwrap();
    let environment = [
        ("ONEPOOL__DATABASE__POOL_SIZE", "many"),
        ("ONEPOOL__CACHE", "redis://localhost"),
        ("ONEPOOL__ORDER__RETURNDAYS", "7"),
    ];
    let faults = load(Some(&file), &environment).err().unwrap();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    // The file's first, then the variables', each by name.
    assert_eq!(
        keys,
        ["htpp", "http.port", "http.prot", "order.database.pool", "cache", "database.pool_size", "order.returndays"]
    );
    let told = told(&faults);
    let path = file.display();
    assert_eq!(told[1], format!("http.port (from {path}): expects a whole number"));
    assert!(told[2].contains("is not a setting; [http] has"), "{}", told[2]);
    assert!(told[5].contains("from ONEPOOL__DATABASE__POOL_SIZE"), "{}", told[5]);
    assert!(told[6].contains("[order] has database, hold, methods, return_days, share"), "{}", told[6]);
}

#[test]
fn every_value_that_a_type_refuses_is_told_at_once() {
    let environment = [
        ("ONEPOOL__HTTP__PORT", "70000"),
        ("ONEPOOL__HTTP__MAX_BODY_BYTES", "0"),
        ("ONEPOOL__DATABASE__POOL_SIZE", "-1"),
        ("ONEPOOL__TIME_ZONE", "Asia/Nowhere"),
        ("ONEPOOL__LOG", "info,=="),
        ("ONEPOOL__BUS__URL", "http://s3cret@localhost"),
        ("ONEPOOL__TELEMETRY__SAMPLE_RATIO", "1.5"),
        ("ONEPOOL__TELEMETRY__LOG_FORMAT", "xml"),
    ];
    let faults = load(None, &environment).unwrap().platform().unwrap_err();
    let mut keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "bus.url",
        "database.pool_size",
        "http.max_body_bytes",
        "http.port",
        "log",
        "telemetry.log_format",
        "telemetry.sample_ratio",
        "time_zone",
    ];
    assert_eq!(keys, expected);
    assert!(!faults.to_string().contains("s3cret"));
    assert!(faults.iter().all(|fault| fault.origin.starts_with("ONEPOOL__")), "{faults}");
}

#[test]
fn a_fault_never_shows_what_may_be_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("onepool.toml");
    std::fs::write(&file, "[auth.bootstrap]\nclient_secret = s3cret\n").unwrap();
    let faults = load(Some(&file), &[("ONEPOOL__HTTP__PORT", "s3cret")]).err().unwrap().to_string();
    assert!(faults.contains("line 2 is not valid TOML") && faults.contains("http.port"), "{faults}");
    assert!(!faults.contains("s3cret"), "{faults}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let faults = load(Some(Path::new("/nowhere/onepool.toml")), &[]).err().unwrap();
    assert!(told(&faults)[0].starts_with("/nowhere/onepool.toml: cannot be read"), "{faults}");
}

#[test]
fn variables_of_others_are_passed_by() {
    // Kubernetes sets these in every pod beside a Service named onepool.
    assert!(load(None, &[("ONEPOOL_PORT", "tcp://10.0.0.1:80"), ("ONEPOOL_SERVICE_HOST", "x"), ("PATH", "/")]).is_ok());
}

#[test]
fn a_service_may_have_a_database_of_its_own() {
    let own = ("ONEPOOL__ORDER__DATABASE__URL", "postgres://orders/db");
    let settings = load(None, &[("ONEPOOL__DATABASE__URL", "postgres://common/db"), own]).unwrap();
    assert_eq!(settings.database("order").unwrap().url.expose_secret(), "postgres://orders/db");
    assert_eq!(settings.database("member").unwrap().url.expose_secret(), "postgres://common/db");
    assert_eq!(settings.section::<OrderSettings>("order").unwrap().return_days, 7);
}

#[test]
fn a_services_database_url_is_checked_like_the_common_one() {
    let settings = load(None, &[("ONEPOOL__ORDER__DATABASE__URL", "mysql://s3cret@orders/db")]).unwrap();
    let faults = settings.database("order").unwrap_err();
    assert_eq!(faults.iter().next().unwrap().key, "order.database.url");
    assert!(!faults.to_string().contains("s3cret"));
}

#[test]
fn a_section_without_defaults_and_defaults_in_two_places_are_named() {
    assert_eq!(
        load(None, &[]).unwrap().section::<OrderSettings>("oder").unwrap_err().iter().next().unwrap().key,
        "oder"
    );
    let twice = Settings::load(&["[http]\nport = 1\n"], None, []).err().unwrap();
    assert_eq!(twice.iter().next().unwrap().key, "http");
}

#[test]
fn the_manual_has_every_setting_with_its_default_variable_and_meaning() {
    let manual = document(&[ORDER]).unwrap();
    let rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `")).collect();
    let settings = DEFAULTS.lines().chain(ORDER.lines()).filter(|line| line.contains(" = ") && !line.starts_with('#'));
    assert_eq!(rows.len(), settings.count() + 1, "and the database of the order service");
    assert!(rows.contains(&"| `order.return_days` | `7` | `ONEPOOL__ORDER__RETURN_DAYS` | Days for returns. |"));
    assert!(rows.contains(&"| `order.share` | `0.5` | `ONEPOOL__ORDER__SHARE` | Share of weight \\| height. |"));
    assert!(manual.contains("| `order.database.url` | `\"\"` | `ONEPOOL__ORDER__DATABASE__URL` |"));
    assert!(manual.contains("## `[order]`\n\nThe order book.\n"));
    assert!(rows.iter().all(|row| !row.ends_with("|  |")), "a setting has no comment");
}
