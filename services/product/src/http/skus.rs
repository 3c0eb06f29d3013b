//! One SKU, and lists of them.

use std::collections::BTreeMap;

use actix_web::Responder;
use contracts::Problem;
use contracts::events::{BundleComponent, SkuStatus};
use kernel::{Page, Quantity, SkuCode};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::{Error, Store};
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use crate::app::put_skus::{Change, Refusal, put_skus};
use crate::domain::sku::Sku;
use crate::store::skus::{self, Filter, Stored};

/// A SKU as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuBody {
    /// Its name, at most 200 characters.
    #[schema(example = "Linen shirt, white, M")]
    pub name: String,
    /// Its GTIN: 8, 12, 13 or 14 digits, the last of which checks.
    pub gtin: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Anything else that is said of it, at most 100 entries.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Its weight in grams.
    pub weight_grams: Option<i64>,
    /// Whether it may be sold.
    #[serde(default = "active")]
    pub status: SkuStatus,
    /// What it is made of, when it is a bundle: at most 50 components.
    #[serde(default)]
    pub bundle: Vec<BundleComponentForm>,
}

/// One part of a bundle.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleComponentForm {
    /// The part.
    sku: SkuCode,
    /// How many of it one bundle holds.
    quantity: Quantity,
}

impl From<BundleComponentForm> for BundleComponent {
    fn from(form: BundleComponentForm) -> Self {
        Self { sku: form.sku, quantity: form.quantity }
    }
}

fn active() -> SkuStatus {
    SkuStatus::Active
}

impl SkuBody {
    /// The SKU with its code.
    pub fn with_code(self, sku: SkuCode) -> Sku {
        Sku {
            sku,
            name: self.name,
            gtin: self.gtin,
            category: self.category,
            brand: self.brand,
            attributes: self.attributes,
            weight_grams: self.weight_grams,
            status: self.status,
            bundle: self.bundle.into_iter().map(Into::into).collect(),
        }
    }
}

/// A SKU as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SkuView {
    /// Its code.
    pub sku: SkuCode,
    /// Its name.
    pub name: String,
    /// Its GTIN.
    pub gtin: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Anything else that is said of it.
    pub attributes: BTreeMap<String, String>,
    /// Its weight in grams.
    pub weight_grams: Option<i64>,
    /// Whether it may be sold.
    pub status: SkuStatus,
    /// What it is made of, when it is a bundle.
    pub bundle: Vec<BundleComponent>,
    /// How often it was written; also the ETag.
    pub version: i64,
}

impl From<Stored> for SkuView {
    fn from(stored: Stored) -> Self {
        let Sku { sku, name, gtin, category, brand, attributes, weight_grams, status, bundle } = stored.sku;
        Self { sku, name, gtin, category, brand, attributes, weight_grams, status, bundle, version: stored.version }
    }
}

/// A write of one SKU that did not happen.
#[derive(Debug)]
enum PutError {
    Refused(Refusal),
    Store(Error),
}

impl From<Error> for PutError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Refused(refusal) => refusal.into(),
            PutError::Store(error) => error.into(),
        }
    }
}

/// Create or replace a SKU
///
/// Tells `sku.changed` when anything is different. With `If-Match`, only that version is replaced.
#[utoipa::path(put, path = "/v1/skus/{sku}", tag = "product", params(("sku" = String, Path, description = "The SKU's code")),
    request_body = SkuBody, responses((status = 200, body = SkuView), (status = 201, body = SkuView), (status = 422, body = Problem)))]
pub async fn put(
    store: Data<Store>,
    path: Path<SkuCode>,
    meta: Meta,
    body: Json<SkuBody>,
) -> Result<impl Responder, Failure> {
    let sku = body.into_inner().with_code(path.into_inner());
    let (cause, expected) = (meta.cause.clone(), meta.if_match);
    write(&meta, &store, "put_sku", move |tx| -> Result<Answer, PutError> {
        if let Some(version) = expected
            && !skus::has_version(tx, sku.sku.as_str(), version)?
        {
            return Err(PutError::Refused(Refusal::Stale));
        }
        let location = format!("/v1/skus/{}", sku.sku);
        let written = put_skus(tx, std::slice::from_ref(&sku), &cause)?.pop();
        let (stored, change) =
            written.ok_or(Error::Broken("one SKU in, one answer out"))?.map_err(PutError::Refused)?;
        let version = stored.version;
        let view = SkuView::from(stored);
        Ok(match change {
            Change::Created => Answer::created(&view, version, location)?,
            Change::Updated | Change::Unchanged => Answer::ok(&view, version)?,
        })
    })
    .await
}

/// Read a SKU
#[utoipa::path(get, path = "/v1/skus/{sku}", tag = "product", params(("sku" = String, Path, description = "The SKU's code")),
    responses((status = 200, body = SkuView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, path: Path<SkuCode>) -> Result<impl Responder, Failure> {
    let sku = path.into_inner();
    let code = sku.to_string();
    let found = store.read("get_sku", move |tx| skus::find(tx, &[&code])).await?.pop();
    let stored = found.ok_or_else(|| Problem::not_found("SKU", &sku))?;
    let version = stored.version;
    Ok(answer::versioned(&SkuView::from(stored), version))
}

/// Which SKUs to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of the code or name, in any case.
    q: Option<String>,
    /// The category.
    category: Option<String>,
    /// Whether they may be sold.
    status: Option<SkuStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List SKUs in the order of their codes
#[utoipa::path(get, path = "/v1/skus", tag = "product", params(ListQuery), responses((status = 200, body = Page<SkuView>)))]
pub async fn list(store: Data<Store>, query: Query<ListQuery>) -> Result<impl Responder, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<String>(query.limit, query.cursor)?;
    let filter =
        Filter { text: query.q, category: query.category, status: query.status, after, limit: limit.saturating_add(1) };
    let rows = store.read("list_skus", move |tx| skus::list(tx, &filter)).await?;
    let views: Vec<SkuView> = rows.into_iter().map(SkuView::from).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.sku.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_component_with_an_unknown_field_is_refused_by_its_name() {
        let component = json!({"sku": "TEE-M", "quantity": 2, "colour": "red"});
        let body = serde_json::from_value::<SkuBody>(json!({"name": "Gift set", "bundle": [component]}));
        let error = body.unwrap_err().to_string();
        assert!(error.starts_with("unknown field `colour`"), "{error}");
    }
}
