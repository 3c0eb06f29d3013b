//! Adds rulesets and puts them to use. What is in force changes with one transaction, and every picture of the pool
//! follows it through the change log.

use contracts::{Problem, ProblemCode};
use store::{Error, Tx};

use crate::domain::Rules;
use crate::domain::ruleset::state::State;
use crate::store::rulesets::{self, Stored};
use crate::store::{backorders, changes, locks};

/// A ruleset that was not put to use.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such version.
    NotFound(i32),
    /// It has changed since the caller read it.
    Changed {
        /// What it is at now.
        revision: i64,
    },
    /// Its state does not allow it.
    NotAllowed {
        /// The state it is in.
        from: State,
        /// The state it was to be in.
        to: State,
    },
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(version) => Self::not_found("ruleset", version),
            Refusal::Changed { revision } => {
                Self::new(ProblemCode::PreconditionFailed).detail(format!("the ruleset is at revision {revision}"))
            }
            Refusal::NotAllowed { from, to } => Self::new(ProblemCode::StateConflict).detail(format!(
                "a ruleset that is {} does not become {}",
                from.as_str(),
                to.as_str()
            )),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// Adds a ruleset under the next version, as a draft. It has been checked.
pub fn add_ruleset(tx: &mut Tx<'_>, rules: &Rules, author: &str) -> Result<Stored, Error> {
    locks::pool(tx)?;
    rulesets::insert(tx, &rules.document()?, author)
}

/// Puts a ruleset in force, or lets it decide beside the one in force. Whichever did so before is retired.
pub fn use_ruleset(tx: &mut Tx<'_>, version: i32, state: State, if_match: Option<i64>) -> Result<Stored, Refusal> {
    locks::pool(tx)?;
    let stored = rulesets::get(tx, version)?.ok_or(Refusal::NotFound(version))?;
    if if_match.is_some_and(|expected| expected != stored.revision) {
        return Err(Refusal::Changed { revision: stored.revision });
    }
    let from = stored.state()?;
    if !from.may_become(state) {
        return Err(Refusal::NotAllowed { from, to: state });
    }
    if let Some(former) = rulesets::in_state(tx, state)? {
        rulesets::set_state(tx, former.version, State::Retired)?;
    }
    rulesets::set_state(tx, version, state)?;
    changes::rules_changed(tx)?;
    if state == State::Active {
        backorders::wake_all(tx)?;
    }
    rulesets::get(tx, version)?.ok_or(Refusal::NotFound(version))
}
