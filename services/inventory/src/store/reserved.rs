//! Promised units that have not shipped: what `reserved` of a balance is the sum of.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use kernel::{LocationCode, SkuCode};
use store::statement::{Statement, Values};
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
    /// What the channel's share counts them by, if it is counted.
    pub count_id: Option<i64>,
}

/// A line as it is stored.
#[derive(QueryableByName)]
pub(super) struct Row {
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
    #[diesel(sql_type = BigInt)]
    count_id: i64,
}

impl Row {
    pub(super) fn line(self) -> Result<ReservedLine, Error> {
        Ok(ReservedLine {
            owner: self.owner,
            line_no: self.line_no,
            sku: code(&self.sku)?,
            location: code(&self.location)?,
            quantity: self.quantity,
            count_id: Some(self.count_id).filter(|count| *count > 0),
        })
    }
}

/// Everything promised to these owners, in the order of owner, line, SKU and location.
pub fn of_owners(tx: &mut Tx<'_>, owners: &[Uuid]) -> Result<Vec<ReservedLine>, Error> {
    let rows: Vec<Row> = statement(
        "SELECT owner, line_no, sku, location, quantity, count_id FROM reserved_lines WHERE owner = ANY($1) \
         ORDER BY owner, line_no, sku, location",
    )
    .bind::<Array<SqlUuid>, _>(owners)
    .load(tx.conn())?;
    rows.into_iter().map(Row::line).collect()
}

/// Adds promised units.
pub const ADD: &str = "INSERT INTO reserved_lines AS r (owner, line_no, sku, location, quantity, count_id) \
                       SELECT * FROM unnest($1, $2, $3, $4, $5, $6)";
/// What becomes of those that are there already.
pub const ADD_MORE: &str =
    "ON CONFLICT (owner, line_no, sku, location, count_id) DO UPDATE SET quantity = r.quantity + excluded.quantity";

/// Adds promised units.
pub fn add(tx: &mut Tx<'_>, lines: &[ReservedLine]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let text = format!("{ADD} {}", tx.on_conflict(ADD_MORE));
    bind(statement(text), lines).execute(tx.conn())?;
    Ok(())
}

/// Binds what [`ADD`] takes.
pub fn bind(to: Statement<impl Values>, lines: &[ReservedLine]) -> Statement<impl Values> {
    to.bind::<Array<SqlUuid>, _>(lines.iter().map(|it| it.owner).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(lines.iter().map(|it| it.quantity).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(counts(lines))
}

/// Takes promised units off; a line that has none left is gone.
pub fn take_off(tx: &mut Tx<'_>, lines: &[ReservedLine]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "WITH asked AS (SELECT owner, line_no, sku, location, count_id, sum(quantity)::bigint AS quantity \
            FROM unnest($1, $2, $3, $4, $5, $6) AS t (owner, line_no, sku, location, quantity, count_id) \
            GROUP BY owner, line_no, sku, location, count_id), \
         gone AS (DELETE FROM reserved_lines r USING asked a WHERE r.owner = a.owner AND r.line_no = a.line_no \
            AND r.sku = a.sku AND r.location = a.location AND r.count_id = a.count_id AND r.quantity <= a.quantity) \
         UPDATE reserved_lines r SET quantity = r.quantity - a.quantity FROM asked a WHERE r.owner = a.owner \
            AND r.line_no = a.line_no AND r.sku = a.sku AND r.location = a.location AND r.count_id = a.count_id \
            AND r.quantity > a.quantity",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|it| it.owner).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|it| it.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|it| it.quantity).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(counts(lines))
    .execute(tx.conn())?;
    Ok(())
}

fn counts(lines: &[ReservedLine]) -> Vec<i64> {
    lines.iter().map(|it| it.count_id.unwrap_or(0)).collect()
}

/// An order line's SKU at a location: (owner, line, SKU, location).
pub type Place = (Uuid, i32, String, String);

/// Promised units, to be looked up and taken by place.
#[derive(Debug, Default)]
pub struct OpenLines(BTreeMap<Place, Vec<ReservedLine>>);

impl OpenLines {
    /// Open lines of these.
    pub fn new(lines: Vec<ReservedLine>) -> Self {
        let mut open: BTreeMap<Place, Vec<ReservedLine>> = BTreeMap::new();
        for line in lines {
            let place = (line.owner, line.line_no, line.sku.to_string(), line.location.to_string());
            open.entry(place).or_default().push(line);
        }
        Self(open)
    }

    /// Every place, in order.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.keys()
    }

    /// Units promised at a place.
    pub fn units(&self, place: &Place) -> i64 {
        self.0.get(place).into_iter().flatten().map(|line| line.quantity).fold(0, i64::saturating_add)
    }

    /// Takes up to so many units at a place; answers which.
    pub fn take(&mut self, place: &Place, units: i64) -> Vec<ReservedLine> {
        let mut rest = units;
        let mut taken = Vec::new();
        for line in self.0.get_mut(place).into_iter().flatten() {
            let quantity = rest.min(line.quantity);
            if quantity > 0 {
                rest = rest.saturating_sub(quantity);
                line.quantity = line.quantity.saturating_sub(quantity);
                taken.push(ReservedLine { quantity, ..line.clone() });
            }
        }
        taken
    }
}
