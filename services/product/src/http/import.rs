//! SKUs in bulk.

use std::collections::BTreeMap;

use contracts::Problem;
use contracts::events::SkuStatus;
use futures_util::stream;
use kernel::SkuCode;
use serde::{Deserialize, Serialize};
use store::{Error, Store};
use utoipa::ToSchema;
use web::ndjson::{self, Incoming, LineAnswer};
use web::{Answer, Data, Failure, Meta};

use super::skus::{BundleComponentForm, SkuBody, SkuView};
use crate::app::put_skus::{Change, put_skus};
use crate::domain::sku::Sku;
use crate::store::skus::{self, Filter};

/// Lines written in one transaction: enough to share a commit, few enough that none waits long for another.
const CHUNK: usize = 500;

/// One line of an import: a SKU with its code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuLine {
    /// Its code.
    sku: SkuCode,
    /// Its name, at most 200 characters.
    name: String,
    /// Its GTIN.
    gtin: Option<String>,
    /// Its category.
    category: Option<String>,
    /// Its brand.
    brand: Option<String>,
    /// Anything else that is said of it.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// Its weight in grams.
    weight_grams: Option<i64>,
    /// Whether it may be sold; `active` when left out.
    status: Option<SkuStatus>,
    /// What it is made of, when it is a bundle.
    #[serde(default)]
    bundle: Vec<BundleComponentForm>,
}

/// One record of a csv import; bundles and attributes need ndjson.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkuRecord {
    sku: SkuCode,
    name: String,
    gtin: Option<String>,
    category: Option<String>,
    brand: Option<String>,
    weight_grams: Option<i64>,
    status: Option<SkuStatus>,
}

impl From<SkuRecord> for SkuLine {
    fn from(record: SkuRecord) -> Self {
        let SkuRecord { sku, name, gtin, category, brand, weight_grams, status } = record;
        let (attributes, bundle) = (BTreeMap::new(), Vec::new());
        Self { sku, name, gtin, category, brand, attributes, weight_grams, status, bundle }
    }
}

impl From<SkuLine> for Sku {
    fn from(line: SkuLine) -> Self {
        let SkuLine { sku, name, gtin, category, brand, attributes, weight_grams, status, bundle } = line;
        let status = status.unwrap_or(SkuStatus::Active);
        SkuBody { name, gtin, category, brand, attributes, weight_grams, status, bundle }.with_code(sku)
    }
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportedSku)]
pub struct Imported {
    /// The SKU.
    sku: SkuCode,
    /// `created`, `updated` or `unchanged`.
    change: &'static str,
    /// Its version.
    version: i64,
}

/// Import SKUs
///
/// Takes `application/x-ndjson` or `text/csv` of any length and answers a result line per input line. Lines are written in
/// chunks of 500; a refused line does not hold up its neighbours.
#[utoipa::path(post, path = "/v1/skus/import", tag = "product",
    request_body(content = SkuLine, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer<Imported>, content_type = "application/x-ndjson"), (status = 400, body = Problem)))]
pub async fn import(store: Data<Store>, meta: Meta, lines: Incoming<SkuLine, SkuRecord>) -> Answer {
    let cause = meta.cause;
    ndjson::import(lines, CHUNK, move |lines: Vec<SkuLine>| {
        let (store, cause) = (store.clone(), cause.clone());
        async move {
            let batch: Vec<Sku> = lines.into_iter().map(Sku::from).collect();
            let results = store.transact("import_skus", move |tx| put_skus(tx, &batch, &cause)).await?;
            Ok(results.into_iter().map(|result| result.map(imported).map_err(Problem::from)).collect())
        }
    })
    .await
}

fn imported((stored, change): (skus::Stored, Change)) -> Imported {
    let change = match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Unchanged => "unchanged",
    };
    Imported { sku: stored.sku.sku, change, version: stored.version }
}

/// Export every SKU in the order of their codes
#[utoipa::path(get, path = "/v1/skus/export", tag = "product",
    responses((status = 200, body = SkuView, content_type = "application/x-ndjson")))]
pub async fn export(store: Data<Store>) -> Answer {
    let pages = stream::try_unfold(Some(None::<String>), move |after| {
        let store = store.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let filter = Filter { after, limit: 1_000, ..Filter::default() };
            let rows: Result<Vec<skus::Stored>, Error> =
                store.read("export_skus", move |tx| skus::list(tx, &filter)).await;
            let views: Vec<SkuView> = rows.map_err(Failure::from)?.into_iter().map(SkuView::from).collect();
            let next = views.last().map(|view| Some(view.sku.to_string()));
            Ok(if views.is_empty() { None } else { Some((views, next)) })
        }
    });
    Ok(ndjson::export(pages))
}
