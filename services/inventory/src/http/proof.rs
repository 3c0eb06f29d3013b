//! The proof that balances are the sum of their parts.

use kernel::SkuCode;
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Query, answer};

use super::State;
use crate::store::counters;
use crate::store::proof::{self, Drift};

/// What is to be proved.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProofQuery {
    /// This SKU alone; every one, and the orders of every location's day, when left out.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
}

/// What the proof found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProofView {
    /// How many balances were added up again.
    checked: i64,
    /// What is not the sum of its parts; empty when the books are right.
    drift: Vec<Drift>,
}

/// Add everything that is counted up again
///
/// On hand and quarantined are Σ of the movements, each of which goes on from the one before it; reserved is Σ of the units
/// promised to orders, holds and transfers; incoming is Σ of what receipts and transfers still expect. `since` names the
/// movement from which on ledger and balance differ. A SKU's availability is Σ of what its balances can promise, what a share
/// has promised is Σ of the lines it counts, what shares have shipped is no more than has shipped, and the orders of a
/// location's day are those that use it.
#[utoipa::path(get, path = "/v1/stock/proof", tag = "inventory", params(ProofQuery),
    responses((status = 200, body = ProofView)))]
pub async fn get(state: Data<State>, query: Query<ProofQuery>) -> Answer {
    let sku = query.into_inner().sku;
    let prove = state.store.read("prove_stock", move |tx| {
        let sku = sku.as_ref().map(SkuCode::as_str);
        let (checked, mut drift) = proof::whole(tx, sku)?;
        drift.extend(counters::whole(tx, sku)?);
        Ok::<_, Error>((checked, drift))
    });
    let (checked, drift) = prove.await?;
    Ok(answer::ok(&ProofView { checked, drift }))
}
