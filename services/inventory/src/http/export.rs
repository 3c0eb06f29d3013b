//! Every balance, as a stream.

use futures_util::stream;
use kernel::{LocationCode, SkuCode};
use serde::Deserialize;
use store::Error;
use utoipa::IntoParams;
use web::ndjson::{self, Format};
use web::{Answer, Data, Failure, Principal, Query};

use super::stock::StockView;
use super::{State, locations_asked};
use crate::store::stock::{self, Filter};

/// Balances read at once: a megabyte of them, in some tens of milliseconds.
const PAGE: i64 = 5_000;
/// The fields of a balance, in their order.
const COLUMNS: [&str; 10] =
    ["sku", "location", "on_hand", "reserved", "safety", "quarantined", "incoming", "owed", "available", "version"];

/// Which balances to export.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// At this location alone.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Of this SKU alone.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
}

/// Export every balance by SKU, then location
///
/// As `application/x-ndjson`, or as `text/csv` where `Accept` asks for it. Balances are read page by page while they are sent,
/// each as it is at that moment.
#[utoipa::path(get, path = "/v1/stock/export", tag = "inventory", params(ExportQuery),
    responses((status = 200, content((StockView = "application/x-ndjson"), (String = "text/csv")))))]
pub async fn export(state: Data<State>, principal: Principal, format: Format, query: Query<ExportQuery>) -> Answer {
    let query = query.into_inner();
    let mut filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        sku: query.sku.map(String::from),
        location: query.location.map(String::from),
        after: None,
        limit: PAGE,
    };
    // A scope of one location is found by that location's index.
    if let (None, Some([only])) = (&filter.location, filter.within.as_deref()) {
        filter.location = Some(only.clone());
    }
    let pages = stream::try_unfold(Some(filter), move |filter| {
        let store = state.store.clone();
        async move {
            let Some(mut filter) = filter else { return Ok(None) };
            let asked = filter.clone();
            let rows = store.read("export_stock", move |tx| stock::list(tx, &asked)).await.map_err(Failure::from)?;
            let whole = i64::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE);
            let views: Result<Vec<StockView>, Error> = rows.into_iter().map(StockView::try_from).collect();
            let views = views.map_err(Failure::from)?;
            filter.after = views.last().map(|last| (last.sku.to_string(), last.location.to_string()));
            Ok::<_, Failure>(Some((views, whole.then_some(filter))))
        }
    });
    Ok(ndjson::export_as(format, &COLUMNS, pages))
}
