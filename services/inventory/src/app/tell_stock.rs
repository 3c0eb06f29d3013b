//! Tells what changed: however often a balance changed since the last telling, its newest state is told once.

use std::collections::BTreeMap;

use contracts::Cause;
use contracts::events::{StockChanged, StockLevel};
use store::{Error, Tx, outbox};

use crate::store::{changes, code};

/// The job's mark in the change log.
const JOB: &str = "tell_stock";
/// Transactions told of in one step: a few thousand balances at most under load.
const MAX_TOLD: i64 = 100;

/// Tells of up to `MAX_TOLD` logged transactions; says whether there may be more.
pub fn tell_stock(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let upto = changes::progress(tx, JOB)?;
    let log = changes::from(tx, upto.saturating_add(1), MAX_TOLD, &[])?;
    let Some(newest) = log.last().map(|change| change.seq) else { return Ok(false) };
    let more = i64::try_from(log.len()).is_ok_and(|rows| rows >= MAX_TOLD);
    let mut levels: BTreeMap<String, BTreeMap<String, StockLevel>> = BTreeMap::new();
    for change in log {
        let amounts = change.on_hand.into_iter().zip(change.reserved).zip(change.available);
        for ((sku, location), ((on_hand, reserved), available)) in
            change.skus.into_iter().zip(change.locations).zip(amounts)
        {
            let level = StockLevel { location: code(&location)?, on_hand, reserved, available: available.max(0) };
            levels.entry(sku).or_default().insert(location, level);
        }
    }
    for (sku, levels) in levels {
        let event = StockChanged { sku: code(&sku)?, levels: levels.into_values().collect() };
        outbox::append(tx, &event, &Cause::default())?;
    }
    changes::advance(tx, JOB, newest)?;
    Ok(more)
}
