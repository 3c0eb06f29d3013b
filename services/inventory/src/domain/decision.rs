//! A decision with everything it was made from, so that it can be made again and explained. It is written for every
//! order, so what says nothing is left out of it.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{Allocation, BackorderedSku, LocationKind};
use kernel::{LocationCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::atlas::Shared;
use super::request::{Line, Request, regroup};
use super::ruleset::{Ruleset, RulesetId, Sort};
use super::tiers::Filter;

/// A location that was looked at, with every value a rule of the ruleset asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The location.
    pub location: LocationCode,
    /// How far it is from the destination, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metres: Option<i64>,
    /// Its priority.
    pub priority: i32,
    /// What it is.
    pub kind: LocationKind,
    /// Whether it belongs to a franchisee.
    #[serde(default, skip_serializing_if = "is_false")]
    pub franchised: bool,
    /// What it has in common with the destination's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// Its division's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adcode: Option<String>,
    /// Those of its tags that some tier asks for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// In how many minutes it would have the order ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ready_in: i64,
    /// How many orders it had on that day already…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<i64>,
    /// …and how many it can ship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i64>,
    /// What a parcel from there costs, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<i64>,
    /// What it could promise of each needed SKU, in the order of the SKUs' codes.
    pub available: Vec<i64>,
    /// Units beyond those that lie there, but not for this channel; empty when there are none of any SKU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<i64>,
    /// What keeps it out, whatever it has in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<Bar>,
    /// The tiers that were tried and do not admit it, each with the filter that keeps it out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outside: BTreeMap<usize, Filter>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What keeps a location out of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// It takes no part at present.
    Inactive,
    /// It does not ship.
    DoesNotShip,
    /// Nothing can be collected there.
    NoPickup,
    /// It has as many orders as it can ship on the day it would be ready.
    Full,
}

/// What came of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SourcingVerdict)]
pub enum Verdict {
    /// It ships, or ships a part.
    Chosen,
    /// It could have shipped everything, but lies behind the winner.
    Behind,
    /// It has a part of what is needed, but a better set was found.
    NotNeeded,
    /// It lacks something.
    Short,
    /// The tier that filled the order does not admit it, or none that was tried does.
    Outside,
    /// It has rejected this order.
    Rejected,
    /// It is kept out, see the candidate's bar.
    Barred,
}

/// How the winner was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The order claimed a hold.
    Claimed,
    /// One location has everything.
    Whole,
    /// The fewest parts, found by looking at every set.
    Split,
    /// The parts were picked one by one, most covered first.
    Greedy,
    /// What there is ships, the rest waits.
    Partial,
}

/// What would have come second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// Its locations.
    pub locations: Vec<LocationCode>,
    /// By how much it is behind, in the unit of the sort that decided.
    pub margin: i64,
    /// The sort that decided; none where only the code did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Sort>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every unit has a location, but for what is missing.
    Sourced {
        /// How it was found.
        how: How,
        /// The tier that filled it, counted from 0.
        #[serde(default, skip_serializing_if = "is_first")]
        tier: usize,
        /// Which location ships what.
        allocations: Vec<Allocation>,
        /// What waits for stock, where the tier gives a part.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<BackorderedSku>,
        /// The next best.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner_up: Option<RunnerUp>,
    },
    /// No tier fills it; nothing is promised.
    Backordered {
        /// What is missing even of the best plan.
        missing: Vec<BackorderedSku>,
    },
}

/// A decision with everything it was made from, but for the ruleset, which it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The rules in force.
    pub ruleset: RulesetId,
    /// When it was made.
    pub at: Timestamp,
    /// What was asked.
    pub request: Request,
    /// What was looked at: the nearest first, or by priority where the destination has no coordinates.
    pub candidates: Vec<Candidate>,
    /// What came of it.
    pub outcome: Outcome,
    /// Of what waits, the SKUs that no location could ever give, whatever arrives there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfillable: Vec<SkuCode>,
}

impl Candidate {
    /// Its place among the candidates: the distance, or the priority where no destination is known.
    pub fn place(&self) -> i64 {
        self.metres.unwrap_or(i64::from(self.priority))
    }
}

impl Decision {
    /// Whether its units are still to be promised; those of a claimed hold are already.
    pub const fn takes_stock(&self) -> bool {
        matches!(&self.outcome, Outcome::Sourced { how: How::Whole | How::Split | How::Greedy | How::Partial, .. })
    }

    /// Which location ships what; nothing for a backorder.
    pub fn allocations(&self) -> &[Allocation] {
        match &self.outcome {
            Outcome::Sourced { allocations, .. } => allocations,
            Outcome::Backordered { .. } => &[],
        }
    }

    /// What no plan could find.
    pub fn missing(&self) -> &[BackorderedSku] {
        match &self.outcome {
            Outcome::Sourced { missing, .. } | Outcome::Backordered { missing } => missing,
        }
    }

    /// The locations that ship.
    pub fn locations(&self) -> BTreeSet<&LocationCode> {
        self.allocations().iter().map(|it| &it.location).collect()
    }

    /// The candidates that ship.
    pub fn winners(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|it| it.verdict == Verdict::Chosen)
    }

    /// What is to wait when only a part was allocated; nothing when everything was or nothing. A line of which nothing was allocated waits as it was ordered, a
    /// bundle's rest as its parts.
    pub fn rest(&self) -> Option<Request> {
        let Outcome::Sourced { allocations, missing, .. } = &self.outcome else { return None };
        if missing.is_empty() {
            return None;
        }
        let mut taken: BTreeMap<(i32, SkuCode), i64> = BTreeMap::new();
        for it in allocations {
            let units = taken.entry((it.line_no, it.sku.clone())).or_default();
            *units = units.saturating_add(it.quantity.get());
        }
        let (mut lines, mut torn) = (Vec::new(), Vec::new());
        for line in &self.request.lines {
            let demands: Vec<_> = line.demands().collect();
            if demands.iter().all(|it| taken.get(&(it.line_no, it.sku.clone())).is_none_or(|units| *units == 0)) {
                lines.push(line.clone());
                continue;
            }
            for demand in demands {
                let units = taken.get_mut(&(demand.line_no, demand.sku.clone())).map_or(0, |taken| {
                    let units = demand.units.min(*taken);
                    *taken = taken.saturating_sub(units);
                    units
                });
                if let Ok(quantity) = Quantity::try_from(demand.units.saturating_sub(units)) {
                    torn.push(Line { line_no: demand.line_no, sku: demand.sku, quantity, parts: Vec::new() });
                }
            }
        }
        lines.extend(regroup(torn, &self.request.lines));
        lines.sort_by(|a, b| (a.line_no, &a.sku).cmp(&(b.line_no, &b.sku)));
        Some(Request { lines, claim: None, ..self.request.clone() })
    }

    /// What shipping it costs by the ruleset, in minor units.
    pub fn cost(&self, ruleset: &Ruleset) -> i64 {
        let parcels = self.winners().filter_map(|it| it.cost).fold(0, i64::saturating_add);
        let units = self.allocations().iter().map(|it| it.quantity.get()).fold(0, i64::saturating_add);
        parcels.saturating_add(units.saturating_mul(ruleset.rules().cost.per_unit))
    }

    /// In how many minutes all of its parts are ready.
    pub fn ready_in(&self) -> i64 {
        self.winners().map(|it| it.ready_in).max().unwrap_or(0)
    }

    /// Whether it is ready later than the ruleset promises; nothing where it promises nothing.
    pub fn is_late(&self, ruleset: &Ruleset) -> Option<bool> {
        let promised = ruleset.rules().promise.ship_within_minutes?;
        let waited = self.at.unix_micros().saturating_sub(self.request.placed_at.unix_micros());
        let late = self.request.placed_at.plus_seconds(promised.saturating_mul(60));
        let ready = self.request.placed_at.plus_seconds(
            waited.checked_div(1_000_000).unwrap_or(0).saturating_add(self.ready_in().saturating_mul(60)),
        );
        Some(ready > late)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_first(place: &usize) -> bool {
    *place == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
