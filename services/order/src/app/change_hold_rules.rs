//! Adds versions of the rules that hold orders, and lets one of them judge.

use ::store::{Error, Tx};

use super::caller::Caller;
use super::refusal::Refusal;
use crate::domain::hold_rule::HoldRules;
use crate::domain::state::HoldRulesStatus;
use crate::store::hold_rulesets::{self, Stored};
use crate::store::locks;

/// Adds rules under the next version, as a draft. They have been checked.
pub fn add_hold_rules(tx: &mut Tx<'_>, rules: &HoldRules, caller: &Caller) -> Result<Stored, Error> {
    locks::hold_rulesets(tx)?;
    hold_rulesets::insert(tx, &serde_json::to_string(rules)?, caller.principal.client_id.as_ref())
}

/// Lets a version judge orders from now on. The one that did is retired.
pub fn activate_hold_rules(tx: &mut Tx<'_>, version: i32, caller: &Caller) -> Result<Stored, Refusal> {
    locks::hold_rulesets(tx)?;
    let stored = find(tx, version)?;
    caller.check_version(stored.revision)?;
    let state = stored.state()?;
    if !state.may_become(HoldRulesStatus::Active) {
        return Err(Refusal::State(format!("the rules are {state} already")));
    }
    hold_rulesets::activate(tx, version)?;
    find(tx, version)
}

fn find(tx: &mut Tx<'_>, version: i32) -> Result<Stored, Refusal> {
    let missing = || Refusal::NotFound { what: "version of the rules", key: version.to_string() };
    hold_rulesets::get(tx, version)?.ok_or_else(missing)
}
