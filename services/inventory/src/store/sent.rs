//! The table `sent_lines`: what is on its way to the location where it is collected.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use kernel::{LocationCode, SkuCode};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::code;

/// Units of an order's line on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentLine {
    /// The fulfilment order.
    pub fulfilment: String,
    /// The order.
    pub order: Uuid,
    /// The line.
    pub line_no: i32,
    /// The SKU; for a bundle, the part.
    pub sku: SkuCode,
    /// Where they go.
    pub location: LocationCode,
    /// How many units.
    pub quantity: i64,
}

/// Adds what was sent.
pub fn add(tx: &mut Tx<'_>, lines: &[SentLine]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    statement(
        "INSERT INTO sent_lines (fulfilment, order_id, line_no, sku, location, quantity) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6)",
    )
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.fulfilment.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|it| it.order).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|it| it.quantity).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// What is on its way of these fulfilment orders, in the order of fulfilment order, line and SKU.
pub fn of(tx: &mut Tx<'_>, fulfilments: &[String]) -> Result<Vec<SentLine>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        fulfilment: String,
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = Integer)]
        line_no: i32,
        #[diesel(sql_type = Text)]
        sku: String,
        #[diesel(sql_type = Text)]
        location: String,
        #[diesel(sql_type = BigInt)]
        quantity: i64,
    }
    let rows: Vec<Row> = statement(
        "SELECT fulfilment, order_id, line_no, sku, location, quantity FROM sent_lines WHERE fulfilment = ANY ($1) \
         ORDER BY fulfilment, line_no, sku",
    )
    .bind::<Array<Text>, _>(fulfilments)
    .load(tx.conn())?;
    let line = |row: Row| -> Result<SentLine, Error> {
        let (sku, location) = (code(&row.sku)?, code(&row.location)?);
        let (fulfilment, order, line_no, quantity) = (row.fulfilment, row.order_id, row.line_no, row.quantity);
        Ok(SentLine { fulfilment, order, line_no, sku, location, quantity })
    };
    rows.into_iter().map(line).collect()
}

/// Removes what is no longer on its way.
pub fn remove(tx: &mut Tx<'_>, fulfilments: &[String]) -> Result<(), Error> {
    statement("DELETE FROM sent_lines WHERE fulfilment = ANY ($1)")
        .bind::<Array<Text>, _>(fulfilments)
        .execute(tx.conn())?;
    Ok(())
}
