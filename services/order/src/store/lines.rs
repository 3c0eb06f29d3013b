//! The table `order_lines`.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Numeric, Text, Uuid as SqlUuid};
use kernel::SkuCode;
use rust_decimal::Decimal;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::extras::Extras;
use crate::domain::line::{Line, Repriced};

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
    /// Its tax, where that comes on top of prices.
    #[diesel(sql_type = BigInt)]
    pub added_tax_amount: i64,
    /// List − discount + added tax.
    #[diesel(sql_type = BigInt)]
    pub paid_amount: i64,
    /// Share of the freight.
    #[diesel(sql_type = BigInt)]
    pub freight_amount: i64,
    /// What it has beyond the usual, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub extras: Option<String>,
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
    /// Units that had been given back when a part of the price went back.
    #[diesel(sql_type = BigInt)]
    pub repriced_after: i64,
    /// What all others are worth since; none while they are worth what was paid.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub repriced_amount: Option<i64>,
}

impl LineRow {
    /// What it has beyond the usual.
    pub fn extras(&self) -> Result<Extras, Error> {
        Ok(self.extras.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default())
    }

    /// What it sells, by the one name that a channel gives it: ours or its own.
    pub fn named(&self) -> Result<(Option<SkuCode>, Option<SkuCode>), Error> {
        match &self.channel_sku {
            Some(own) => Ok((None, Some(super::code(own)?))),
            None => Ok((Some(super::code(&self.sku)?), None)),
        }
    }

    /// What the rules need of it.
    pub fn line(&self) -> Result<Line, Error> {
        let extras = self.extras()?;
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
            repriced: self.repriced_amount.map(|amount| Repriced { after_units: self.repriced_after, amount }),
            gift_with: extras.gift_with,
            extends: extras.extends,
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
         own_discount, list_amount, discount_amount, added_tax_amount, paid_amount, freight_amount, extras) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
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
    .bind::<Array<BigInt>, _>(column(rows, |row| row.added_tax_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.paid_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.freight_amount))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.extras.as_deref()))
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

/// The lines of those of some orders that have gifts which come with a line, by order, in line order.
pub fn with_gifts(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<LineRow>>, Error> {
    #[derive(QueryableByName)]
    struct Has {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let has: Vec<Has> = diesel::sql_query(
        "SELECT DISTINCT order_id FROM order_lines WHERE order_id = ANY ($1) AND extras::jsonb ? 'gift_with'",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?;
    if has.is_empty() {
        return Ok(HashMap::new());
    }
    of(tx, &has.into_iter().map(|row| row.order_id).collect::<Vec<_>>())
}

/// The lines of orders that are gifts, by order, in line order.
pub fn gifts(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<i32>>, Error> {
    #[derive(QueryableByName)]
    struct Gift {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = Integer)]
        line_no: i32,
    }
    let rows: Vec<Gift> = diesel::sql_query(
        "SELECT order_id, line_no FROM order_lines WHERE order_id = ANY ($1) AND extras::jsonb ? 'gift' \
         ORDER BY order_id, line_no",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?;
    let mut gifts: HashMap<Uuid, Vec<i32>> = HashMap::new();
    for row in rows {
        gifts.entry(row.order_id).or_default().push(row.line_no);
    }
    Ok(gifts)
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

/// Writes back what the units of an order's lines are worth. The order must be locked.
pub fn reprice(tx: &mut Tx<'_>, order: Uuid, lines: &[Line]) -> Result<(), Error> {
    let repriced: Vec<(i32, Repriced)> =
        lines.iter().filter_map(|line| line.repriced.map(|repriced| (line.line_no, repriced))).collect();
    diesel::sql_query(
        "UPDATE order_lines l SET repriced_after = n.after, repriced_amount = n.amount \
         FROM unnest($2, $3, $4) AS n (line_no, after, amount) WHERE l.order_id = $1 AND l.line_no = n.line_no",
    )
    .bind::<SqlUuid, _>(order)
    .bind::<Array<Integer>, _>(repriced.iter().map(|(line_no, _)| *line_no).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(repriced.iter().map(|(_, it)| it.after_units).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(repriced.iter().map(|(_, it)| it.amount).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
