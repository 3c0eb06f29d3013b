//! A dry run: what would be decided now, without any effect.

use chrono_tz::Tz;
use store::{Error, Tx};

use super::Pool;
use crate::domain::{Decision, Request, Ruleset};
use crate::store::rulesets;

/// A dry run of a request: in the retailer's time zone, by a version of the rules or by those in force.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// What is asked for.
    pub request: Request,
    /// The version; the one in force when left out.
    pub version: Option<i32>,
    /// The retailer's time zone.
    pub zone: Tz,
}

/// Plans on what is committed, in a transaction that only reads; nothing when there is no such version.
pub fn plan_order(tx: &mut Tx<'_>, run: DryRun) -> Result<Option<(Decision, Ruleset)>, Error> {
    let DryRun { mut request, version, zone } = run;
    let ruleset = match version {
        None => rulesets::active(tx)?,
        Some(version) => match rulesets::get(tx, version)? {
            Some(stored) => stored.ruleset()?,
            None => return Ok(None),
        },
    };
    let pool = Pool::new(zone, usize::MAX);
    let mut desk = pool.open(tx)?;
    desk.set_rules(ruleset);
    desk.lay_out(tx, std::iter::once(&mut request))?;
    let decision = desk.plan(request).decision;
    Ok(Some((decision, desk.rules().clone())))
}
