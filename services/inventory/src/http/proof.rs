//! The proof that balances are the sum of their parts.

use std::time::{Duration, Instant};

use kernel::{LocationCode, SkuCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Query, answer, page};

use super::State;
use crate::store::counters;
use crate::store::proof::Drift;
use crate::store::spans::Span;

/// How long an answer goes on: proxies wait for half a minute. What is left by then is asked for with the cursor.
const LONGEST: Duration = Duration::from_secs(20);
/// Drifts after which an answer ends: one is already an alarm.
const ENOUGH: usize = 500;

/// What is to be proved.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProofQuery {
    /// This SKU alone; every one, and the orders of every location's day, when left out.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// What the proof found.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ProofView {
    /// How many balances were added up again.
    checked: i64,
    /// What is not the sum of its parts; empty when the books are right.
    drift: Vec<Drift>,
    /// Where the proof goes on; absent when it has come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Add everything that is counted up again
///
/// On hand and quarantined are Σ of the movements, each of which goes on from the one before it; reserved is Σ of the units
/// promised to orders, holds and transfers; incoming is Σ of what receipts and transfers still expect and of what
/// is on its way to be collected. `since` names the
/// movement from which on ledger and balance differ. A SKU's availability is Σ of what its balances can promise, what a share
/// has promised is Σ of the lines it counts, what shares have shipped is no more than has shipped, and the orders of a
/// location's day are those that use it.
///
/// Balances are proved by SKU, then location, each as it is at that moment. An answer ends after 20 seconds, which is more
/// than a million balances, or 500 drifts, and `next_cursor` says where the next one goes on. Of the days at most 500 are
/// named, in the first answer.
#[utoipa::path(get, path = "/v1/stock/proof", tag = "inventory", params(ProofQuery),
    responses((status = 200, body = ProofView)))]
pub async fn get(state: Data<State>, query: Query<ProofQuery>) -> Answer {
    let query = query.into_inner();
    let all = query.sku.is_none() && query.cursor.is_none();
    let (_, after) = page::<(SkuCode, LocationCode)>(None, query.cursor)?;
    let after = after.map(|(sku, location)| (sku.into(), location.into()));
    let mut rest = Some(Span::new(query.sku.as_ref().map(SkuCode::as_str), after));
    let (began, mut found) = (Instant::now(), ProofView::default());
    if all {
        found.drift = state.store.read("prove_days", counters::all_days).await?;
    }
    while let Some(span) = rest.take() {
        let proved = state.store.read("prove_stock", move |tx| span.prove(tx)).await?;
        found.checked = found.checked.saturating_add(proved.checked);
        found.drift.extend(proved.drift);
        rest = proved.rest;
        if began.elapsed() >= LONGEST || found.drift.len() >= ENOUGH {
            break;
        }
    }
    found.next_cursor = rest.map(|span| kernel::Cursor::encode(&span.after()));
    Ok(answer::ok(&found))
}
