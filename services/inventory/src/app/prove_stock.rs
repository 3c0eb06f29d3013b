//! Proves the books continuously: what changed since the last look is added up again. Drift is an alarm, never repaired.

use store::{Error, Tx};

use crate::store::changes;
use crate::store::proof::{self, Drift};

const BALANCES: &str = "prove_balances";
const MOVEMENTS: &str = "prove_movements";
/// Logged transactions proved in one step.
const MAX_CHANGES: i64 = 100;
/// Movements proved in one step.
const MAX_MOVEMENTS: i64 = 20_000;

/// Proves the next stretch of the books; says what drifted and whether there is more to prove.
pub fn prove_stock(tx: &mut Tx<'_>) -> Result<(Vec<Drift>, bool), Error> {
    let proved = changes::progress(tx, MOVEMENTS)?;
    let chain = proof::chain(tx, proved, MAX_MOVEMENTS)?;
    if let Some(upto) = chain.upto {
        changes::advance(tx, MOVEMENTS, upto)?;
    }
    let from = changes::progress(tx, BALANCES)?;
    // Balances and their parts are read in one statement, so no writer can come between them.
    let upto = changes::newest(tx)?.min(from.saturating_add(MAX_CHANGES));
    let mut drift = chain.broken;
    if upto > from {
        drift.extend(proof::balances(tx, from, upto)?);
        changes::advance(tx, BALANCES, upto)?;
    }
    let more = chain.upto.is_some_and(|upto| upto.saturating_sub(proved) >= MAX_MOVEMENTS)
        || upto.saturating_sub(from) >= MAX_CHANGES;
    Ok((drift, more))
}
