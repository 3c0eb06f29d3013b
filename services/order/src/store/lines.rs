//! The table `order_lines`.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Numeric, Text, Uuid as SqlUuid};
use rust_decimal::Decimal;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::line::Line;

/// An order line as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct LineRow {
    /// Its order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Its number.
    #[diesel(sql_type = Integer)]
    pub line_no: i32,
    /// What was bought.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The channel's own SKU, when the channel named it.
    #[diesel(sql_type = Nullable<Text>)]
    pub channel_sku: Option<String>,
    /// The SKU's category when it was bought.
    #[diesel(sql_type = Nullable<Text>)]
    pub category: Option<String>,
    /// What a bundle was made of, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub components: Option<String>,
    /// Units ordered.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// The exact price of one unit in major units.
    #[diesel(sql_type = Numeric)]
    pub unit_price: Decimal,
    /// The line's own discount.
    #[diesel(sql_type = BigInt)]
    pub own_discount: i64,
    /// Unit price × quantity, rounded once.
    #[diesel(sql_type = BigInt)]
    pub list_amount: i64,
    /// Own discount and share of the order's.
    #[diesel(sql_type = BigInt)]
    pub discount_amount: i64,
    /// List − discount.
    #[diesel(sql_type = BigInt)]
    pub paid_amount: i64,
    /// Share of the freight.
    #[diesel(sql_type = BigInt)]
    pub freight_amount: i64,
    /// Units cancelled.
    #[diesel(sql_type = BigInt)]
    pub cancelled: i64,
    /// Units that left.
    #[diesel(sql_type = BigInt)]
    pub shipped: i64,
    /// Units that returns have claimed.
    #[diesel(sql_type = BigInt)]
    pub returned: i64,
    /// Units whose money went back after a return.
    #[diesel(sql_type = BigInt)]
    pub refunded: i64,
}

impl LineRow {
    /// What the rules need of it.
    pub fn line(&self) -> Result<Line, Error> {
        Ok(Line {
            line_no: self.line_no,
            sku: super::code(&self.sku)?,
            components: super::from_json_list(self.components.as_deref())?,
            quantity: self.quantity,
            cancelled: self.cancelled,
            shipped: self.shipped,
            returned: self.returned,
            refunded: self.refunded,
            paid_amount: self.paid_amount,
            freight_amount: self.freight_amount,
        })
    }
}

/// Inserts the lines of new orders.
pub fn insert(tx: &mut Tx<'_>, rows: &[&LineRow]) -> Result<(), Error> {
    fn column<'a, T>(rows: &[&'a LineRow], part: impl Fn(&'a LineRow) -> T) -> Vec<T> {
        rows.iter().map(|row| part(row)).collect()
    }
    statement(
        "INSERT INTO order_lines (order_id, line_no, sku, channel_sku, category, components, quantity, unit_price, \
         own_discount, list_amount, discount_amount, paid_amount, freight_amount) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind::<Array<SqlUuid>, _>(column(rows, |row| row.order_id))
    .bind::<Array<Integer>, _>(column(rows, |row| row.line_no))
    .bind::<Array<Text>, _>(column(rows, |row| row.sku.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.channel_sku.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.category.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.components.as_deref()))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.quantity))
    .bind::<Array<Numeric>, _>(column(rows, |row| row.unit_price))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.own_discount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.list_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.discount_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.paid_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.freight_amount))
    .execute(tx.conn())?;
    Ok(())
}

/// The lines of orders, by order, in line order.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<LineRow>>, Error> {
    let rows: Vec<LineRow> =
        diesel::sql_query("SELECT * FROM order_lines WHERE order_id = ANY ($1) ORDER BY order_id, line_no")
            .bind::<Array<SqlUuid>, _>(orders)
            .load(tx.conn())?;
    let mut lines: HashMap<Uuid, Vec<LineRow>> = HashMap::new();
    for row in rows {
        lines.entry(row.order_id).or_default().push(row);
    }
    Ok(lines)
}

/// Writes back what has become of the units of orders' lines.
pub fn save<'a>(tx: &mut Tx<'_>, books: impl Iterator<Item = (Uuid, &'a [Line])>) -> Result<(), Error> {
    let lines: Vec<(Uuid, &Line)> = books.flat_map(|(order, lines)| lines.iter().map(move |it| (order, it))).collect();
    let column = |part: fn(&Line) -> i64| lines.iter().map(|(_, line)| part(line)).collect::<Vec<i64>>();
    diesel::sql_query(
        "UPDATE order_lines l SET cancelled = n.cancelled, shipped = n.shipped, returned = n.returned, \
         refunded = n.refunded \
         FROM unnest($1, $2, $3, $4, $5, $6) AS n (order_id, line_no, cancelled, shipped, returned, refunded) \
         WHERE l.order_id = n.order_id AND l.order_id = ANY ($1) AND l.line_no = n.line_no AND (l.cancelled, l.shipped, l.returned, l.refunded) \
         IS DISTINCT FROM (n.cancelled, n.shipped, n.returned, n.refunded)",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|(order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|(_, line)| line.line_no).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(column(|line| line.cancelled))
    .bind::<Array<BigInt>, _>(column(|line| line.shipped))
    .bind::<Array<BigInt>, _>(column(|line| line.returned))
    .bind::<Array<BigInt>, _>(column(|line| line.refunded))
    .execute(tx.conn())?;
    Ok(())
}
