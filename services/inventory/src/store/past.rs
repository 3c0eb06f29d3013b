//! The past as a replay reads it: decisions in their order, movements in theirs, and what could be promised back then.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::loads::DayLoad;
use super::replays::Stored;
use super::stock::Place;

/// A first decision.
#[derive(Clone, Debug, QueryableByName)]
pub struct FirstDecision {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// When it was decided.
    #[diesel(sql_type = Timestamptz)]
    pub decided_at: chrono::DateTime<chrono::Utc>,
    /// Its number among all decisions.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// The decision as compact JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
}

/// The next first decisions of a replay's window, in the order in which they were made, at most so many.
pub fn decisions(tx: &mut Tx<'_>, replay: &Stored, limit: i64) -> Result<Vec<FirstDecision>, Error> {
    Ok(statement(
        "SELECT order_id, decided_at, seq, document FROM decisions \
         WHERE attempt = 1 AND (decided_at, seq) > ($1, $2) AND decided_at < $3 ORDER BY decided_at, seq LIMIT $4",
    )
    .bind::<Timestamptz, _>(replay.read_at)
    .bind::<BigInt, _>(replay.read_seq)
    .bind::<Timestamptz, _>(replay.until)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// Units that moved otherwise than to a buyer.
#[derive(Clone, Debug, QueryableByName)]
pub struct Movement {
    /// Its number in the ledger.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: chrono::DateTime<chrono::Utc>,
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Where.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Units that came and were not put apart; what a till sold has left, whether the books could spare it or not.
    #[diesel(sql_type = BigInt)]
    pub units: i64,
}

/// Movements other than shipments after one and up to another, at most so many.
pub fn movements(tx: &mut Tx<'_>, after: i64, upto: i64, limit: i64) -> Result<Vec<Movement>, Error> {
    Ok(statement(
        "SELECT id, at, sku, location, on_hand - quarantined - coalesce(owed, 0) AS units FROM movements \
         WHERE id > $1 AND id <= $2 AND kind NOT IN ('shipment', 'sent', 'arrived') ORDER BY id LIMIT $3",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(upto)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

// On hand, not apart and not owed when the window began, less today's safety, less what orders from before the window still have
// promised today or shipped since; and what came or left since otherwise, less what the replayed orders took.
const SHELVES: &str = "\
WITH page AS (
    SELECT sku, location, safety FROM stock WHERE sku = ANY($1)
), moved AS (
    SELECT sku, location, sum(on_hand - quarantined - coalesce(owed, 0)) AS units FROM movements
    WHERE sku = ANY($2) AND id > $3 AND id <= $4 AND kind NOT IN ('shipment', 'sent', 'arrived') GROUP BY sku, location
), promised AS (
    SELECT r.sku, r.location, sum(r.quantity) AS units
    FROM reserved_lines r JOIN decisions d ON d.order_id = r.owner AND d.attempt = 1
    WHERE r.sku = ANY($5) AND d.decided_at < $6 GROUP BY r.sku, r.location
), shipped AS (
    SELECT m.sku, m.location, -sum(m.on_hand) AS units
    FROM movements m JOIN shipped_orders s
        ON s.fulfilment = CASE m.kind WHEN 'shipment' THEN m.reference ELSE m.kind || '/' || m.reference END
        JOIN decisions d ON d.order_id = s.order_id AND d.attempt = 1
    WHERE m.sku = ANY($7) AND m.id > $8 AND m.kind IN ('shipment', 'sent', 'arrived') AND d.decided_at < $9
    GROUP BY m.sku, m.location
), taken AS (
    SELECT sku, location, units FROM replay_taken WHERE replay = $10 AND sku = ANY($11)
)
SELECT p.sku, p.location, (coalesce(b.on_hand_after - b.quarantined_after, 0) - coalesce(o.owed, 0) - p.safety
    + coalesce(m.units, 0)    - coalesce(r.units, 0) - coalesce(s.units, 0) - coalesce(t.units, 0))::bigint AS balance
FROM page p
    LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
        WHERE x.sku = p.sku AND x.location = p.location AND x.id <= $12 ORDER BY x.id DESC LIMIT 1) b ON true
    LEFT JOIN LATERAL (SELECT sum(owed) AS owed FROM movements x
        WHERE x.sku = p.sku AND x.location = p.location AND x.id <= $13 AND x.owed IS NOT NULL) o ON true
    LEFT JOIN moved m ON m.sku = p.sku AND m.location = p.location
    LEFT JOIN promised r ON r.sku = p.sku AND r.location = p.location
    LEFT JOIN shipped s ON s.sku = p.sku AND s.location = p.location
    LEFT JOIN taken t ON t.sku = p.sku AND t.location = p.location
ORDER BY p.sku";

/// What locations could promise of some SKUs at the point that a replay has come to.
pub fn shelves(tx: &mut Tx<'_>, replay: &Stored, skus: &[&str]) -> Result<Vec<Place>, Error> {
    let first = replay.first.unwrap_or(0);
    Ok(statement(SHELVES)
        .bind::<Array<Text>, _>(skus)
        .bind::<Array<Text>, _>(skus)
        .bind::<BigInt, _>(first)
        .bind::<BigInt, _>(replay.position.unwrap_or(first))
        .bind::<Array<Text>, _>(skus)
        .bind::<Timestamptz, _>(replay.since)
        .bind::<Array<Text>, _>(skus)
        .bind::<BigInt, _>(first)
        .bind::<Timestamptz, _>(replay.since)
        .bind::<SqlUuid, _>(replay.id)
        .bind::<Array<Text>, _>(skus)
        .bind::<BigInt, _>(first)
        .bind::<BigInt, _>(first)
        .load(tx.conn())?)
}

/// The orders of each location and day from a day on at the point that a replay has come to: those that orders from before
/// the window have there today, and those of the replayed orders.
pub fn loads(tx: &mut Tx<'_>, replay: &Stored, day: chrono::NaiveDate) -> Result<Vec<DayLoad>, Error> {
    Ok(statement(
        "SELECT location, day, sum(orders)::bigint AS orders FROM (
             SELECT l.location, l.day, 1 AS orders FROM location_loads l
                 JOIN decisions d ON d.order_id = l.order_id AND d.attempt = 1
             WHERE l.day >= $1 AND d.decided_at < $2
             UNION ALL SELECT location, day, orders FROM replay_loads WHERE replay = $3
         ) x GROUP BY location, day",
    )
    .bind::<Date, _>(day)
    .bind::<Timestamptz, _>(replay.since)
    .bind::<SqlUuid, _>(replay.id)
    .load(tx.conn())?)
}

/// Notes which orders shipments belong to: `(fulfilment, order)`. Answers the fulfilments that were not noted before.
pub fn note_shipments(tx: &mut Tx<'_>, shipments: &[(String, Uuid)]) -> Result<HashSet<String>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        fulfilment: String,
    }
    if shipments.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<Row> = statement(
        "INSERT INTO shipped_orders (fulfilment, order_id) SELECT DISTINCT ON (fulfilment) fulfilment, order_id \
         FROM unnest($1, $2) AS t (fulfilment, order_id) ON CONFLICT DO NOTHING RETURNING fulfilment",
    )
    .bind::<Array<Text>, _>(shipments.iter().map(|(fulfilment, _)| fulfilment.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(shipments.iter().map(|(_, order)| *order).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.fulfilment).collect())
}
