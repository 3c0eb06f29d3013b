//! Why an order was sourced as it was.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Problem;
use contracts::events::{Allocation, BackorderedSku, FulfilmentKind, LocationKind};
use kernel::id::{DecisionId, OrderId, ReservationId};
use kernel::{LocationCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Path, Principal, Query, answer};

use super::State;
use crate::domain::ruleset::Sort;
use crate::domain::tiers::Filter;
use crate::domain::why::{WhyNot, why_not};
use crate::domain::{Bar, Candidate, Decision, How, Outcome, Ruleset, RunnerUp, Verdict};
use crate::store::{decisions, locations, moves, rulesets};

/// A decision, explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// `sourced` or `backordered`.
    pub outcome: &'static str,
    /// How the winner was found.
    pub how: Option<How>,
    /// The version of the rules in force…
    pub ruleset: i32,
    /// …and their content hash.
    pub ruleset_hash: String,
    /// The tier that filled the order.
    pub tier: Option<String>,
    /// What decided between candidates.
    pub ordered_by: String,
    /// Which location ships what.
    pub allocations: Vec<Allocation>,
    /// The winner, or the winners of a split.
    pub winners: Vec<LocationCode>,
    /// What would have come second.
    pub runner_up: Option<RunnerUpView>,
    /// What is missing even of the best plan, or waits while the rest ships.
    pub missing: Vec<BackorderedSku>,
    /// Of what waits, the SKUs that no location could ever give, whatever arrives there: none takes part from which the channel may sell
    /// them and that ships there by any tier, or hands them over.
    pub unfillable: Vec<SkuCode>,
    /// Who had rejected the order before.
    pub excluded: Vec<LocationCode>,
    /// The hold the order claimed.
    pub reservation_id: Option<ReservationId>,
    /// When everything that ships is ready, where the ruleset asks for it.
    pub ready_at: Option<Timestamp>,
    /// Whether that is later than the ruleset promises, where it promises anything.
    pub late: Option<bool>,
    /// What shipping it costs by the ruleset, in minor units, where it names costs.
    pub cost: Option<i64>,
    /// What was looked at, best placed first.
    pub candidates: Vec<CandidateView>,
}

/// What would have come second.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunnerUpView {
    /// Its locations.
    pub locations: Vec<LocationCode>,
    /// By how many metres it is behind, where the distance decided.
    pub margin_metres: Option<i64>,
    /// By how many steps of priority it is behind, where that decided.
    pub margin_priority: Option<i64>,
    /// By how many units of stock it is behind, where that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_stock: Option<i64>,
    /// By how many minor units it is dearer, where that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_cost: Option<i64>,
    /// By how many millionths of its capacity it is busier, where that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_load: Option<i64>,
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
    /// What it is.
    pub kind: LocationKind,
    /// When it would have the order ready, where the ruleset asks for it.
    pub ready_at: Option<Timestamp>,
    /// How many orders it had on that day already, where its capacity matters…
    pub load: Option<i64>,
    /// …and how many it can ship.
    pub capacity: Option<i64>,
    /// What a parcel from there costs, in minor units, where the ruleset names costs.
    pub cost: Option<i64>,
    /// What it could promise of each needed SKU.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub available: BTreeMap<SkuCode, i64>,
    /// What lies there beyond that, but not for the order's channel.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub withheld: BTreeMap<SkuCode, i64>,
    /// What came of it.
    pub verdict: Verdict,
    /// What keeps it out, whatever it has in stock.
    pub bar: Option<Bar>,
    /// The tiers that do not admit it, each with the filter that keeps it out.
    pub outside: Vec<OutsideView>,
}

/// A tier that does not admit a location.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutsideView {
    /// The tier.
    pub tier: String,
    /// The filter that keeps the location out.
    pub filter: Filter,
}

impl RunnerUpView {
    fn new(it: RunnerUp, by_distance: bool) -> Self {
        let by = it.by.unwrap_or(if by_distance { Sort::Distance } else { Sort::Priority });
        let margin = |sort: Sort| (by == sort).then_some(it.margin);
        Self {
            margin_metres: margin(Sort::Distance),
            margin_priority: margin(Sort::Priority),
            margin_stock: margin(Sort::Stock),
            margin_cost: margin(Sort::Cost),
            margin_load: margin(Sort::Load),
            locations: it.locations,
        }
    }
}

impl CandidateView {
    fn new(it: Candidate, skus: &[SkuCode], at: Timestamp, ruleset: &Ruleset) -> Self {
        let name = |index: usize| ruleset.rules().tiers.get(index).map_or("pickup", |tier| tier.name.as_str());
        let asks_ready = ruleset.asks_for_readiness() || it.load.is_some();
        Self {
            location: it.location,
            distance_metres: it.metres,
            priority: it.priority,
            kind: it.kind,
            ready_at: asks_ready.then(|| at.plus_seconds(it.ready_in.saturating_mul(60))),
            load: it.load,
            capacity: it.capacity,
            cost: it.cost,
            available: skus.iter().cloned().zip(it.available).collect(),
            withheld: skus.iter().cloned().zip(it.withheld).filter(|(_, units)| *units > 0).collect(),
            verdict: it.verdict,
            bar: it.bar,
            outside: it
                .outside
                .into_iter()
                .map(|(index, filter)| OutsideView { tier: name(index).to_owned(), filter })
                .collect(),
        }
    }
}

/// What decides between locations, in words.
fn ordered_by(sorts: &[Sort], by_distance: bool) -> String {
    let sort = |sort: &Sort| match sort {
        Sort::Distance if by_distance => "great-circle distance from the destination",
        Sort::Distance | Sort::Priority => "location priority",
        Sort::Stock => "most stock",
        Sort::Cost => "least cost",
        Sort::Load => "least load",
    };
    let sorts: Vec<&str> = sorts.iter().map(sort).collect();
    let unknown = if by_distance { "" } else { ": the destination has no coordinates" };
    format!("{}, then location code{unknown}", sorts.join(", then "))
}

impl ExplanationView {
    /// A decision, explained by the ruleset it was made by.
    pub fn new(decision: Decision, ruleset: &Ruleset) -> Self {
        let skus: Vec<SkuCode> = decision.request.needs().into_keys().collect();
        let by_distance = decision.request.to.is_some();
        let asks_ready = ruleset.asks_for_readiness() && !decision.allocations().is_empty();
        let mut view = Self {
            outcome: "backordered",
            how: None,
            ruleset: decision.ruleset.version,
            tier: None,
            ordered_by: ordered_by(ruleset.rules().tiers.first().map_or(&[], |tier| &tier.sort), by_distance),
            allocations: Vec::new(),
            winners: Vec::new(),
            runner_up: None,
            missing: Vec::new(),
            unfillable: decision.unfillable.clone(),
            ready_at: asks_ready.then(|| decision.at.plus_seconds(decision.ready_in().saturating_mul(60))),
            late: decision.is_late(ruleset).filter(|_| asks_ready),
            cost: (ruleset.rules().has_cost() && asks_cost(&decision)).then(|| decision.cost(ruleset)),
            excluded: decision.request.excluded.into_iter().collect(),
            reservation_id: decision.request.claim.map(|claim| claim.reservation),
            candidates: decision
                .candidates
                .into_iter()
                .map(|it| CandidateView::new(it, &skus, decision.at, ruleset))
                .collect(),
            ruleset_hash: decision.ruleset.hash,
        };
        match decision.outcome {
            Outcome::Sourced { how, tier, allocations, missing, runner_up } => {
                view.outcome = "sourced";
                view.how = Some(how);
                let tier = match decision.request.kind {
                    FulfilmentKind::Pickup => Some(ruleset.pickup()),
                    FulfilmentKind::Ship => ruleset.rules().tiers.get(tier),
                };
                if let Some(tier) = tier.filter(|_| how != How::Claimed) {
                    view.tier = Some(tier.name.clone());
                    view.ordered_by = ordered_by(&tier.sort, by_distance);
                }
                for allocation in &allocations {
                    if !view.winners.contains(&allocation.location) {
                        view.winners.push(allocation.location.clone());
                    }
                }
                view.allocations = allocations;
                view.missing = missing;
                view.runner_up = runner_up.map(|it| RunnerUpView::new(it, by_distance));
            }
            Outcome::Backordered { missing } => view.missing = missing,
        }
        view
    }
}

/// A claimed hold was placed before, and its locations were not looked at again.
const fn asks_cost(decision: &Decision) -> bool {
    decision.takes_stock()
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
    /// The requests to move the order to nearer stock, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moves: Vec<MoveView>,
    /// The decisions before it, newest first.
    earlier: Vec<EarlierView>,
}

/// A request to move an order to nearer stock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MoveView {
    /// The decision after which it was made.
    attempt: i32,
    /// When the order book was asked.
    asked_at: Timestamp,
    /// Where the order was promised.
    from: Vec<LocationCode>,
    /// From where it would have shipped.
    better: Vec<LocationCode>,
    /// By how many metres all parts together would have been nearer.
    gain_metres: i64,
    /// By how many parts fewer there would have been.
    fewer_parts: i64,
    /// `asked`: the order has not been recalled, as what was picked is not; `moved`; or `stayed`: the better stock was gone.
    outcome: String,
    /// The decision that followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_as: Option<i32>,
}

impl MoveView {
    fn new(stored: moves::Stored) -> Result<Self, Error> {
        let told = stored.request()?.told;
        let from: BTreeSet<LocationCode> = told.allocations.into_iter().map(|it| it.location).collect();
        Ok(Self {
            attempt: told.attempt,
            asked_at: told.found_at,
            from: from.into_iter().collect(),
            better: told.better,
            gain_metres: told.gain_metres,
            fewer_parts: told.fewer_parts,
            outcome: stored.outcome,
            moved_as: stored.moved_as,
        })
    }
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
    let (history, versions, location, moves) = state
        .store
        .read("sourcing_of_order", move |tx| {
            let history = decisions::history(tx, order_id)?;
            let history = history.into_iter().map(|it| Ok((it.decision()?, it))).collect::<Result<Vec<_>, Error>>()?;
            let versions: BTreeSet<i32> = history.iter().map(|(decision, _)| decision.ruleset.version).collect();
            let versions = rulesets::of_versions(tx, &versions.into_iter().collect::<Vec<_>>())?;
            let versions = versions.iter().map(|it| Ok((it.version, it.ruleset()?))).collect::<Result<_, Error>>()?;
            let location = wanted.map(|code| locations::get(tx, code.as_str())).transpose()?.flatten();
            let moves = moves::of_order(tx, order_id)?.into_iter().map(MoveView::new).collect::<Result<Vec<_>, _>>()?;
            Ok::<(_, BTreeMap<i32, Ruleset>, _, _), Error>((history, versions, location, moves))
        })
        .await?;
    let mut history = history.into_iter();
    let (decision, newest) =
        history.next().ok_or_else(|| Problem::not_found("a sourcing decision about order", order_id))?;
    principal.require_channel(&decision.request.channel)?;
    let ruleset_of = |decision: &Decision| {
        versions.get(&decision.ruleset.version).ok_or(Error::Broken("a decision's ruleset is stored"))
    };
    let ruleset = ruleset_of(&decision)?;
    let site = location.map(|(location, _)| location.site());
    let why_not = match asked {
        Some(code) if site.is_none() => return Err(Problem::not_found("location", code).into()),
        asked => asked.map(|code| why_not(&decision, ruleset, &code, site.as_ref())),
    };
    let earlier = history.map(|(decision, stored)| {
        let ruleset = ruleset_of(&decision)?;
        Ok(EarlierView {
            decision_id: DecisionId(stored.id),
            attempt: stored.attempt,
            decided_at: stored.decided_at.into(),
            explanation: ExplanationView::new(decision, ruleset),
        })
    });
    let earlier = earlier.collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&SourcingView {
        order_id,
        decision_id: DecisionId(newest.id),
        attempt: newest.attempt,
        decided_at: newest.decided_at.into(),
        explanation: ExplanationView::new(decision, ruleset),
        why_not,
        moves,
        earlier,
    }))
}
