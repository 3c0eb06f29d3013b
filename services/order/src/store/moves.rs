//! The tables `order_moves` and `order_counts`: how many orders stand where.
//!
//! The database notes every change of state in the transaction that makes it (triggers of `orders`); the job takes the
//! notes off and adds them to the counts. What counts is always both together.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use store::{Error, Tx};
use uuid::Uuid;

/// Orders of a channel that moved together.
#[derive(Clone, Debug, QueryableByName)]
pub struct Move {
    /// Their channel.
    #[diesel(sql_type = Text)]
    channel: String,
    /// Where they stood; none for new ones.
    #[diesel(sql_type = Nullable<Text>)]
    pub status_before: Option<String>,
    /// Where their money stood.
    #[diesel(sql_type = Nullable<Text>)]
    pub payment_before: Option<String>,
    /// Where they stand since.
    #[diesel(sql_type = Text)]
    status: String,
    /// Where their money stands since.
    #[diesel(sql_type = Text)]
    payment_status: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    moved: i64,
    /// Which.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub orders: Vec<Uuid>,
    /// The terms of their documents before; none where those are the same.
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub terms_before: Option<Vec<String>>,
}

impl Move {
    /// Whether its orders stand elsewhere than before, or are new: else it was only their money that moved.
    pub fn changes_status(&self) -> bool {
        self.status_before.as_ref() != Some(&self.status)
    }
}

/// Takes the oldest moves, of about so many orders, off the list. One at a time does this.
pub fn take(tx: &mut Tx<'_>, orders: i64) -> Result<Vec<Move>, Error> {
    Ok(diesel::sql_query(
        "DELETE FROM order_moves WHERE move_id = ANY (ARRAY(SELECT move_id FROM \
         (SELECT move_id, sum(moved) OVER (ORDER BY move_id) - moved AS before FROM \
         (SELECT move_id, moved FROM order_moves ORDER BY move_id LIMIT 1000) AS first) AS summed WHERE before < $1)) \
         RETURNING channel, status_before, payment_before, status, payment_status, moved, orders, terms_before",
    )
    .bind::<BigInt, _>(orders)
    .load(tx.conn())?)
}

/// Notes that an order is to be found by more than before, where it stands as it did.
pub fn note_terms(tx: &mut Tx<'_>, order: Uuid) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO order_moves (channel, status_before, payment_before, status, payment_status, moved, orders, terms_before) \
         SELECT channel, status, payment_status, status, payment_status, 1, ARRAY[order_id], order_document_terms(document) \
         FROM orders WHERE order_id = $1",
    )
    .bind::<SqlUuid, _>(order)
    .execute(tx.conn())?;
    Ok(())
}

/// Adds moves to the counts.
pub fn count(tx: &mut Tx<'_>, moves: &[Move]) -> Result<(), Error> {
    let mut sums: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for it in moves {
        let now = sums.entry((&it.channel, &it.status, &it.payment_status)).or_default();
        *now = now.saturating_add(it.moved);
        if let (Some(status), Some(payment)) = (&it.status_before, &it.payment_before) {
            let before = sums.entry((&it.channel, status, payment)).or_default();
            *before = before.saturating_sub(it.moved);
        }
    }
    diesel::sql_query(
        "INSERT INTO order_counts AS c (channel, status, payment_status, orders) SELECT * FROM unnest($1, $2, $3, $4) \
         ON CONFLICT (channel, status, payment_status) DO UPDATE SET orders = c.orders + excluded.orders",
    )
    .bind::<Array<Text>, _>(sums.keys().map(|(channel, ..)| *channel).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(sums.keys().map(|(_, status, _)| *status).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(sums.keys().map(|(.., payment)| *payment).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(sums.values().copied().collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// How many orders of a channel stand in a state.
#[derive(Clone, Debug, QueryableByName)]
pub struct Count {
    /// Their channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Where they stand.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Where their money stands.
    #[diesel(sql_type = Text)]
    pub payment_status: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
}

/// The counts of these channels, or of all, by channel; states without orders are left out.
pub fn counts(tx: &mut Tx<'_>, channels: Option<&[String]>) -> Result<Vec<Count>, Error> {
    Ok(diesel::sql_query(
        "SELECT channel, status, payment_status, sum(orders)::bigint AS orders FROM ( \
         SELECT channel, status, payment_status, orders FROM order_counts \
         UNION ALL SELECT channel, status, payment_status, moved FROM order_moves \
         UNION ALL SELECT channel, status_before, payment_before, -moved FROM order_moves \
         WHERE status_before IS NOT NULL) AS counted \
         WHERE $1 IS NULL OR channel = ANY ($1) \
         GROUP BY channel, status, payment_status HAVING sum(orders) <> 0 ORDER BY channel, status, payment_status",
    )
    .bind::<Nullable<Array<Text>>, _>(channels)
    .load(tx.conn())?)
}

/// The orders of the moves that are still on the list, the latest moves first, up to so many; each may come several
/// times.
pub fn latest(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Moved {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Moved> = diesel::sql_query(
        "SELECT unnest(orders) AS order_id FROM (SELECT orders FROM order_moves ORDER BY move_id DESC) AS latest LIMIT $1",
    )
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
