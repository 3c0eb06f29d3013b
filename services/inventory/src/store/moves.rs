//! Orders that could move to nearer stock: the SKUs to look through, and what the order book was asked to recall.

use contracts::events::{Allocation, StockBetterFound};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::OrderId;
use serde::{Deserialize, Serialize};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// A SKU that got stock while orders hold units of it elsewhere, and the order that was looked at last.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Improvement {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The order that was looked at last.
    #[diesel(sql_type = SqlUuid)]
    pub after_order: Uuid,
}

/// One SKU to look through. Those whose arrivals are not served yet are left out: orders that wait go first.
pub fn next(tx: &mut Tx<'_>) -> Result<Option<Improvement>, Error> {
    let query = "SELECT i.sku, i.after_order FROM improvements i \
        WHERE NOT EXISTS (SELECT FROM arrivals a WHERE a.sku = i.sku) ORDER BY i.sku LIMIT 1";
    Ok(diesel::sql_query(query).get_result(tx.conn()).optional()?)
}

/// Notes up to which order a SKU was looked through.
pub fn looked_until(tx: &mut Tx<'_>, sku: &str, order: OrderId) -> Result<(), Error> {
    diesel::sql_query("UPDATE improvements SET after_order = $2 WHERE sku = $1")
        .bind::<Text, _>(sku)
        .bind::<SqlUuid, _>(order.uuid())
        .execute(tx.conn())?;
    Ok(())
}

/// A SKU was looked through to the end; once more from the start if more has arrived since it began.
pub fn looked_through(tx: &mut Tx<'_>, sku: &str) -> Result<(), Error> {
    diesel::sql_query(
        "WITH gone AS (DELETE FROM improvements WHERE sku = $1 AND NOT again) \
         UPDATE improvements SET again = false, after_order = '00000000-0000-0000-0000-000000000000' \
         WHERE sku = $1 AND again",
    )
    .bind::<Text, _>(sku)
    .execute(tx.conn())?;
    Ok(())
}

/// Forgets every SKU to look through.
pub fn forget(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query("DELETE FROM improvements").execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = SqlUuid)]
    owner: Uuid,
}

/// Orders that hold units of a SKU, the oldest first: ids grow with time. Holds and transfers have no decisions.
pub fn orders_of(tx: &mut Tx<'_>, improvement: &Improvement, limit: i64) -> Result<Vec<OrderId>, Error> {
    let rows: Vec<Owner> = diesel::sql_query(
        "SELECT DISTINCT r.owner FROM reserved_lines r WHERE r.sku = $1 AND r.owner > $2 \
         AND EXISTS (SELECT FROM decisions d WHERE d.order_id = r.owner AND d.attempt = 1) ORDER BY r.owner LIMIT $3",
    )
    .bind::<Text, _>(&improvement.sku)
    .bind::<SqlUuid, _>(improvement.after_order)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| OrderId(row.owner)).collect())
}

/// Those of these orders that were not asked for since, and were recalled fewer times than so many; in their order.
pub fn may_be_asked(tx: &mut Tx<'_>, orders: &[OrderId], since: Timestamp, max_moves: i64) -> Result<Vec<Uuid>, Error> {
    let rows: Vec<Owner> = diesel::sql_query(
        "SELECT o.owner FROM unnest($1) AS o (owner) WHERE NOT EXISTS \
            (SELECT FROM moves m WHERE m.order_id = o.owner AND (m.asked_at > $2)) \
         AND (SELECT count(*) FROM moves m WHERE m.order_id = o.owner AND m.outcome <> 'asked') < $3 ORDER BY o.owner",
    )
    .bind::<Array<SqlUuid>, _>(orders.iter().map(|it| it.uuid()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(since.utc())
    .bind::<BigInt, _>(max_moves)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.owner).collect())
}

/// How many orders were asked for since.
pub fn asked_since(tx: &mut Tx<'_>, since: Timestamp) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        asked: i64,
    }
    let row: Row = diesel::sql_query("SELECT count(*) AS asked FROM moves WHERE asked_at > $1")
        .bind::<Timestamptz, _>(since.utc())
        .get_result(tx.conn())?;
    Ok(row.asked)
}

/// What was asked, and what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What the order book was told.
    pub told: StockBetterFound,
    /// The plan for which it was asked.
    pub planned: Vec<Allocation>,
}

/// Stores what was asked.
pub fn ask(tx: &mut Tx<'_>, requests: &[Request]) -> Result<(), Error> {
    if requests.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    let documents = requests.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    diesel::sql_query(
        "INSERT INTO moves (order_id, asked_at, attempt, document) SELECT order_id, $1, attempt, document \
         FROM unnest($2, $3, $4) AS t (order_id, attempt, document)",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Array<SqlUuid>, _>(requests.iter().map(|it| it.told.order_id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(requests.iter().map(|it| it.told.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(documents)
    .execute(tx.conn())?;
    Ok(())
}

/// What was asked since and is not answered.
pub fn unanswered(tx: &mut Tx<'_>, since: Timestamp) -> Result<Vec<Request>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        document: String,
    }
    let rows: Vec<Row> = diesel::sql_query("SELECT document FROM moves WHERE asked_at > $1 AND outcome = 'asked'")
        .bind::<Timestamptz, _>(since.utc())
        .load(tx.conn())?;
    rows.iter().map(|row| Ok(serde_json::from_str(&row.document)?)).collect()
}

/// An order was recalled and sourced again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The order.
    pub order: OrderId,
    /// The decision that followed.
    pub attempt: i32,
    /// Whether it ships from where it would have shipped.
    pub stayed: bool,
}

/// Notes what came of the newest request for each of these orders.
pub fn answer(tx: &mut Tx<'_>, answers: &[Answer]) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let outcome = |it: &Answer| if it.stayed { "stayed" } else { "moved" };
    statement(
        "UPDATE moves m SET outcome = a.outcome, moved_as = a.attempt FROM unnest($1, $2, $3) AS a (order_id, attempt, outcome) \
         WHERE m.order_id = a.order_id AND m.outcome = 'asked' \
         AND m.asked_at = (SELECT max(asked_at) FROM moves n WHERE n.order_id = a.order_id)",
    )
    .bind::<Array<SqlUuid>, _>(answers.iter().map(|it| it.order.uuid()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(answers.iter().map(|it| it.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(answers.iter().map(outcome).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// A request as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stored {
    #[diesel(sql_type = Text)]
    document: String,
    /// `asked`, `moved` or `stayed`.
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// The decision that followed.
    #[diesel(sql_type = Nullable<Integer>)]
    pub moved_as: Option<i32>,
}

impl Stored {
    /// What was asked.
    pub fn request(&self) -> Result<Request, Error> {
        Ok(serde_json::from_str(&self.document)?)
    }
}

/// The requests for an order, newest first.
pub fn of_order(tx: &mut Tx<'_>, order: OrderId) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query("SELECT document, outcome, moved_as FROM moves WHERE order_id = $1 ORDER BY asked_at DESC")
        .bind::<SqlUuid, _>(order.uuid())
        .load(tx.conn())?)
}
