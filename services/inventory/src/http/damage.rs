//! Damage: units that are put apart, put back, or destroyed.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::Disposition;
use kernel::{LocationCode, Quantity, SkuCode};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta};

use super::adjustments::{self, MAX_LINES, MAX_TEXT};
use super::stock::StockView;
use super::{State, check_text};
use crate::app::adjust_stock::{Adjustment, Change};

/// Where units lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DamagedFrom {
    /// Among those that may be sold.
    Shelf,
    /// Apart.
    Quarantine,
}

/// Units that are not fit to be sold, or are again. From the shelf they go to `quarantine` or `scrap`, from quarantine to
/// `scrap` or, with `restock`, back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DamageBody {
    /// The SKU.
    sku: SkuCode,
    /// Where.
    location: LocationCode,
    /// How many units.
    quantity: Quantity,
    /// Where they lie.
    from: DamagedFrom,
    /// What becomes of them.
    to: Disposition,
    /// Why, at most 200 characters.
    reason: String,
    /// The caller's own reference, at most 200 characters.
    reference: Option<String>,
}

impl DamageBody {
    fn adjustment(self, index: usize) -> Result<Adjustment, Problem> {
        let at = |field: &str| format!("[{index}].{field}");
        match (self.from, self.to) {
            (DamagedFrom::Shelf, Disposition::Restock) => {
                return Err(Problem::invalid(at("to"), "is quarantine or scrap for units on the shelf"));
            }
            (DamagedFrom::Quarantine, Disposition::Quarantine) => {
                return Err(Problem::invalid(at("to"), "is restock or scrap for units in quarantine"));
            }
            (DamagedFrom::Shelf, _) | (DamagedFrom::Quarantine, _) => {}
        }
        check_text(&at("reason"), &self.reason, MAX_TEXT)?;
        if let Some(reference) = &self.reference {
            check_text(&at("reference"), reference, MAX_TEXT)?;
        }
        let quarantined = self.from == DamagedFrom::Quarantine;
        Ok(Adjustment {
            sku: self.sku,
            location: self.location,
            change: Change::Sorted { units: self.quantity.get(), quarantined, to: self.to },
            safety: None,
            reason: self.reason,
            reference: self.reference,
        })
    }
}

/// Put damaged units apart, put them back, or destroy them, all or nothing
///
/// Answers the balances afterwards, one per line. Units that are promised cannot be taken from the shelf, and no more can
/// leave quarantine than are there, which is 409 `insufficient_stock`.
#[utoipa::path(post, path = "/v1/stock/damage", tag = "inventory", request_body = Vec<DamageBody>,
    responses((status = 200, body = Vec<StockView>), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<Vec<DamageBody>>) -> Result<HttpResponse, Failure> {
    let lines = body.into_inner();
    if !(1..=MAX_LINES).contains(&lines.len()) {
        return Err(Problem::invalid("", format!("a request has 1 to {MAX_LINES} lines")).into());
    }
    let mut adjustments = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        meta.principal.require_location(&line.location)?;
        adjustments.push(line.adjustment(index)?);
    }
    adjustments::submit(&state, &meta, adjustments).await
}
