//! Every lock the service takes. There is one.
//!
//! **One writer at a time.** Whoever changes stock holds the pool's lock until commit. Plans look at many rows of many
//! SKUs before they know which to change; with one writer what a plan sees is the truth, no plan is made twice, and no
//! two writers can wait for each other. Writers are batches of hundreds of commands, so waiting costs less than
//! colliding would. Readers are never held up.

use diesel::prelude::*;
use store::{Error, Tx, statement};

/// Takes the pool's lock; taking it again in the same transaction costs nothing. Idempotency keys are claimed before it,
/// never after.
pub fn pool(tx: &mut Tx<'_>) -> Result<(), Error> {
    statement("SELECT pg_advisory_xact_lock(hashtextextended('onepool/' || current_schema() || '/pool', 0))")
        .execute(tx.conn())?;
    Ok(())
}
