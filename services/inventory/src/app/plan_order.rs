//! A dry run: what would be decided now, without any effect.

use std::collections::BTreeSet;

use chrono::Days;
use chrono_tz::Tz;
use kernel::SkuCode;
use store::{Error, Tx};

use super::source_orders::take_apart;
use crate::domain::{Atlas, Decision, Loads, Moment, Reach, Request, Ruleset, Shelves, Snapshot, plan};
use crate::store::{code, loads, locations, rulesets, stock};

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
    take_apart(tx, std::iter::once(&mut request))?;
    let now = Moment { at: tx.now(), zone };
    let atlas = Atlas::new(locations::sites(tx)?);
    let skus: BTreeSet<SkuCode> = request.needs().into_keys().collect();
    let mut shelves = Shelves::new();
    for place in stock::of_skus(tx, &skus.iter().collect())? {
        if let Some(slot) = atlas.slot(&place.location) {
            shelves.entry(code(&place.sku)?).or_default().set(slot, place.balance);
        }
    }
    let mut orders = Loads::default();
    let today = now.at.day_in(zone);
    for it in loads::from(tx, today.checked_sub_days(Days::new(2)).unwrap_or(today))? {
        if let Some(slot) = atlas.slot(&it.location) {
            orders.set(slot, it.day, it.orders);
        }
    }
    let reach = Reach::new();
    let (ruleset_now, loads) = (&ruleset, &orders);
    let snapshot = Snapshot { ruleset: ruleset_now, atlas: &atlas, shelves: &shelves, reach: &reach, loads, now };
    Ok(Some((plan(request, &snapshot), ruleset)))
}
