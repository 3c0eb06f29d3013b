//! Creates, replaces and removes sharing rules.

use std::collections::BTreeSet;

use contracts::{Problem, ProblemCode};
use kernel::{ChannelCode, Code};
use store::{Error, Tx};

use crate::domain::share::{Rule, Scope};
use crate::store::{catalog, locations, locks, shares};

/// Whether the caller may touch the rules of a channel.
pub type ChannelCheck<'a> = &'a dyn Fn(&ChannelCode) -> Result<(), Problem>;

/// The most rules: fifty channels with a few thousand campaign SKUs each. All of them are held in memory.
pub const MAX_RULES: i64 = 200_000;

/// A rule that was not saved or removed.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such rule.
    NotFound(Code),
    /// It has changed since the caller read it.
    Changed {
        /// Its version now; none when it does not exist.
        version: Option<i64>,
    },
    /// It binds a channel outside the caller's scope.
    Forbidden(Problem),
    /// The channel has another rule for the same scope.
    Taken(String),
    /// It names something that does not exist.
    Unknown(&'static str, String),
    /// There are too many.
    TooMany,
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
            Refusal::NotFound(id) => Self::not_found("sharing rule", id),
            Refusal::Changed { version: Some(version) } => {
                Self::new(ProblemCode::PreconditionFailed).detail(format!("the rule is at version {version}"))
            }
            Refusal::Changed { version: None } => {
                Self::new(ProblemCode::PreconditionFailed).detail("the rule does not exist")
            }
            Refusal::Forbidden(problem) => problem,
            Refusal::Taken(id) => Self::new(ProblemCode::StateConflict)
                .field("scope", format!("the channel has a rule for this scope already: {id}")),
            Refusal::Unknown(field, code) => {
                Self::new(ProblemCode::UnknownReference).field(field, format!("{code} is not known"))
            }
            Refusal::TooMany => Self::invalid("", format!("there are at most {MAX_RULES} sharing rules")),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// Saves a rule, if it is still at the version the caller names; says whether it is new. What it counts by is not taken
/// from `wanted`: a rule counts on, unless its mode, channel or scope is another.
pub fn save_sharing_rule(
    tx: &mut Tx<'_>,
    wanted: &Rule,
    if_match: Option<i64>,
    may: ChannelCheck<'_>,
) -> Result<(Rule, bool), Refusal> {
    locks::pool(tx)?;
    let known = find(tx, &wanted.id, may)?;
    let version = known.as_ref().map(|rule| rule.version);
    if if_match.is_some() && if_match != version {
        return Err(Refusal::Changed { version });
    }
    if let Some(known) = &known {
        let same = Rule { count_id: known.count_id, version: known.version, ..wanted.clone() };
        if same == *known {
            return Ok((same, false));
        }
    } else if shares::count(tx)? >= MAX_RULES {
        return Err(Refusal::TooMany);
    }
    check_references(tx, wanted)?;
    let taken = shares::of_scope(tx, wanted.channel.as_str(), &wanted.scope)?;
    if let Some(other) = taken.filter(|id| *id != wanted.id.as_str()) {
        return Err(Refusal::Taken(other));
    }
    let saved = shares::put(tx, wanted)?;
    shares::changed(tx)?;
    Ok((saved, known.is_none()))
}

fn check_references(tx: &mut Tx<'_>, wanted: &Rule) -> Result<(), Refusal> {
    if let Scope::Sku(sku) = &wanted.scope
        && catalog::stockable(tx, &[sku.as_str()])?.is_empty()
    {
        return Err(Refusal::Unknown("scope.sku", sku.to_string()));
    }
    let named: BTreeSet<&str> = wanted.locations.iter().flatten().map(|code| code.as_str()).collect();
    let known = locations::known(tx, &named)?;
    match named.iter().find(|code| !known.contains(**code)) {
        Some(unknown) => Err(Refusal::Unknown("locations", (*unknown).to_owned())),
        None => Ok(()),
    }
}

/// Removes a rule; its channel goes by the next wider one, or shares in everything.
pub fn remove_sharing_rule(
    tx: &mut Tx<'_>,
    id: &Code,
    if_match: Option<i64>,
    may: ChannelCheck<'_>,
) -> Result<(), Refusal> {
    locks::pool(tx)?;
    let known = find(tx, id, may)?.ok_or_else(|| Refusal::NotFound(id.clone()))?;
    if if_match.is_some_and(|expected| expected != known.version) {
        return Err(Refusal::Changed { version: Some(known.version) });
    }
    shares::remove(tx, id.as_str())?;
    Ok(shares::changed(tx)?)
}

fn find(tx: &mut Tx<'_>, id: &Code, may: ChannelCheck<'_>) -> Result<Option<Rule>, Refusal> {
    let known = shares::get(tx, id.as_str())?;
    if let Some(rule) = &known {
        may(&rule.channel).map_err(Refusal::Forbidden)?;
    }
    Ok(known)
}
