//! The table `skus`.

use std::collections::BTreeMap;

use contracts::events::{BundleComponent, SkuStatus};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;
use store::{Error, Tx};

use crate::domain::sku::Sku;

const COLUMNS: &str = "sku, name, gtin, category, brand, attributes, weight_grams, status, bundle, version";

/// A SKU as it is stored.
#[derive(QueryableByName)]
pub struct Row {
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    gtin: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    brand: Option<String>,
    #[diesel(sql_type = Jsonb)]
    attributes: Value,
    #[diesel(sql_type = Nullable<BigInt>)]
    weight_grams: Option<i64>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Jsonb)]
    bundle: Value,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// A SKU with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub sku: Sku,
    /// How often it was written.
    pub version: i64,
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let attributes: BTreeMap<String, String> = serde_json::from_value(row.attributes)?;
        let bundle: Vec<BundleComponent> = serde_json::from_value(row.bundle)?;
        let sku = Sku {
            sku: row.sku.parse().map_err(|_| Error::Broken("stored SKU codes are codes"))?,
            name: row.name,
            gtin: row.gtin,
            category: row.category,
            brand: row.brand,
            attributes,
            weight_grams: row.weight_grams,
            status: if row.status == "active" { SkuStatus::Active } else { SkuStatus::Inactive },
            bundle,
        };
        Ok(Self { sku, version: row.version })
    }
}

fn status_text(status: SkuStatus) -> &'static str {
    match status {
        SkuStatus::Active => "active",
        SkuStatus::Inactive => "inactive",
    }
}

fn stored(rows: Vec<Row>) -> Result<Vec<Stored>, Error> {
    rows.into_iter().map(Stored::try_from).collect()
}

/// Writes SKUs, each code once, and answers those that were new or changed.
pub fn upsert(tx: &mut Tx<'_>, skus: &[&Sku]) -> Result<Vec<Stored>, Error> {
    let now = tx.now().utc();
    let json = |value: Result<Value, serde_json::Error>| value.map_err(Error::from);
    let attributes =
        skus.iter().map(|s| json(serde_json::to_value(&s.attributes))).collect::<Result<Vec<_>, Error>>()?;
    let bundles = skus.iter().map(|s| json(serde_json::to_value(&s.bundle))).collect::<Result<Vec<_>, Error>>()?;
    let rows: Vec<Row> = diesel::sql_query(format!(
        "INSERT INTO skus AS s ({COLUMNS}, updated_at) \
         SELECT sku, name, gtin, category, brand, attributes, weight_grams, status, bundle, 1, $10 \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) \
           AS n (sku, name, gtin, category, brand, attributes, weight_grams, status, bundle) ORDER BY sku \
         ON CONFLICT (sku) DO UPDATE SET name = excluded.name, gtin = excluded.gtin, category = excluded.category, \
           brand = excluded.brand, attributes = excluded.attributes, weight_grams = excluded.weight_grams, \
           status = excluded.status, bundle = excluded.bundle, version = s.version + 1, updated_at = excluded.updated_at \
         WHERE (s.name, s.gtin, s.category, s.brand, s.attributes, s.weight_grams, s.status, s.bundle) IS DISTINCT FROM \
           (excluded.name, excluded.gtin, excluded.category, excluded.brand, excluded.attributes, \
            excluded.weight_grams, excluded.status, excluded.bundle) \
         RETURNING {COLUMNS}"
    ))
    .bind::<Array<Text>, _>(skus.iter().map(|s| s.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(skus.iter().map(|s| s.name.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(skus.iter().map(|s| s.gtin.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(skus.iter().map(|s| s.category.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(skus.iter().map(|s| s.brand.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(attributes)
    .bind::<Array<Nullable<BigInt>>, _>(skus.iter().map(|s| s.weight_grams).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(skus.iter().map(|s| status_text(s.status)).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(bundles)
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    stored(rows)
}

/// The SKUs with these codes.
pub fn find(tx: &mut Tx<'_>, codes: &[&str]) -> Result<Vec<Stored>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!("SELECT {COLUMNS} FROM skus WHERE sku = ANY ($1)"))
        .bind::<Array<Text>, _>(codes)
        .load(tx.conn())?;
    stored(rows)
}

/// Which of these GTINs belong to other SKUs than the ones they are written for.
pub fn foreign_gtins(tx: &mut Tx<'_>, skus: &[&Sku]) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Gtin {
        #[diesel(sql_type = Text)]
        gtin: String,
    }
    let rows: Vec<Gtin> = diesel::sql_query(
        "SELECT s.gtin FROM skus s JOIN unnest($1, $2) AS n (gtin, sku) ON s.gtin = n.gtin AND s.sku <> n.sku",
    )
    .bind::<Array<Nullable<Text>>, _>(skus.iter().map(|s| s.gtin.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(skus.iter().map(|s| s.sku.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.gtin).collect())
}

/// Whether a SKU has exactly this version; missing counts as version 0.
pub fn has_version(tx: &mut Tx<'_>, sku: &str, version: i64) -> Result<bool, Error> {
    #[derive(QueryableByName)]
    struct Match {
        #[diesel(sql_type = Bool)]
        matches: bool,
    }
    let row: Match = diesel::sql_query("SELECT coalesce((SELECT version FROM skus WHERE sku = $1), 0) = $2 AS matches")
        .bind::<Text, _>(sku)
        .bind::<BigInt, _>(version)
        .get_result(tx.conn())?;
    Ok(row.matches)
}

/// Which SKUs a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the code or name, in any case.
    pub text: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// Whether they may be sold.
    pub status: Option<SkuStatus>,
    /// Only codes after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: i64,
}

/// SKUs in the order of their codes.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Stored>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM skus WHERE ($1 IS NULL OR position(lower($1) in lower(sku || ' ' || name)) > 0) \
         AND ($2 IS NULL OR category = $2) AND ($3 IS NULL OR status = $3) AND ($4 IS NULL OR sku > $4) \
         ORDER BY sku LIMIT $5"
    ))
    .bind::<Nullable<Text>, _>(filter.text.as_deref())
    .bind::<Nullable<Text>, _>(filter.category.as_deref())
    .bind::<Nullable<Text>, _>(filter.status.map(status_text))
    .bind::<Nullable<Text>, _>(filter.after.as_deref())
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?;
    stored(rows)
}
