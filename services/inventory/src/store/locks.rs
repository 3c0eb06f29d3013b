//! Every lock the service takes. There is one.
//!
//! **One writer at a time.** Whoever changes stock holds the pool's lock until commit. Plans look at many rows of many
//! SKUs before they know which to change; with one writer what a plan sees is the truth, no plan is made twice, and no
//! two writers can wait for each other. Writers are batches of hundreds of commands, so waiting costs less than
//! colliding would. Readers are never held up.

use diesel::prelude::*;
use store::{Error, Tx, statement};

/// Takes the pool's lock, for whoever has no idempotency keys to claim before: it can go with BEGIN.
///
/// Writers look rows up by their keys, a few hundred at a time: an index is right for that whatever the statistics say, so
/// that the plans kept for their statements are as good for large tables as for small ones, and none is made twice.
pub const POOL: &str = "\
SELECT pg_advisory_xact_lock(hashtextextended('onepool/' || current_schema() || '/pool', 0)), \
set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)";

/// Takes the pool's lock; taking it again in the same transaction costs one round trip, unless it went with BEGIN.
/// Idempotency keys are claimed before it, never after.
pub fn pool(tx: &mut Tx<'_>) -> Result<(), Error> {
    if !tx.began_with(POOL) {
        statement(POOL).execute(tx.conn())?;
    }
    Ok(())
}
