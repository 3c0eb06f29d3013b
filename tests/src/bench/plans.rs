//! How long one plan takes, in a process that does nothing else.

use std::process::Command;

use serde_json::Value;

use super::report::{Limit, Report};
use crate::process::binary;

/// Plans orders of five lines over 6,000 locations, the first of them from this file.
pub fn measure(stores: Option<&str>, report: &mut Report) {
    let program = binary().with_file_name("examples").join("plan_speed");
    let output = Command::new(&program).args(stores).output().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build it with `cargo build --release -p inventory --example plan_speed`",
            program.display()
        )
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("the figures are JSON");
    for (name, value) in figures.as_object().expect("figures by name") {
        let value = value.as_f64().expect("a number");
        match name.as_str() {
            "nearest_p99_us" => report.figure("plan_p99_us", value, Limit::AtMost(1_000.0)),
            _ if name.ends_with("_p99_us") => report.figure(&format!("plan_{name}"), value, Limit::AtMost(1_000.0)),
            _ => report.figure(&format!("plan_{name}"), value, Limit::None),
        }
    }
}
