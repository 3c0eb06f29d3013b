//! The queue of orders that no plan could fill.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::OrderId;
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::Request;

/// The rest of an order that was promised already goes before orders that were not.
pub const PROMISED_BEFORE: i16 = 0;
/// An order that was never promised anything.
pub const NEW: i16 = 1;

/// An order that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backorder {
    /// The order.
    pub order_id: OrderId,
    /// Lower is served first.
    pub priority: i16,
    /// What it waits for; among equals, the earlier placed is served first.
    pub request: Request,
    /// Since when; none for now.
    pub since: Option<Since>,
}

/// When an order began to wait, or was rejected last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// By the clock.
    pub at: Timestamp,
    /// By the ledger: the last movement before.
    pub position: i64,
}

impl Backorder {
    /// Its place in the queue.
    pub fn place(&self) -> Place {
        Place { priority: self.priority, placed_at: self.request.placed_at, order_id: self.order_id }
    }
}

/// An order's place in the queue of a SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Its priority.
    pub priority: i16,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The order.
    pub order_id: OrderId,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = Text)]
    request: String,
    #[diesel(sql_type = Timestamptz)]
    since: chrono::DateTime<chrono::Utc>,
    #[diesel(sql_type = BigInt)]
    position: i64,
}

fn backorders(rows: Vec<Row>) -> Result<Vec<Backorder>, Error> {
    rows.into_iter()
        .map(|row| {
            Ok(Backorder {
                order_id: OrderId(row.order_id),
                priority: row.priority,
                request: serde_json::from_str(&row.request)?,
                since: Some(Since { at: row.since.into(), position: row.position }),
            })
        })
        .collect()
}

/// Puts orders into the queue; one that waits already gets its place anew.
pub fn put(tx: &mut Tx<'_>, waiting: &[Backorder]) -> Result<(), Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    let ids: Vec<Uuid> = waiting.iter().map(|it| it.order_id.uuid()).collect();
    remove(tx, &ids)?;
    let requests = waiting.iter().map(|it| serde_json::to_string(&it.request)).collect::<Result<Vec<_>, _>>()?;
    let needs: Vec<(&Backorder, String, i64)> = waiting
        .iter()
        .flat_map(|it| it.request.needs().into_iter().map(move |(sku, units)| (it, sku.to_string(), units)))
        .collect();
    diesel::sql_query(
        "WITH queued AS (INSERT INTO backorders (order_id, priority, placed_at, request, since, position) \
            SELECT order_id, priority, placed_at, request, coalesce(since, $12), \
            coalesce(position, (SELECT max(id) FROM movements), 0) FROM unnest($1, $2, $3, $4, $10, $11) \
            AS t (order_id, priority, placed_at, request, since, position) RETURNING order_id) \
         INSERT INTO backorder_lines (order_id, priority, placed_at, sku, quantity) \
            SELECT order_id, priority, placed_at, sku, quantity FROM unnest($5, $6, $7, $8, $9) \
            AS t (order_id, priority, placed_at, sku, quantity) JOIN queued USING (order_id)",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<SmallInt>, _>(waiting.iter().map(|it| it.priority).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(waiting.iter().map(|it| it.request.placed_at.utc()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(requests)
    .bind::<Array<SqlUuid>, _>(needs.iter().map(|(it, _, _)| it.order_id.uuid()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(needs.iter().map(|(it, _, _)| it.priority).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(needs.iter().map(|(it, _, _)| it.request.placed_at.utc()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(needs.iter().map(|(_, sku, _)| sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(needs.iter().map(|(_, _, units)| *units).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(
        waiting.iter().map(|it| it.since.map(|it| it.at.utc())).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<BigInt>>, _>(waiting.iter().map(|it| it.since.map(|it| it.position)).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(at)
    .execute(tx.conn())?;
    Ok(())
}

/// Which of these locations got more of what the orders need since they rejected them: `(order, location)`.
pub fn replenished(tx: &mut Tx<'_>, waiting: &[&Backorder]) -> Result<HashSet<(Uuid, String)>, Error> {
    #[derive(QueryableByName)]
    struct Replenished {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = Text)]
        location: String,
    }
    let mut asked = Vec::new();
    for it in waiting {
        let position = it.since.map_or(0, |since| since.position);
        for sku in it.request.needs().into_keys() {
            let places = it.request.excluded.iter();
            asked.extend(places.map(|location| (it.order_id.uuid(), sku.to_string(), location.to_string(), position)));
        }
    }
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<Replenished> = diesel::sql_query(
        "SELECT DISTINCT t.order_id, t.location FROM unnest($1, $2, $3, $4) AS t (order_id, sku, location, position) \
         WHERE EXISTS (SELECT FROM movements m WHERE m.sku = t.sku AND m.location = t.location AND m.id > t.position \
            AND m.on_hand > 0)",
    )
    .bind::<Array<SqlUuid>, _>(asked.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(asked.iter().map(|it| it.1.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(asked.iter().map(|it| it.2.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(asked.iter().map(|it| it.3).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.location)).collect())
}

/// Takes orders out of the queue.
pub fn remove(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    diesel::sql_query("DELETE FROM backorders WHERE order_id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(orders)
        .execute(tx.conn())?;
    Ok(())
}

/// Those of these orders that wait.
pub fn of_orders(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<Backorder>, Error> {
    let query = "SELECT order_id, priority, request, since, position FROM backorders WHERE order_id = ANY($1)";
    backorders(diesel::sql_query(query).bind::<Array<SqlUuid>, _>(orders).load(tx.conn())?)
}

/// The queue of a SKU after a place, or of all SKUs.
pub fn queue(tx: &mut Tx<'_>, sku: Option<&str>, after: Option<Place>, limit: i64) -> Result<Vec<Backorder>, Error> {
    let query = match sku {
        Some(_) => {
            "SELECT b.order_id, b.priority, b.request, b.since, b.position FROM backorder_lines l \
             JOIN backorders b ON b.order_id = l.order_id WHERE l.sku = $1 \
             AND ($2 IS NULL OR (l.priority, l.placed_at, l.order_id) > ($2, $3, $4)) \
             ORDER BY l.priority, l.placed_at, l.order_id LIMIT $5"
        }
        None => {
            "SELECT order_id, priority, request, since, position FROM backorders \
             WHERE $1 IS NULL AND ($2 IS NULL OR (priority, placed_at, order_id) > ($2, $3, $4)) \
             ORDER BY priority, placed_at, order_id LIMIT $5"
        }
    };
    let rows = diesel::sql_query(query)
        .bind::<Nullable<Text>, _>(sku)
        .bind::<Nullable<SmallInt>, _>(after.map(|it| it.priority))
        .bind::<Nullable<Timestamptz>, _>(after.map(|it| it.placed_at.utc()))
        .bind::<Nullable<SqlUuid>, _>(after.map(|it| it.order_id.uuid()))
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    backorders(rows)
}

/// Lets the queues of these SKUs be served again from their heads.
pub fn wake(tx: &mut Tx<'_>, skus: &[String]) -> Result<(), Error> {
    if skus.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO arrivals (sku) SELECT DISTINCT sku FROM unnest($1) AS t (sku) ON CONFLICT (sku) DO UPDATE SET \
         after_priority = excluded.after_priority, after_placed = excluded.after_placed, \
         after_order = excluded.after_order",
    )
    .bind::<Array<Text>, _>(skus)
    .execute(tx.conn())?;
    Ok(())
}

/// Lets every queue be served again from its head: what orders wait for may have been something else than stock.
pub fn wake_all(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO arrivals (sku) SELECT DISTINCT sku FROM backorder_lines ON CONFLICT (sku) DO UPDATE SET \
         after_priority = excluded.after_priority, after_placed = excluded.after_placed, \
         after_order = excluded.after_order",
    )
    .execute(tx.conn())?;
    Ok(())
}

/// Lets the queues of SKUs that are in stock be served again. One that is being served goes on from where it is, so that
/// its end has its turn however often this is done.
pub fn wake_stocked(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO arrivals (sku) SELECT DISTINCT b.sku FROM backorder_lines b \
         WHERE EXISTS (SELECT FROM availability a WHERE a.sku = b.sku AND a.available > 0) ON CONFLICT (sku) DO NOTHING",
    )
    .execute(tx.conn())?;
    Ok(())
}

/// A SKU that got stock while orders wait for it, and up to where its queue was served.
#[derive(Debug, QueryableByName)]
pub struct Arrival {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The place served last.
    #[diesel(sql_type = SmallInt)]
    pub after_priority: i16,
    /// The place served last.
    #[diesel(sql_type = Timestamptz)]
    pub after_placed: chrono::DateTime<chrono::Utc>,
    /// The place served last.
    #[diesel(sql_type = SqlUuid)]
    pub after_order: Uuid,
}

impl Arrival {
    /// The place served last.
    pub fn after(&self) -> Place {
        Place {
            priority: self.after_priority,
            placed_at: self.after_placed.into(),
            order_id: OrderId(self.after_order),
        }
    }
}

/// One SKU that got stock.
pub fn next_arrival(tx: &mut Tx<'_>) -> Result<Option<Arrival>, Error> {
    let query = "SELECT sku, after_priority, after_placed, after_order FROM arrivals ORDER BY sku LIMIT 1";
    Ok(diesel::sql_query(query).get_result(tx.conn()).optional()?)
}

/// Notes up to where the queue of a SKU was served.
pub fn served_until(tx: &mut Tx<'_>, sku: &str, place: Place) -> Result<(), Error> {
    diesel::sql_query("UPDATE arrivals SET after_priority = $2, after_placed = $3, after_order = $4 WHERE sku = $1")
        .bind::<Text, _>(sku)
        .bind::<SmallInt, _>(place.priority)
        .bind::<Timestamptz, _>(place.placed_at.utc())
        .bind::<SqlUuid, _>(place.order_id.uuid())
        .execute(tx.conn())?;
    Ok(())
}

/// The queue of a SKU has been served to its end, or its stock is used up.
pub fn served(tx: &mut Tx<'_>, sku: &str) -> Result<(), Error> {
    diesel::sql_query("DELETE FROM arrivals WHERE sku = $1").bind::<Text, _>(sku).execute(tx.conn())?;
    Ok(())
}
