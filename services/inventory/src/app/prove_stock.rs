//! Proves the books continuously, stretch by stretch and then from the start again. Drift is an alarm, never repaired.
//!
//! It goes through the balances and the ledger themselves and not through the log of changes: what was changed past OnePool
//! is in no log. What is new in the ledger is proved first, and its history again and again.

use std::collections::BTreeSet;

use store::{Error, Tx};

use crate::store::proof::{self, Drift, Place};
use crate::store::{changes, counters};

const MOVEMENTS: &str = "prove_movements";
const HISTORY: &str = "prove_history";
/// Balances proved in one step: some tens of milliseconds. A longer statement would keep the rows that others replace
/// meanwhile from being cleaned up.
const MAX_BALANCES: i64 = 500;
/// Movements proved in one step, of those that are new and of those that were proved before.
const MAX_MOVEMENTS: i64 = 1_000;
/// Days of locations proved in one step: with some hundred orders each, a fraction of the time of the rest.
const MAX_DAYS: i64 = 200;

/// Proves the next stretch of the books; says what drifted and whether there is more to prove before all was seen.
pub fn prove_stock(tx: &mut Tx<'_>) -> Result<(Vec<Drift>, bool), Error> {
    let mut wrong: BTreeSet<Place> = BTreeSet::new();
    let from = changes::progress(tx, MOVEMENTS)?;
    let fresh = proof::chain(tx, from, MAX_MOVEMENTS)?;
    if fresh.upto > from {
        changes::advance(tx, MOVEMENTS, fresh.upto)?;
    }
    wrong.extend(fresh.broken);
    let from = changes::progress(tx, HISTORY)?;
    let history = proof::chain(tx, from, MAX_MOVEMENTS)?;
    changes::advance(tx, HISTORY, if history.more { history.upto } else { 0 })?;
    wrong.extend(history.broken);
    let place = proof::proved(tx)?;
    let (drifted, next) = proof::stretch(tx, &place, MAX_BALANCES)?;
    wrong.extend(drifted);
    let mut drift = proof::of_places(tx, &wrong)?;
    drift.extend(counters::of_begun(tx, &place, MAX_BALANCES)?);
    let day = counters::proved(tx)?;
    let (days, next_day) = counters::of_days(tx, &day, MAX_DAYS)?;
    drift.extend(days);
    // Days are far fewer than balances, and go along with them.
    let more = next.is_some() || fresh.more || history.more;
    proof::note(tx, &next.unwrap_or_default())?;
    counters::note(tx, next_day.as_ref())?;
    Ok((drift, more))
}
