//! The table `order_stays`: since when orders stand where they stand, until they are with the buyer, or it was said again that
//! they are cancelled.
//!
//! The job that sorts orders in keeps it, so a stay begins when an order is sorted in: some seconds late under load.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

use super::moves::Move;
use crate::domain::state::OrderStatus;

/// Until when an order must have come into a state for it to have stayed there too long.
pub type Bound = (OrderStatus, Timestamp);

/// Begins the stays of orders that moved, and ends those of orders whose goods are with the buyer. Cancelled ones stay until
/// [`take_cancelled`] takes them.
pub fn begin(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Error> {
    let moved: Vec<Uuid> = moves.iter().filter(|it| it.changes_status()).flat_map(|it| it.orders.clone()).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    diesel::sql_query(
        "WITH moved AS (SELECT order_id, channel, status, status IN ('delivered', 'completed') AS is_over \
         FROM orders WHERE order_id = ANY ($1)), \
         gone AS (DELETE FROM order_stays s USING moved m WHERE s.order_id = m.order_id AND m.is_over) \
         INSERT INTO order_stays (order_id, channel, status, since, asked_at) \
         SELECT order_id, channel, status, $2, $2 FROM moved WHERE NOT is_over ORDER BY order_id \
         ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, since = excluded.since, asked = 0, \
         asked_at = excluded.asked_at",
    )
    .bind::<Array<SqlUuid>, _>(moved)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// Takes up to `limit` orders off that were cancelled until then.
pub fn take_cancelled(tx: &mut Tx<'_>, until: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Gone> = diesel::sql_query(
        "DELETE FROM order_stays WHERE order_id = ANY (ARRAY(SELECT order_id FROM order_stays \
         WHERE status = 'cancelled' AND since <= $1 ORDER BY since, order_id LIMIT $2)) RETURNING order_id",
    )
    .bind::<Timestamptz, _>(until.utc())
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// An order that has stayed too long.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stuck {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Its channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// The channel's own number.
    #[diesel(sql_type = Text)]
    pub channel_order_no: String,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Whether somebody holds it.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
    /// How often the inventory was asked again.
    #[diesel(sql_type = Integer)]
    pub asked: i32,
    /// When it was last.
    #[diesel(sql_type = Timestamptz)]
    pub asked_at: DateTime<Utc>,
}

/// Which orders that have stayed too long are listed.
#[derive(Clone, Debug)]
pub struct Filter {
    /// These channels; all, when left out.
    pub channels: Option<Vec<String>>,
    /// In which states, and since when.
    pub bounds: Vec<Bound>,
    /// After this one: the page before ended here.
    pub after: Option<(Timestamp, Uuid)>,
}

fn texts(bounds: &[Bound]) -> Vec<&'static str> {
    bounds.iter().map(|(status, _)| status.as_str()).collect()
}

fn times(bounds: &[Bound]) -> Vec<DateTime<Utc>> {
    bounds.iter().map(|(_, until)| until.utc()).collect()
}

/// Up to `limit` orders that have stayed too long, the longest first. One that has moved on since is left out, and one that
/// waits for its buyer to pay: that ends by itself.
pub fn stuck(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<Stuck>, Error> {
    Ok(diesel::sql_query(
        "SELECT s.* FROM unnest($1, $2) AS b (status, until) CROSS JOIN LATERAL \
         (SELECT s.order_id, s.channel, o.channel_order_no, s.status, o.held, s.since, s.asked, s.asked_at \
         FROM order_stays s JOIN orders o ON o.order_id = s.order_id AND o.status = s.status \
         WHERE s.status = b.status AND s.since <= b.until AND (o.due_amount = 0 OR o.payment_terms = 'on_delivery') AND ($3 IS NULL OR s.channel = ANY ($3)) \
         AND ($4 IS NULL OR (s.since, s.order_id) > ($4, $5)) ORDER BY s.since, s.order_id LIMIT $6) AS s \
         ORDER BY s.since, s.order_id LIMIT $6",
    )
    .bind::<Array<Text>, _>(texts(&filter.bounds))
    .bind::<Array<Timestamptz>, _>(times(&filter.bounds))
    .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.after.map(|(since, _)| since.utc()))
    .bind::<Nullable<SqlUuid>, _>(filter.after.map(|(_, id)| id))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// How many orders have stayed too long in each of these states; states without any are left out.
pub fn count(tx: &mut Tx<'_>, bounds: &[Bound]) -> Result<Vec<(String, i64)>, Error> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = Text)]
        status: String,
        #[diesel(sql_type = BigInt)]
        orders: i64,
    }
    let rows: Vec<Count> = diesel::sql_query(
        "SELECT s.status, count(*) AS orders FROM unnest($1, $2) AS b (status, until) \
         JOIN order_stays s ON s.status = b.status AND s.since <= b.until \
         JOIN orders o ON o.order_id = s.order_id AND o.status = s.status \
         AND (o.due_amount = 0 OR o.payment_terms = 'on_delivery') GROUP BY s.status",
    )
    .bind::<Array<Text>, _>(texts(bounds))
    .bind::<Array<Timestamptz>, _>(times(bounds))
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.status, row.orders)).collect())
}
