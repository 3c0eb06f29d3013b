//! A rule gets a new version, which is in force from then on.

use contracts::{Problem, ProblemCode};
use kernel::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
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

    /// What it and another rule of its kind both claim, so that one of them would never be applied.
    fn shared_with(&self, other: &Self) -> Option<Shared>;
}

/// What two rules both claim.
#[derive(Debug)]
pub struct Shared {
    /// The field that names it.
    pub field: &'static str,
    /// What it is.
    pub claim: String,
}

impl Rule for EarningRule {
    const KIND: RuleKind = RuleKind::EarningRule;

    fn faults(&self) -> Vec<(String, &'static str)> {
        Self::faults(self)
    }

    fn shared_with(&self, other: &Self) -> Option<Shared> {
        let shared = |claim: String| Some(Shared { field: "channels", claim });
        if self.channels.is_empty() && other.channels.is_empty() {
            return shared("every channel that no other rule names".to_owned());
        }
        self.channels
            .iter()
            .find(|channel| other.channels.contains(channel))
            .and_then(|channel| shared(format!("the channel {channel}")))
    }
}

impl Rule for TierProgram {
    const KIND: RuleKind = RuleKind::TierProgram;

    fn faults(&self) -> Vec<(String, &'static str)> {
        Self::faults(self)
    }

    /// A programme claims nothing for itself: members are judged by one that is chosen by its name.
    fn shared_with(&self, _: &Self) -> Option<Shared> {
        None
    }
}

/// Why the rule stays as it is.
#[derive(Debug)]
pub enum RuleError {
    /// Fields that cannot be used, each with what is wrong.
    Invalid(Vec<(String, &'static str)>),
    /// Another rule claims the same already.
    Claimed {
        /// The other rule.
        by: String,
        /// What both claim.
        shared: Shared,
    },
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
            RuleError::Claimed { by, shared: Shared { field, claim } } => Self::new(ProblemCode::RefusedByRule).field(
                field,
                format!("the rule {by} is for {claim} already, so one of the two would never be applied"),
            ),
            RuleError::TooMany => {
                Self::new(ProblemCode::RefusedByRule).detail(format!("there are {MAX_RULES} of them already"))
            }
            RuleError::Stale => Self::new(ProblemCode::PreconditionFailed),
            RuleError::Store(error) => error.into(),
        }
    }
}

/// Makes a new version, unless nothing is different; answers the version in force.
pub fn set_rule<R: Rule + DeserializeOwned>(
    tx: &mut Tx<'_>,
    code: &Code,
    rule: &R,
    expected_version: Option<i64>,
) -> Result<i64, RuleError> {
    let faults = rule.faults();
    if !faults.is_empty() {
        return Err(RuleError::Invalid(faults));
    }
    // Else two new rules at once would not see that they claim the same.
    rules::lock(tx)?;
    let newest = rules::newest(tx, R::KIND, code.as_str())?;
    let version = newest.as_ref().map_or(0, |row| row.version);
    if expected_version.is_some_and(|expected| expected != version) {
        return Err(RuleError::Stale);
    }
    let document = serde_json::to_value(rule).map_err(Error::from)?;
    if newest.is_some_and(|row| row.document == document) {
        return Ok(version);
    }
    for other in
        rules::in_force(tx)?.into_iter().filter(|row| row.kind == R::KIND.as_str() && row.code != code.as_str())
    {
        let document: R = serde_json::from_value(other.document).map_err(Error::from)?;
        if let Some(shared) = rule.shared_with(&document) {
            return Err(RuleError::Claimed { by: other.code, shared });
        }
    }
    if version == 0 && rules::count(tx, R::KIND)? >= MAX_RULES {
        return Err(RuleError::TooMany);
    }
    let version = version.saturating_add(1);
    rules::add(tx, R::KIND, code.as_str(), version, &document)?;
    Ok(version)
}
