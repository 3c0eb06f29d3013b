//! Why an order was sourced as it was.

use std::collections::BTreeMap;

use contracts::Problem;
use contracts::events::{Allocation, BackorderedSku};
use kernel::id::{DecisionId, OrderId, ReservationId};
use kernel::{LocationCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Path, Principal, Query, answer};

use super::State;
use crate::domain::why::{WhyNot, why_not};
use crate::domain::{Bar, Candidate, Decision, How, Outcome, Verdict};
use crate::store::{decisions, locations};

/// A decision, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// `sourced` or `backordered`.
    pub outcome: &'static str,
    /// How the winner was found.
    pub how: Option<How>,
    /// The version of the rules in force.
    pub ruleset: i32,
    /// What decided between candidates.
    pub ordered_by: &'static str,
    /// Which location ships what.
    pub allocations: Vec<Allocation>,
    /// The winner, or the winners of a split.
    pub winners: Vec<LocationCode>,
    /// What would have come second.
    pub runner_up: Option<RunnerUpView>,
    /// What is missing even of the best plan.
    pub missing: Vec<BackorderedSku>,
    /// Who had rejected the order before.
    pub excluded: Vec<LocationCode>,
    /// The hold the order claimed.
    pub reservation_id: Option<ReservationId>,
    /// What was looked at, best placed first.
    pub candidates: Vec<CandidateView>,
}

/// What would have come second.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunnerUpView {
    /// Its locations.
    pub locations: Vec<LocationCode>,
    /// By how many metres it is behind, where the destination is known.
    pub margin_metres: Option<i64>,
    /// By how many steps of priority it is behind, where it is not.
    pub margin_priority: Option<i64>,
}

/// A location that was looked at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CandidateView {
    /// The location.
    pub location: LocationCode,
    /// How far it is from the destination, if that is known.
    pub distance_metres: Option<i64>,
    /// Its priority.
    pub priority: i32,
    /// What it could promise of each needed SKU.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub available: BTreeMap<SkuCode, i64>,
    /// What came of it.
    pub verdict: Verdict,
    /// What keeps it out, whatever it has in stock.
    pub bar: Option<Bar>,
}

impl From<Decision> for ExplanationView {
    fn from(decision: Decision) -> Self {
        let skus: Vec<SkuCode> = decision.request.needs().into_keys().collect();
        let by_distance = decision.request.to.is_some();
        let candidate = |it: Candidate| CandidateView {
            location: it.location,
            distance_metres: it.metres,
            priority: it.priority,
            available: skus.iter().cloned().zip(it.available).collect(),
            verdict: it.verdict,
            bar: it.bar,
        };
        let mut view = Self {
            outcome: "backordered",
            how: None,
            ruleset: decision.ruleset.version,
            ordered_by: if by_distance {
                "great-circle distance from the destination, then location code"
            } else {
                "location priority, then location code: the destination has no coordinates"
            },
            allocations: Vec::new(),
            winners: Vec::new(),
            runner_up: None,
            missing: Vec::new(),
            excluded: decision.request.excluded.into_iter().collect(),
            reservation_id: decision.request.claim.map(|claim| claim.reservation),
            candidates: decision.candidates.into_iter().map(candidate).collect(),
        };
        match decision.outcome {
            Outcome::Sourced { how, allocations, runner_up } => {
                view.outcome = "sourced";
                view.how = Some(how);
                for allocation in &allocations {
                    if !view.winners.contains(&allocation.location) {
                        view.winners.push(allocation.location.clone());
                    }
                }
                view.allocations = allocations;
                view.runner_up = runner_up.map(|it| RunnerUpView {
                    locations: it.locations,
                    margin_metres: by_distance.then_some(it.margin),
                    margin_priority: (!by_distance).then_some(it.margin),
                });
            }
            Outcome::Backordered { missing } => view.missing = missing,
        }
        view
    }
}

/// The newest decision about an order, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourcingView {
    /// The order.
    order_id: OrderId,
    /// The decision.
    decision_id: DecisionId,
    /// 1 for the first, then counted up.
    attempt: i32,
    /// When it was decided.
    decided_at: Timestamp,
    /// The explanation.
    #[serde(flatten)]
    explanation: ExplanationView,
    /// Why the location asked about did not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<WhyNot>,
    /// The decisions before it, newest first.
    earlier: Vec<EarlierView>,
}

/// An earlier decision about an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EarlierView {
    /// The decision.
    decision_id: DecisionId,
    /// Its number.
    attempt: i32,
    /// When it was decided.
    decided_at: Timestamp,
    /// The explanation.
    #[serde(flatten)]
    explanation: ExplanationView,
}

/// What else is asked.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SourcingQuery {
    /// A location: why did it not get the order?
    #[param(value_type = Option<String>)]
    why_not: Option<LocationCode>,
}

/// Why an order was sourced as it was
///
/// With `why_not`, also why that location did not get it: the rule, the number that failed, and the smallest change that
/// would have let it win.
#[utoipa::path(get, path = "/v1/orders/{id}/sourcing", tag = "inventory",
    params(("id" = uuid::Uuid, Path, description = "The order's id"), SourcingQuery),
    responses((status = 200, body = SourcingView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<OrderId>, query: Query<SourcingQuery>) -> Answer {
    let order_id = path.into_inner();
    let asked = query.into_inner().why_not;
    let wanted = asked.clone();
    let (history, location) = state
        .store
        .read("sourcing_of_order", move |tx| {
            let history = decisions::history(tx, order_id)?;
            let location = wanted.map(|code| locations::get(tx, code.as_str())).transpose()?.flatten();
            Ok::<_, Error>((history, location))
        })
        .await?;
    let mut history = history.into_iter();
    let newest = history.next().ok_or_else(|| Problem::not_found("a sourcing decision about order", order_id))?;
    let decision = newest.decision()?;
    principal.require_channel(&decision.request.channel)?;
    let site = location.map(|(location, _)| location.site());
    let why_not = match asked {
        Some(code) if site.is_none() => return Err(Problem::not_found("location", code).into()),
        asked => asked.map(|code| why_not(&decision, &code, site.as_ref())),
    };
    let earlier = history.map(|stored| {
        Ok(EarlierView {
            decision_id: DecisionId(stored.id),
            attempt: stored.attempt,
            decided_at: stored.decided_at.into(),
            explanation: stored.decision()?.into(),
        })
    });
    let earlier = earlier.collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&SourcingView {
        order_id,
        decision_id: DecisionId(newest.id),
        attempt: newest.attempt,
        decided_at: newest.decided_at.into(),
        explanation: decision.into(),
        why_not,
        earlier,
    }))
}
