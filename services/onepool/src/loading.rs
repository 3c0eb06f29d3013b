//! Loading the settings: the defaults of every service, whichever run here, so that one file serves all processes.

use std::path::Path;

use anyhow::anyhow;
use runtime::settings::{Faults, Settings, environment};

use crate::roles;

/// The settings in force.
pub fn load(file: Option<&Path>) -> anyhow::Result<Settings> {
    Settings::load(&defaults(), file, environment()).map_err(|faults| report(&faults))
}

/// Every setting as Markdown.
pub fn document() -> anyhow::Result<String> {
    runtime::settings::document(&defaults()).map_err(|faults| report(&faults))
}

fn defaults() -> Vec<&'static str> {
    roles::ALL.iter().map(|descriptor| descriptor.defaults).collect()
}

/// All faults, a line each.
pub fn report(faults: &Faults) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    anyhow!("the settings are not usable:\n{}", lines.join("\n"))
}
