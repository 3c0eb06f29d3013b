//! The proof that balances are the sum of their parts.

use kernel::SkuCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Query, answer};

use super::State;
use crate::store::proof::{self, Drift};

/// What is to be proved.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProofQuery {
    /// This SKU alone; every one, when left out.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
}

/// What the proof found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProofView {
    /// How many balances were added up again.
    checked: i64,
    /// Those that are not the sum of their parts; empty when the books are right.
    drift: Vec<Drift>,
}

/// Add every balance up again
///
/// On hand and quarantined are Σ of the movements, each of which goes on from the one before it; reserved is Σ of the units
/// promised to orders, holds and transfers; incoming is Σ of what receipts and transfers still expect. `since` names the
/// movement from which on ledger and balance differ.
#[utoipa::path(get, path = "/v1/stock/proof", tag = "inventory", params(ProofQuery),
    responses((status = 200, body = ProofView)))]
pub async fn get(state: Data<State>, query: Query<ProofQuery>) -> Answer {
    let sku = query.into_inner().sku;
    let (checked, drift) =
        state.store.read("prove_stock", move |tx| proof::whole(tx, sku.as_ref().map(SkuCode::as_str))).await?;
    Ok(answer::ok(&ProofView { checked, drift }))
}
