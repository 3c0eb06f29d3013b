//! Dry runs of sourcing.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Problem;
use contracts::events::FulfilmentKind;
use contracts::requests::Address;
use kernel::{ChannelCode, LocationCode, Quantity, SkuCode};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Answer, Data, Json, Principal, answer};

use super::State;
use super::sourcing::ExplanationView;
use crate::app::plan_order::{DryRun, plan_order};
use crate::domain::{Line, Place, Request};

/// The most lines of an order.
const MAX_LINES: usize = 500;

/// An order's shape. What else an order carries (buyer, prices, payments) may stand here and does not matter.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct PlanBody {
    /// The channel that sells.
    channel: ChannelCode,
    /// How it is to be fulfilled.
    fulfilment: PlanFulfilment,
    /// What is ordered, at most 500 lines.
    lines: Vec<PlanLine>,
    /// Locations that must not get it.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    excluded: BTreeSet<LocationCode>,
    /// What the buyer pays for all of it, in minor units, where a rule asks for it.
    amount: Option<i64>,
    /// The version of the ruleset to plan by; the one in force, when left out.
    ruleset: Option<i32>,
}

/// How an order is to be fulfilled.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFulfilment {
    /// Ship or pickup.
    #[serde(rename = "type")]
    kind: FulfilmentKind,
    /// Where it is shipped to.
    ship_to: Option<Address>,
    /// Where it is collected.
    location: Option<LocationCode>,
}

/// One line.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct PlanLine {
    /// Its number; its place, when left out.
    line_no: Option<i32>,
    /// The SKU.
    sku: SkuCode,
    /// How many units.
    quantity: Quantity,
}

/// Plan an order without placing it
///
/// Answers what would be decided now, with the explanation; nothing is reserved.
#[utoipa::path(post, path = "/v1/sourcing/plans", tag = "inventory", request_body = PlanBody,
    responses((status = 200, body = ExplanationView), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, principal: Principal, body: Json<PlanBody>) -> Answer {
    let body = body.into_inner();
    principal.require_channel(&body.channel)?;
    if !(1..=MAX_LINES).contains(&body.lines.len()) {
        return Err(Problem::invalid("lines", format!("there are 1 to {MAX_LINES} lines")).into());
    }
    let pickup = match body.fulfilment.kind {
        FulfilmentKind::Pickup if body.fulfilment.location.is_none() => {
            return Err(Problem::invalid("fulfilment.location", "is needed for a pickup").into());
        }
        FulfilmentKind::Pickup => body.fulfilment.location,
        FulfilmentKind::Ship => None,
    };
    let to = body.fulfilment.ship_to.as_ref().map_or(Ok(None), Address::point);
    let lines = (1..).zip(body.lines).map(|(place, line)| Line {
        line_no: line.line_no.unwrap_or(place),
        sku: line.sku,
        quantity: line.quantity,
        parts: Vec::new(),
    });
    let request = Request {
        channel: body.channel,
        placed_at: state.store.now(),
        kind: body.fulfilment.kind,
        to: to.map_err(|error| Problem::invalid("fulfilment.ship_to", error.to_string()))?,
        place: Place::of(body.fulfilment.ship_to.as_ref()),
        amount: body.amount,
        whole: false,
        pickup,
        lines: lines.collect(),
        excluded: body.excluded,
        allowed: BTreeMap::new(),
        claim: None,
        redirected_by: None,
    };
    let run = DryRun { request, version: body.ruleset, zone: state.zone };
    let planned = state.store.read("plan_order", move |tx| plan_order(tx, run)).await?;
    let missing = || Problem::not_found("ruleset", body.ruleset.unwrap_or_default());
    let (decision, ruleset) = planned.ok_or_else(missing)?;
    Ok(answer::ok(&ExplanationView::new(decision, &ruleset)))
}
