//! The deadlines of the table `fulfilments`: what has been waited for long enough. Each is found by an index of its own; what
//! is found is looked at again under its order's lock.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
}

fn due(tx: &mut Tx<'_>, sql: &str, at: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    let query = diesel::sql_query(sql).bind::<Timestamptz, _>(at.utc()).bind::<BigInt, _>(limit);
    let rows: Vec<Due> = query.load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Up to `limit` offers to ship that were made at or before `at` and that nobody has answered, the oldest first: their
/// orders. While an order is held nobody can, so those that were held later than `at` have their time anew.
pub fn unanswered(tx: &mut Tx<'_>, at: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    let sql = "SELECT order_id FROM fulfilments f WHERE status = 'offered' AND kind = 'ship' AND offered_at <= $1 \
               AND NOT EXISTS (SELECT FROM order_holds h WHERE h.order_id = f.order_id \
               AND (h.released_at IS NULL OR h.released_at > $1)) ORDER BY offered_at, fulfilment_id LIMIT $2";
    due(tx, sql, at, limit)
}

/// Up to `limit` pickups whose time to be collected is up: their orders, but those that are held.
pub fn uncollected(tx: &mut Tx<'_>, at: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    let sql = "SELECT order_id FROM fulfilments JOIN orders USING (order_id) WHERE fulfilments.status = 'ready' \
               AND collect_by <= $1 AND NOT held \
               ORDER BY collect_by, fulfilment_id LIMIT $2";
    due(tx, sql, at, limit)
}

/// Up to `limit` pickups whose buyers are to be reminded: their orders, but those that are held.
pub fn to_remind(tx: &mut Tx<'_>, at: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    let sql = "SELECT order_id FROM fulfilments JOIN orders USING (order_id) WHERE fulfilments.status = 'ready' \
               AND remind_at <= $1 AND NOT held \
               ORDER BY remind_at, fulfilment_id LIMIT $2";
    due(tx, sql, at, limit)
}

/// Notes that buyers were told, or need not be. The orders must be locked.
pub fn no_longer_remind(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    diesel::sql_query("UPDATE fulfilments SET remind_at = NULL WHERE fulfilment_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx.conn())?;
    Ok(())
}
