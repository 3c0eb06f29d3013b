//! The table `completions`: orders whose return window runs.

use diesel::prelude::*;
use diesel::sql_types::{Array, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

/// Starts the return window of delivered orders.
pub fn schedule(tx: &mut Tx<'_>, orders: &[Uuid], due_at: Timestamp) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO completions (order_id, due_at) SELECT order_id, $2 FROM unnest($1) AS n (order_id) \
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .bind::<Timestamptz, _>(due_at.utc())
    .execute(tx.conn())?;
    Ok(())
}
