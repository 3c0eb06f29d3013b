//! Adds what happened to orders to the counts, sorts them in where they are looked for, and notes since when they stand there.

use ::store::{Error, Tx};

use crate::store::{moves, stays, terms};

/// Orders sorted in by one step, so that none takes long.
pub const ORDERS_PER_STEP: i64 = 2_000;

/// Takes up to about [`ORDERS_PER_STEP`] orders' moves off the list; answers whether more may be on it.
pub fn fold_moves(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let taken = moves::take(tx, ORDERS_PER_STEP)?;
    if taken.is_empty() {
        return Ok(false);
    }
    moves::count(tx, &taken)?;
    terms::sort_in(tx, &taken)?;
    stays::begin(tx, &taken)?;
    Ok(true)
}
