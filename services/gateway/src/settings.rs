//! The `[gateway]` section; `defaults.toml` is its manual.

use runtime::settings::{Faults, Settings};
use serde::Deserialize;

/// The defaults, commented.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// `[gateway]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Wrong secrets in a minute after which a client id is refused; 0: any number.
    pub token_failures_per_client: u32,
    /// Wrong secrets in a minute after which an address is refused; 0: any number.
    pub token_failures_per_address: u32,
}

impl GatewaySettings {
    /// The section.
    pub fn read(settings: &Settings) -> Result<Self, Faults> {
        settings.section("gateway")
    }
}
