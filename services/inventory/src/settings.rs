//! The `[inventory]` section; `defaults.toml` is its manual.

use runtime::settings::{Faults, Settings};
use serde::Deserialize;

use crate::app::reserve_stock::HoldRules;
use crate::app::tell_availability::Thresholds;

/// `[inventory]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct InventorySettings {
    pub max_hold_seconds: i64,
    pub max_held_units_per_buyer: i64,
    pub availability_exact_up_to: i64,
    pub availability_percent: i64,
    pub max_balances_in_memory: usize,
}

impl InventorySettings {
    /// The section, with everything checked that no type can say.
    pub fn read(settings: &Settings) -> Result<Self, Faults> {
        let section: Self = settings.section("inventory")?;
        let mut faults = Faults::default();
        let mut check = |key: &str, fine: bool, message: &str| {
            if !fine {
                faults.push(format!("inventory.{key}"), "", message);
            }
        };
        check("max_hold_seconds", section.max_hold_seconds > 0, "is more than 0");
        check("max_held_units_per_buyer", section.max_held_units_per_buyer > 0, "is more than 0");
        check("availability_exact_up_to", section.availability_exact_up_to >= 0, "is not below 0");
        check("availability_percent", (0..=100).contains(&section.availability_percent), "lies between 0 and 100");
        faults.into_result(Some(section))
    }

    /// Which changes of availability channels are told of.
    pub const fn thresholds(&self) -> Thresholds {
        Thresholds { exact_up_to: self.availability_exact_up_to, percent: self.availability_percent }
    }

    /// What holds go by.
    pub const fn hold_rules(&self) -> HoldRules {
        HoldRules { max_units_per_buyer: self.max_held_units_per_buyer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_faults_are_told_at_once() {
        let read = |variables: &[(&str, &str)]| {
            let variables =
                variables.iter().map(|(name, value)| (format!("ONEPOOL__INVENTORY__{name}"), (*value).to_owned()));
            InventorySettings::read(&Settings::load(&[include_str!("defaults.toml")], None, variables).unwrap())
        };
        assert_eq!(read(&[]).unwrap().max_hold_seconds, 86_400);
        let wrong = read(&[("MAX_HOLD_SECONDS", "0"), ("MAX_HELD_UNITS_PER_BUYER", "0")]).unwrap_err();
        let keys: Vec<&str> = wrong.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["inventory.max_hold_seconds", "inventory.max_held_units_per_buyer"]);
    }
}
