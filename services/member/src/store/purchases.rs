//! Rows of purchases: what orders were to their buyers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::OrderId;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::purchase::PurchasedLine;

/// An order as it is remembered.
#[derive(Clone, Debug, QueryableByName)]
pub struct PurchaseRow {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Who bought; none for an anonymous sale.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub member_id: Option<Uuid>,
    /// The rule its points were reckoned by.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub rule_id: Option<i64>,
    /// Its currency.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// When it was placed.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// When it became final.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub completed_at: Option<DateTime<Utc>>,
}

/// Those of these orders that are remembered.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<PurchaseRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT order_id, member_id, rule_id, currency, placed_at, completed_at FROM purchases
         WHERE order_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?)
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
    #[diesel(sql_type = BigInt)]
    paid_amount: i64,
    #[diesel(sql_type = BigInt)]
    points: i64,
    #[diesel(sql_type = BigInt)]
    given_back: i64,
}

/// The lines of these orders, in order.
pub fn lines_of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<(OrderId, PurchasedLine)>, Error> {
    let rows: Vec<LineRow> = diesel::sql_query(
        "SELECT order_id, line_no, quantity, paid_amount, points, given_back FROM purchase_lines
         WHERE order_id = ANY ($1) ORDER BY order_id, line_no",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?;
    let line = |row: LineRow| PurchasedLine {
        line_no: row.line_no,
        quantity: row.quantity,
        paid_amount: row.paid_amount,
        points: row.points,
        given_back: row.given_back,
    };
    Ok(rows.into_iter().map(|row| (OrderId(row.order_id), line(row))).collect())
}

/// Remembers orders.
pub fn insert(tx: &mut Tx<'_>, purchases: &[PurchaseRow]) -> Result<(), Error> {
    statement(
        "INSERT INTO purchases (order_id, member_id, rule_id, currency, placed_at, completed_at)
         SELECT p.* FROM unnest($1, $2, $3, $4, $5, $6) AS p",
    )
    .bind::<Array<SqlUuid>, _>(purchases.iter().map(|it| it.order_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(purchases.iter().map(|it| it.member_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(purchases.iter().map(|it| it.rule_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(purchases.iter().map(|it| it.currency.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(purchases.iter().map(|it| it.placed_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(purchases.iter().map(|it| it.completed_at).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Remembers the lines of members' orders.
pub fn insert_lines(tx: &mut Tx<'_>, lines: &[(OrderId, PurchasedLine)]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    statement(
        "INSERT INTO purchase_lines (order_id, line_no, quantity, paid_amount, points)
         SELECT l.* FROM unnest($1, $2, $3, $4, $5) AS l",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|(order, _)| order.uuid()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|(_, line)| line.line_no).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, line)| line.quantity).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, line)| line.paid_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, line)| line.points).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Notes what these lines earn and how many units of them were given back by now.
pub fn save_lines(tx: &mut Tx<'_>, lines: &[(OrderId, PurchasedLine)]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE purchase_lines l SET given_back = u.given_back, points = u.points
         FROM unnest($1, $2, $3, $4) AS u (order_id, line_no, given_back, points)
         WHERE l.order_id = u.order_id AND l.line_no = u.line_no",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|(order, _)| order.uuid()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|(_, line)| line.line_no).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, line)| line.given_back).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|(_, line)| line.points).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Notes that orders became final.
pub fn complete(tx: &mut Tx<'_>, orders: &[(Uuid, Timestamp)]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE purchases p SET completed_at = u.completed_at
         FROM unnest($1, $2) AS u (order_id, completed_at) WHERE p.order_id = u.order_id",
    )
    .bind::<Array<SqlUuid>, _>(orders.iter().map(|(order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(orders.iter().map(|(_, at)| at.utc()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
