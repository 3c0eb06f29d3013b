//! Proves the books continuously, stretch by stretch and then from the start again. Drift is an alarm, never repaired.
//!
//! It goes through the balances themselves and not through the log of changes: what was changed past OnePool is in no log.

use store::{Error, Tx};

use crate::store::changes;
use crate::store::proof::{self, Drift};

const MOVEMENTS: &str = "prove_movements";
/// Balances proved in one step: some tens of milliseconds. A longer statement would keep the rows that others replace
/// meanwhile from being cleaned up.
const MAX_BALANCES: i64 = 500;
/// Movements proved in one step.
const MAX_MOVEMENTS: i64 = 1_000;

/// Proves the next stretch of the books; says what drifted and whether there is more to prove before all was seen.
pub fn prove_stock(tx: &mut Tx<'_>) -> Result<(Vec<Drift>, bool), Error> {
    let from = changes::progress(tx, MOVEMENTS)?;
    let chain = proof::chain(tx, from, MAX_MOVEMENTS)?;
    if let Some(upto) = chain.upto {
        changes::advance(tx, MOVEMENTS, upto)?;
    }
    let place = proof::proved(tx)?;
    let (drifted, next) = proof::stretch(tx, &place, MAX_BALANCES)?;
    let more = next.is_some() || chain.upto.is_some_and(|upto| upto.saturating_sub(from) >= MAX_MOVEMENTS);
    proof::note(tx, &next.unwrap_or_default())?;
    let mut drift = chain.broken;
    drift.extend(drifted);
    Ok((drift, more))
}
