//! Promised units that have not shipped: what `reserved` of a balance is the sum of.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use kernel::{LocationCode, SkuCode};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::code;

/// So many units promised to an order or a hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReservedLine {
    /// The order, or the hold.
    pub owner: Uuid,
    /// The line.
    pub line_no: i32,
    /// The SKU; for a bundle, the part.
    pub sku: SkuCode,
    /// Where.
    pub location: LocationCode,
    /// How many units.
    pub quantity: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    owner: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Text)]
    location: String,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
}

/// Everything promised to these owners, in the order of owner, line, SKU and location.
pub fn of_owners(tx: &mut Tx<'_>, owners: &[Uuid]) -> Result<Vec<ReservedLine>, Error> {
    let rows: Vec<Row> = statement(
        "SELECT owner, line_no, sku, location, quantity FROM reserved_lines WHERE owner = ANY($1) \
         ORDER BY owner, line_no, sku, location",
    )
    .bind::<Array<SqlUuid>, _>(owners)
    .load(tx.conn())?;
    rows.into_iter()
        .map(|row| {
            Ok(ReservedLine {
                owner: row.owner,
                line_no: row.line_no,
                sku: code(&row.sku)?,
                location: code(&row.location)?,
                quantity: row.quantity,
            })
        })
        .collect()
}

/// Adds promised units.
pub fn add(tx: &mut Tx<'_>, lines: &[ReservedLine]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let text = format!(
        "INSERT INTO reserved_lines AS r (owner, line_no, sku, location, quantity) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) {}",
        tx.on_conflict(
            "ON CONFLICT (owner, line_no, sku, location) DO UPDATE SET quantity = r.quantity + excluded.quantity"
        )
    );
    statement(text)
        .bind::<Array<SqlUuid>, _>(lines.iter().map(|it| it.owner).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(lines.iter().map(|it| it.quantity).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

/// Takes promised units off; a line that has none left is gone.
pub fn take_off(tx: &mut Tx<'_>, lines: &[ReservedLine]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "WITH asked AS (SELECT owner, line_no, sku, location, sum(quantity)::bigint AS quantity \
            FROM unnest($1, $2, $3, $4, $5) AS t (owner, line_no, sku, location, quantity) \
            GROUP BY owner, line_no, sku, location), \
         gone AS (DELETE FROM reserved_lines r USING asked a WHERE r.owner = a.owner AND r.line_no = a.line_no \
            AND r.sku = a.sku AND r.location = a.location AND r.quantity <= a.quantity) \
         UPDATE reserved_lines r SET quantity = r.quantity - a.quantity FROM asked a WHERE r.owner = a.owner \
            AND r.line_no = a.line_no AND r.sku = a.sku AND r.location = a.location AND r.quantity > a.quantity",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|it| it.owner).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|it| it.quantity).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
