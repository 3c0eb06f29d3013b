//! A rule gets a new version, which is in force from then on.

use contracts::{Problem, ProblemCode};
use kernel::Code;
use serde::Serialize;
use store::{Error, Tx};

use super::register_member::invalid;
use crate::domain::earning::EarningRule;
use crate::domain::tier::TierProgram;
use crate::store::rules::{self, RuleKind};

/// The most rules of a kind: all of them are read with every batch of orders.
const MAX_RULES: i64 = 100;

/// A document that is a rule.
pub trait Rule: Serialize {
    /// What it is about.
    const KIND: RuleKind;

    /// What is wrong with it, by field.
    fn faults(&self) -> Vec<(String, &'static str)>;
}

impl Rule for EarningRule {
    const KIND: RuleKind = RuleKind::EarningRule;

    fn faults(&self) -> Vec<(String, &'static str)> {
        Self::faults(self)
    }
}

impl Rule for TierProgram {
    const KIND: RuleKind = RuleKind::TierProgram;

    fn faults(&self) -> Vec<(String, &'static str)> {
        Self::faults(self)
    }
}

/// Why the rule stays as it is.
#[derive(Debug)]
pub enum RuleError {
    /// Fields that cannot be used, each with what is wrong.
    Invalid(Vec<(String, &'static str)>),
    /// There are [`MAX_RULES`] already.
    TooMany,
    /// The rule has changed since it was read.
    Stale,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for RuleError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        match error {
            RuleError::Invalid(faults) => invalid(faults),
            RuleError::TooMany => {
                Self::new(ProblemCode::RefusedByRule).detail(format!("there are {MAX_RULES} of them already"))
            }
            RuleError::Stale => Self::new(ProblemCode::PreconditionFailed),
            RuleError::Store(error) => error.into(),
        }
    }
}

/// Makes a new version, unless nothing is different; answers the version in force.
pub fn set_rule<R: Rule>(
    tx: &mut Tx<'_>,
    code: &Code,
    rule: &R,
    expected_version: Option<i64>,
) -> Result<i64, RuleError> {
    let faults = rule.faults();
    if !faults.is_empty() {
        return Err(RuleError::Invalid(faults));
    }
    let newest = rules::newest(tx, R::KIND, code.as_str())?;
    let version = newest.as_ref().map_or(0, |row| row.version);
    if expected_version.is_some_and(|expected| expected != version) {
        return Err(RuleError::Stale);
    }
    let document = serde_json::to_value(rule).map_err(Error::from)?;
    if newest.is_some_and(|row| row.document == document) {
        return Ok(version);
    }
    if version == 0 && rules::count(tx, R::KIND)? >= MAX_RULES {
        return Err(RuleError::TooMany);
    }
    let version = version.saturating_add(1);
    rules::add(tx, R::KIND, code.as_str(), version, &document)?;
    Ok(version)
}
