//! A dry run: what would be decided now, without any effect.

use std::collections::BTreeSet;

use kernel::SkuCode;
use store::{Error, Tx};

use super::source_orders::take_apart;
use crate::domain::{Atlas, Decision, Reach, Request, Ruleset, Shelves, Snapshot, plan};
use crate::store::{code, locations, stock};

/// Plans on what is committed, in a transaction that only reads.
pub fn plan_order(tx: &mut Tx<'_>, mut request: Request, rules: Ruleset) -> Result<Decision, Error> {
    take_apart(tx, std::iter::once(&mut request))?;
    let atlas = Atlas::new(locations::sites(tx)?);
    let skus: BTreeSet<SkuCode> = request.needs().into_keys().collect();
    let mut shelves = Shelves::new();
    for place in stock::of_skus(tx, &skus.iter().collect())? {
        if let Some(slot) = atlas.slot(&place.location) {
            shelves.entry(code(&place.sku)?).or_default().set(slot, place.balance);
        }
    }
    Ok(plan(request, &Snapshot { atlas: &atlas, shelves: &shelves, reach: &Reach::new() }, rules))
}
