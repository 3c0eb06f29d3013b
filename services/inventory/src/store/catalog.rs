//! The SKUs that may be stocked and what bundles are made of, copied from the product service.

use std::collections::HashMap;

use contracts::events::SkuChanged;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use kernel::{Quantity, SkuCode};
use store::{Error, Tx, statement};

use super::{changes, code};
use crate::domain::Part;

/// What the pool knows of a SKU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What one unit is made of: nothing, unless it is a bundle.
    pub parts: Vec<Part>,
    /// Its category; empty when it has none.
    pub category: String,
}

/// Known SKUs.
pub type Entries = HashMap<SkuCode, Entry>;

/// Takes over changed SKUs, unless a newer version is known. Each SKU stands once, in its newest version. The caller holds
/// the pool's lock.
pub fn put(tx: &mut Tx<'_>, changed: &[SkuChanged]) -> Result<(), Error> {
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Text)]
        sku: String,
    }
    let taken: Vec<Taken> = diesel::sql_query(
        "INSERT INTO skus AS s (sku, version, category) SELECT * FROM unnest($1, $2, $3) \
         ON CONFLICT (sku) DO UPDATE SET version = excluded.version, category = excluded.category \
         WHERE s.version < excluded.version RETURNING s.sku",
    )
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.category.as_deref().unwrap_or("")).collect::<Vec<_>>())
    .load(tx.conn())?;
    if taken.is_empty() {
        return Ok(());
    }
    let taken: Vec<&str> = taken.iter().map(|row| row.sku.as_str()).collect();
    changes::catalog_changed(tx, &taken)?;
    // Another category may mean another sharing rule.
    diesel::sql_query("UPDATE availability SET version = version + 1 WHERE sku = ANY($1)")
        .bind::<Array<Text>, _>(&taken)
        .execute(tx.conn())?;
    diesel::sql_query("DELETE FROM bundle_parts WHERE sku = ANY($1)")
        .bind::<Array<Text>, _>(&taken)
        .execute(tx.conn())?;
    let parts: Vec<(&str, &str, i64)> = changed
        .iter()
        .filter(|it| taken.contains(&it.sku.as_str()))
        .flat_map(|it| it.bundle.iter().map(|part| (it.sku.as_str(), part.sku.as_str(), part.quantity.get())))
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO bundle_parts (sku, part, quantity) SELECT sku, part, sum(quantity)::bigint \
         FROM unnest($1, $2, $3) AS t (sku, part, quantity) GROUP BY sku, part",
    )
    .bind::<Array<Text>, _>(parts.iter().map(|(sku, _, _)| *sku).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(parts.iter().map(|(_, part, _)| *part).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts.iter().map(|(_, _, quantity)| *quantity).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct PartRow {
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = Nullable<Text>)]
    part: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    quantity: Option<i64>,
}

/// Those of these SKUs that are known.
pub fn entries<'a>(tx: &mut Tx<'_>, skus: impl Iterator<Item = &'a SkuCode>) -> Result<Entries, Error> {
    let rows: Vec<PartRow> = statement(
        "SELECT s.sku, s.category, p.part, p.quantity FROM skus s LEFT JOIN bundle_parts p ON p.sku = s.sku \
         WHERE s.sku = ANY($1) ORDER BY s.sku, p.part",
    )
    .bind::<Array<Text>, _>(skus.map(SkuCode::as_str).collect::<Vec<_>>())
    .load(tx.conn())?;
    let mut entries = Entries::new();
    for row in rows {
        let entry = entries.entry(code(&row.sku)?).or_default();
        entry.category = row.category;
        if let Some((part, quantity)) = row.part.zip(row.quantity) {
            let quantity =
                Quantity::try_from(quantity).map_err(|_| Error::Broken("a stored quantity is a quantity"))?;
            entry.parts.push(Part { sku: code(&part)?, quantity });
        }
    }
    Ok(entries)
}

/// Those of these SKUs that can be stocked: known, and not a bundle.
pub fn stockable(tx: &mut Tx<'_>, skus: &[&str]) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = Text)]
        sku: String,
    }
    let rows: Vec<Known> = diesel::sql_query(
        "SELECT s.sku FROM skus s WHERE s.sku = ANY($1) AND NOT EXISTS (SELECT FROM bundle_parts b WHERE b.sku = s.sku)",
    )
    .bind::<Array<Text>, _>(skus)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.sku).collect())
}

/// Whether the SKU is known.
pub fn knows(tx: &mut Tx<'_>, sku: &str) -> Result<bool, Error> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        known: bool,
    }
    let row: Known = diesel::sql_query("SELECT EXISTS (SELECT FROM skus WHERE sku = $1) AS known")
        .bind::<Text, _>(sku)
        .get_result(tx.conn())?;
    Ok(row.known)
}
