//! The table `completions`: orders whose return window runs.

use diesel::prelude::*;
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

/// Starts the return window of a delivered order.
pub fn schedule(tx: &mut Tx<'_>, order: Uuid, due_at: Timestamp) -> Result<(), Error> {
    diesel::sql_query("INSERT INTO completions (order_id, due_at) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING")
        .bind::<SqlUuid, _>(order)
        .bind::<Timestamptz, _>(due_at.utc())
        .execute(tx.conn())?;
    Ok(())
}
