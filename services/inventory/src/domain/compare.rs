//! What decisions come to, added up: for comparing what happened with what another ruleset would have decided. Whole
//! numbers only, and of a bounded size, however many decisions are counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use contracts::events::FulfilmentKind;
use kernel::LocationCode;
use kernel::id::OrderId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::atlas::Atlas;
use super::decision::{Decision, How, Outcome};
use super::request::Request;
use super::ruleset::Ruleset;
use super::tiers::Filter;

/// Orders that are shown as examples: as many as a person will look at.
pub const MAX_EXAMPLES: usize = 100;
/// Binary digits that a value is kept with: a percentile is less than one part in 128 too low.
const KEPT_BITS: u32 = 8;

/// What parcels are measured by, whoever decided on them, so that two sums can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// The ruleset whose costs and promise count.
    pub ruleset: &'a Ruleset,
    /// Where locations are.
    pub atlas: &'a Atlas,
    /// The time zone of locations that name none.
    pub zone: Tz,
}

/// How values are spread: their number, their sum, and a percentile that is less than one part in 128 too low.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    count: i64,
    sum: i64,
    /// Values by their leading binary digits.
    buckets: BTreeMap<i64, i64>,
}

/// What one tier came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierFigures {
    /// Orders it filled.
    pub orders: i64,
    /// Locations that were looked at and that one of its filters kept out, by that filter.
    pub kept_out: BTreeMap<Filter, i64>,
}

/// What decisions come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Orders decided on: the sum of the next six.
    pub orders: i64,
    /// Orders that took the hold they claimed.
    pub claimed: i64,
    /// Orders that one location fills.
    pub whole: i64,
    /// Orders in the fewest parts.
    pub split: i64,
    /// Orders whose parts were picked one by one.
    pub greedy: i64,
    /// Orders of which a part ships.
    pub partial: i64,
    /// Orders that wait as a whole.
    pub backordered: i64,
    /// Units that wait.
    pub missing: i64,
    /// Orders by the number of their parcels; those that wait as a whole have none.
    pub parts: BTreeMap<usize, i64>,
    /// Metres from location to destination, by parcel; those without a destination are not among them.
    pub metres: Spread,
    /// What shipping costs, in minor units.
    pub cost: i64,
    /// Orders that are ready later than promised.
    pub late: i64,
    /// Orders by location.
    pub locations: BTreeMap<LocationCode, i64>,
    /// What tiers came to, by the version of the ruleset (0 for one that is not stored) and their place in it.
    pub tiers: BTreeMap<i32, BTreeMap<usize, TierFigures>>,
}

/// An order that would ship from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WhatIfExample)]
pub struct Example {
    /// The order.
    pub order_id: OrderId,
    /// From where it shipped; nothing when it waited.
    #[schema(value_type = Vec<String>)]
    pub from: Vec<LocationCode>,
    /// From where it would ship; nothing when it would wait.
    #[schema(value_type = Vec<String>)]
    pub to: Vec<LocationCode>,
    /// Metres to the destination, summed over the parcels, as it happened…
    pub metres_before: i64,
    /// …and as it would be.
    pub metres_after: i64,
}

/// What happened beside what would have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What happened.
    pub happened: Figures,
    /// What the candidate decides.
    pub candidate: Figures,
    /// Orders that would ship from elsewhere.
    pub moved: i64,
    /// The first of them.
    pub examples: Vec<Example>,
}

impl Spread {
    /// Adds a value.
    pub fn add(&mut self, value: i64) {
        let value = value.max(0);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        let spare = i64::BITS.saturating_sub(value.leading_zeros()).saturating_sub(KEPT_BITS);
        let kept = value.checked_shr(spare).and_then(|it| it.checked_shl(spare)).unwrap_or(0);
        let bucket = self.buckets.entry(kept).or_default();
        *bucket = bucket.saturating_add(1);
    }

    /// Adds other values.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.count, other.count);
        add(&mut self.sum, other.sum);
        merge(&mut self.buckets, &other.buckets);
    }

    /// The mean, rounded down; nothing of nothing.
    pub fn mean(&self) -> Option<i64> {
        self.sum.checked_div(self.count)
    }

    /// What so many of a hundred values do not exceed, less than one part in 128 too low; exact below 256.
    pub fn percentile(&self, percent: i64) -> Option<i64> {
        let rank = self.count.saturating_mul(percent).saturating_add(99).checked_div(100)?.max(1);
        let mut seen = 0_i64;
        self.buckets.iter().find_map(|(value, count)| {
            seen = seen.saturating_add(*count);
            (seen >= rank).then_some(*value)
        })
    }
}

impl Measure<'_> {
    /// Metres from a location to the destination of a request, where both are known.
    fn metres(&self, request: &Request, location: &LocationCode) -> Option<i64> {
        let site = self.atlas.site(self.atlas.slot(location.as_str())?)?;
        Some(request.to?.distance_metres(site.point))
    }

    fn cost(&self, request: &Request, location: &LocationCode) -> i64 {
        let site = self.atlas.slot(location.as_str()).and_then(|slot| self.atlas.site(slot));
        site.map_or(0, |site| self.ruleset.rules().parcel_cost(self.metres(request, location), site.kind))
    }

    fn is_late(&self, decision: &Decision) -> bool {
        let rules = self.ruleset.rules();
        let Some(promised) = rules.promise.ship_within_minutes else { return false };
        let due = decision.request.placed_at.plus_seconds(promised.saturating_mul(60));
        decision.locations().into_iter().any(|location| {
            let site = self.atlas.slot(location.as_str()).and_then(|slot| self.atlas.site(slot));
            site.is_some_and(|site| site.schedule.ready(decision.at, self.zone, rules.respect).at > due)
        })
    }
}

impl Figures {
    /// Counts a decision in.
    pub fn count(&mut self, decision: &Decision, measure: &Measure<'_>) {
        add(&mut self.orders, 1);
        add(
            match &decision.outcome {
                Outcome::Backordered { .. } => &mut self.backordered,
                Outcome::Sourced { how: How::Claimed, .. } => &mut self.claimed,
                Outcome::Sourced { how: How::Whole, .. } => &mut self.whole,
                Outcome::Sourced { how: How::Split, .. } => &mut self.split,
                Outcome::Sourced { how: How::Greedy, .. } => &mut self.greedy,
                Outcome::Sourced { how: How::Partial, .. } => &mut self.partial,
            },
            1,
        );
        let (Outcome::Backordered { missing } | Outcome::Sourced { missing, .. }) = &decision.outcome;
        missing.iter().for_each(|it| add(&mut self.missing, it.missing.get()));
        let locations = decision.locations();
        if !locations.is_empty() {
            add(self.parts.entry(locations.len()).or_default(), 1);
        }
        if decision.request.kind == FulfilmentKind::Ship {
            let units = decision.allocations().iter().map(|it| it.quantity.get()).fold(0, i64::saturating_add);
            add(&mut self.cost, units.saturating_mul(measure.ruleset.rules().cost.per_unit));
            for location in &locations {
                add(&mut self.cost, measure.cost(&decision.request, location));
                if let Some(metres) = measure.metres(&decision.request, location) {
                    self.metres.add(metres);
                }
            }
        }
        add(&mut self.late, i64::from(measure.is_late(decision)));
        for location in locations {
            add(self.locations.entry(location.clone()).or_default(), 1);
        }
        self.count_tiers(decision);
    }

    /// A pickup and a claimed hold go by no tier.
    fn count_tiers(&mut self, decision: &Decision) {
        let claimed = matches!(decision.outcome, Outcome::Sourced { how: How::Claimed, .. });
        if claimed || decision.request.kind == FulfilmentKind::Pickup {
            return;
        }
        let tiers = self.tiers.entry(decision.ruleset.version).or_default();
        if let Outcome::Sourced { tier, .. } = &decision.outcome {
            add(&mut tiers.entry(*tier).or_default().orders, 1);
        }
        for (tier, filter) in decision.candidates.iter().flat_map(|it| &it.outside) {
            add(tiers.entry(*tier).or_default().kept_out.entry(*filter).or_default(), 1);
        }
    }

    /// Adds what other decisions came to.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.orders, other.orders);
        add(&mut self.claimed, other.claimed);
        add(&mut self.whole, other.whole);
        add(&mut self.split, other.split);
        add(&mut self.greedy, other.greedy);
        add(&mut self.partial, other.partial);
        add(&mut self.backordered, other.backordered);
        add(&mut self.missing, other.missing);
        merge(&mut self.parts, &other.parts);
        self.metres.merge(&other.metres);
        add(&mut self.cost, other.cost);
        add(&mut self.late, other.late);
        merge(&mut self.locations, &other.locations);
        for (version, tiers) in &other.tiers {
            let own = self.tiers.entry(*version).or_default();
            for (place, tier) in tiers {
                let own = own.entry(*place).or_default();
                add(&mut own.orders, tier.orders);
                merge(&mut own.kept_out, &tier.kept_out);
            }
        }
    }

    /// Orders in more than one parcel.
    pub fn splits(&self) -> i64 {
        self.parts.iter().filter(|(parts, _)| **parts > 1).map(|(_, orders)| *orders).fold(0, i64::saturating_add)
    }

    /// Parcels of all orders.
    pub fn parcels(&self) -> i64 {
        let parcels =
            self.parts.iter().map(|(parts, orders)| i64::try_from(*parts).unwrap_or(0).saturating_mul(*orders));
        parcels.fold(0, i64::saturating_add)
    }
}

impl Comparison {
    /// Adds another comparison; of the examples the first are kept.
    pub fn merge(&mut self, other: Self) {
        self.happened.merge(&other.happened);
        self.candidate.merge(&other.candidate);
        add(&mut self.moved, other.moved);
        let room = MAX_EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }

    /// Counts an order in: what happened to it, and what the candidate decides.
    pub fn count(&mut self, order_id: OrderId, (happened, candidate): (&Decision, &Decision), measure: &Measure<'_>) {
        self.happened.count(happened, measure);
        self.candidate.count(candidate, measure);
        let (from, to) = (happened.locations(), candidate.locations());
        if from == to {
            return;
        }
        add(&mut self.moved, 1);
        if self.examples.len() < MAX_EXAMPLES {
            let codes = |them: &BTreeSet<&LocationCode>| them.iter().map(|code| (*code).clone()).collect();
            let metres = |decision: &Decision, them: &BTreeSet<&LocationCode>| {
                them.iter().filter_map(|it| measure.metres(&decision.request, it)).fold(0, i64::saturating_add)
            };
            self.examples.push(Example {
                order_id,
                from: codes(&from),
                to: codes(&to),
                metres_before: metres(happened, &from),
                metres_after: metres(candidate, &to),
            });
        }
    }
}

fn add(sum: &mut i64, by: i64) {
    *sum = sum.saturating_add(by);
}

fn merge<K: Ord + Clone>(sums: &mut BTreeMap<K, i64>, others: &BTreeMap<K, i64>) {
    for (key, by) in others {
        add(sums.entry(key.clone()).or_default(), *by);
    }
}
