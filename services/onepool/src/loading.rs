//! Loading the settings: the defaults of every service, whichever run here, so that one file serves all processes.

use std::path::Path;

use anyhow::anyhow;
use runtime::settings::{Faults, Settings, environment};

use crate::roles;

/// The settings in force.
pub fn load(file: Option<&Path>) -> anyhow::Result<Settings> {
    Settings::load(&defaults(), file, environment()).map_err(|faults| report(&faults))
}

/// How the document of all settings begins.
const INTRODUCTION: &str = "\
# Settings

This page is what `onepool settings` prints; change the comments in the `defaults.toml` files rather than this page.

Every setting has a default. A TOML file given with `--config` (or `ONEPOOL_CONFIG`) overrides it, and an environment
variable overrides that. An unknown name or an unusable value ends the start with a message that names every such
setting at once; `onepool check` says the same without starting anything. All processes take the same settings, whichever
services they run.
";

/// Every setting as Markdown.
pub fn document() -> anyhow::Result<String> {
    let settings = runtime::settings::document(&defaults()).map_err(|faults| report(&faults))?;
    Ok(format!("{INTRODUCTION}\n{}", settings.trim_end()))
}

fn defaults() -> Vec<&'static str> {
    roles::ALL.iter().map(|descriptor| descriptor.defaults).collect()
}

/// All faults, a line each.
pub fn report(faults: &Faults) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    anyhow!("the settings are not usable:\n{}", lines.join("\n"))
}
