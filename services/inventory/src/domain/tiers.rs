//! One tier after the other on a list of candidates: who is in it, who is best, and what may be split.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{Allocation, BackorderedSku, FulfilmentKind, LocationKind};
use kernel::{LocationCode, SkuCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::allot::{self, Stock, Terms};
use super::atlas::Shared;
use super::decision::{Candidate, How, Outcome, RunnerUp};
use super::request::Request;
use super::ruleset::{Filters, Owner, Region, Ruleset, Sort, Tier};
use super::split::{self, Key, Offer};

/// The filter that keeps a location out of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SourcingFilter)]
pub enum Filter {
    /// It is of another kind.
    Kind,
    /// It is not headquarters', or not a franchisee's.
    Owner,
    /// It lies in another region.
    Region,
    /// It has none of the tags.
    Group,
    /// It is too far away.
    Distance,
    /// It is ready too late.
    Ready,
}

/// What the filters that never change within a plan look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What it is.
    pub kind: LocationKind,
    /// Whether it belongs to a franchisee.
    pub franchised: bool,
    /// What it has in common with the destination.
    pub shared: Option<Shared>,
    /// Its division's code.
    pub adcode: Option<&'a str>,
    /// Its tags.
    pub groups: &'a BTreeSet<String>,
}

impl Filters {
    /// The first of the filters on what a location is that keeps it out.
    pub fn keep_out(&self, facts: Facts<'_>) -> Option<Filter> {
        let owner = if facts.franchised { Owner::Franchisee } else { Owner::Headquarters };
        let lies_in = |region: &Region| match region {
            Region::SameCity => facts.shared == Some(Shared::City),
            Region::SameProvince => facts.shared.is_some(),
            Region::Division(code) => facts.adcode.is_some_and(|adcode| adcode.starts_with(code.as_str())),
        };
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&facts.kind)) {
            Some(Filter::Kind)
        } else if self.owners.as_ref().is_some_and(|owners| !owners.contains(&owner)) {
            Some(Filter::Owner)
        } else if self.regions.as_ref().is_some_and(|regions| !regions.iter().any(lies_in)) {
            Some(Filter::Region)
        } else if self.groups.as_ref().is_some_and(|groups| !groups.iter().any(|group| facts.groups.contains(group))) {
            Some(Filter::Group)
        } else {
            None
        }
    }

    /// Whether a location so far away is too far.
    pub fn too_far(&self, metres: Option<i64>) -> bool {
        self.max_distance_metres.is_some_and(|most| metres.is_none_or(|metres| metres > most))
    }

    /// Whether a location that is ready in so many minutes is too late.
    pub fn too_late(&self, ready_in: i64) -> bool {
        self.ready_within_minutes.is_some_and(|most| ready_in > most)
    }
}

impl Tier {
    /// The filter that keeps a candidate out.
    pub fn keeps_out(&self, candidate: &Candidate) -> Option<Filter> {
        let facts = Facts {
            kind: candidate.kind,
            franchised: candidate.franchised,
            shared: candidate.shared,
            adcode: candidate.adcode.as_deref(),
            groups: &candidate.groups,
        };
        self.filters
            .keep_out(facts)
            .or_else(|| self.filters.too_far(candidate.metres).then_some(Filter::Distance))
            .or_else(|| self.filters.too_late(candidate.ready_in).then_some(Filter::Ready))
    }

    /// From how many locations an order may ship.
    pub fn parts_for(&self, request: &Request) -> usize {
        let small = self.split.min_order_amount.zip(request.amount).is_some_and(|(least, amount)| amount < least);
        if small { 1 } else { self.split.max_parts }
    }

    /// Whether a part of an order may ship while the rest waits.
    pub const fn gives_parts_of(&self, request: &Request) -> bool {
        self.split.partial && !request.whole
    }
}

/// The tiers that are tried for a request, with their places. A pickup has one of its own, since it is pinned.
pub fn of<'r>(request: &Request, ruleset: &'r Ruleset) -> Vec<(usize, &'r Tier)> {
    if request.kind == FulfilmentKind::Pickup {
        return vec![(0, ruleset.pickup())];
    }
    let sells = |tier: &Tier| tier.filters.channels.as_ref().is_none_or(|them| them.contains(&request.channel));
    ruleset.rules().tiers.iter().enumerate().filter(|(_, tier)| sells(tier)).collect()
}

/// What a location is compared by: a value for each sort, the first deciding.
pub fn key(sorts: &[Sort], value: impl Fn(Sort) -> i64) -> Key {
    let mut key = Key::default();
    for (place, sort) in key.iter_mut().zip(sorts) {
        *place = value(*sort);
    }
    key
}

/// A share of a capacity, in parts per million; one without a capacity is never loaded.
pub fn load(orders: i64, capacity: i64) -> i64 {
    orders.saturating_mul(1_000_000).checked_div(capacity).unwrap_or(1_000_000)
}

impl Candidate {
    /// What it is compared by in a tier.
    pub fn key(&self, tier: &Tier, ruleset: &Ruleset) -> Key {
        key(&tier.sort, |sort| match sort {
            Sort::Distance => self.place(),
            Sort::Priority => i64::from(self.priority),
            Sort::Stock => self.available.iter().copied().fold(0, i64::saturating_add).saturating_neg(),
            Sort::Cost => ruleset.rules().parcel_cost(self.metres, self.kind),
            Sort::Load => self.load.zip(self.capacity).map_or(0, |(orders, capacity)| load(orders, capacity)),
        })
    }

    pub(super) fn covers(&self, need: &[i64]) -> bool {
        self.available.iter().zip(need).all(|(has, need)| has >= need)
    }
}

/// What a request needs, and what of it the channel's share lets it have.
#[derive(Debug)]
pub struct Need {
    /// Units of each SKU.
    pub all: BTreeMap<SkuCode, i64>,
    /// The units, in the order of the SKUs' codes…
    pub units: Vec<i64>,
    /// …and those of them that may be given.
    pub given: Vec<i64>,
}

impl Need {
    /// What a request needs.
    pub fn of(request: &Request) -> Self {
        let all = request.needs();
        let units: Vec<i64> = all.values().copied().collect();
        let most = |sku: &SkuCode| request.allowed.get(sku).map_or(i64::MAX, |most| (*most).max(0));
        let given = all.iter().map(|(sku, units)| (*units).min(most(sku))).collect();
        Self { all, units, given }
    }

    /// What a tier is asked for: what may be given, if it may give a part; else everything.
    pub fn in_tier(&self, tier: &Tier, request: &Request) -> &[i64] {
        if tier.gives_parts_of(request) { &self.given } else { &self.units }
    }

    /// The units beyond the channel's share, if there are any.
    pub fn beyond(&self) -> Option<Vec<BackorderedSku>> {
        let beyond =
            self.all.iter().zip(&self.given).map(|((sku, all), given)| (sku.clone(), all.saturating_sub(*given)));
        Some(allot::short(&beyond.collect())).filter(|beyond| !beyond.is_empty())
    }
}

/// What came of the tiers: the outcome, and how many of them were tried.
pub fn try_all(request: &Request, need: &Need, candidates: &[Candidate], ruleset: &Ruleset) -> (Outcome, usize) {
    let beyond = need.beyond();
    let mut least: Option<(i64, Vec<BackorderedSku>)> = None;
    let tiers = of(request, ruleset);
    for (place, (index, tier)) in tiers.iter().enumerate() {
        if beyond.is_some() && !tier.gives_parts_of(request) {
            continue;
        }
        match Trial::new(request, need, tier, ruleset).run(*index, candidates) {
            Ok(outcome) => return (outcome, place.saturating_add(1)),
            Err(missing) => {
                let units = missing.iter().map(|it| it.missing.get()).fold(0, i64::saturating_add);
                if least.as_ref().is_none_or(|(known, _)| units < *known) {
                    least = Some((units, missing));
                }
            }
        }
    }
    let missing = beyond.or(least.map(|(_, missing)| missing)).unwrap_or_else(|| allot::short(&need.all));
    (Outcome::Backordered { missing }, tiers.len())
}

/// One tier, tried for one request.
struct Trial<'a> {
    request: &'a Request,
    need: &'a Need,
    tier: &'a Tier,
    ruleset: &'a Ruleset,
    units: &'a [i64],
}

type Placed<'c> = (Key, &'c Candidate);

impl<'a> Trial<'a> {
    fn new(request: &'a Request, need: &'a Need, tier: &'a Tier, ruleset: &'a Ruleset) -> Self {
        Self { request, need, tier, ruleset, units: need.in_tier(tier, request) }
    }

    /// The outcome, if the tier fills the request; else what was missing.
    fn run(&self, index: usize, candidates: &[Candidate]) -> Result<Outcome, Vec<BackorderedSku>> {
        if self.units.iter().all(|units| *units <= 0) {
            return Err(allot::short(&self.need.all));
        }
        let mut placed: Vec<Placed<'_>> = candidates
            .iter()
            .filter(|it| it.bar.is_none() && !self.request.excluded.contains(&it.location))
            .filter(|it| self.tier.keeps_out(it).is_none())
            .map(|it| (it.key(self.tier, self.ruleset), it))
            .collect();
        placed.sort_by(|a, b| (&a.0, &a.1.location).cmp(&(&b.0, &b.1.location)));
        let mut whole = placed.iter().filter(|(_, it)| it.covers(self.units));
        if let Some(winner) = whole.next() {
            let second = whole.next().map(|(key, second)| self.runner_up(&winner.0, *key, &[*second]));
            return Ok(self.sourced(How::Whole, index, &[*winner], second));
        }
        let offers: Vec<Offer> =
            placed.iter().map(|(key, it)| Offer { key: *key, available: it.available.clone() }).collect();
        let parts = self.tier.parts_for(self.request);
        if let Some(outcome) = self.split(index, &placed, &offers, parts) {
            return Ok(outcome);
        }
        let winners: Vec<Placed<'_>> =
            split::greedy(&offers, self.units, parts).iter().filter_map(|index| placed.get(*index).copied()).collect();
        let allocations = self.draw(&winners);
        let missing = allot::missing(&self.need.all, &allocations);
        let gives = self.tier.gives_parts_of(self.request) && !allocations.is_empty();
        if missing.is_empty() || gives { Ok(self.sourced(How::Greedy, index, &winners, None)) } else { Err(missing) }
    }

    /// The exact search over the shortlist.
    fn split(&self, index: usize, placed: &[Placed<'_>], offers: &[Offer], parts: usize) -> Option<Outcome> {
        let bounds = self.ruleset.rules().candidates;
        let shortlist = split::shortlist(offers, self.units, bounds.near, bounds.broad);
        let listed: Vec<Offer> = shortlist.iter().filter_map(|index| offers.get(*index).cloned()).collect();
        let named = |set: &[usize]| -> Vec<Placed<'_>> {
            let indexes = set.iter().filter_map(|index| shortlist.get(*index));
            indexes.filter_map(|index| placed.get(*index).copied()).collect()
        };
        let together = self.tier.split.keep_bundles_together;
        let fits = |set: &[usize]| !together || allot::bundles_fit(self.request, &self.stock(&named(set)));
        let best = split::exact(&listed, self.units, parts, &fits)?;
        let second = best.second.map(|(set, key)| {
            let candidates: Vec<&Candidate> = named(&set).into_iter().map(|(_, it)| it).collect();
            self.runner_up(&best.key, key, &candidates)
        });
        Some(self.sourced(How::Split, index, &named(&best.set), second))
    }

    fn stock<'s>(&'s self, winners: &[Placed<'s>]) -> Stock<'s> {
        let skus = || self.need.all.keys();
        winners
            .iter()
            .flat_map(|(_, it)| skus().zip(&it.available).map(|(sku, has)| (&it.location, sku, *has)))
            .collect()
    }

    fn draw(&self, winners: &[Placed<'_>]) -> Vec<Allocation> {
        let together = self.tier.split.keep_bundles_together;
        allot::draw(Terms { request: self.request, limits: &self.request.allowed, together }, self.stock(winners))
    }

    fn sourced(&self, how: How, tier: usize, winners: &[Placed<'_>], runner_up: Option<RunnerUp>) -> Outcome {
        let allocations = self.draw(winners);
        let missing = allot::missing(&self.need.all, &allocations);
        let how = if missing.is_empty() { how } else { How::Partial };
        Outcome::Sourced { how, tier, allocations, missing, runner_up }
    }

    fn runner_up(&self, best: &Key, second: Key, candidates: &[&Candidate]) -> RunnerUp {
        let locations: Vec<LocationCode> = candidates.iter().map(|it| it.location.clone()).collect();
        let (by, margin) = self.tier.apart(best, &second, self.request.to.is_some());
        RunnerUp { locations, margin, by }
    }
}

impl Tier {
    /// What first tells two keys apart, and by how much; nothing when only the code does. Where the destination has no
    /// coordinates, a distance is a priority.
    pub fn apart(&self, best: &Key, other: &Key, measured: bool) -> (Option<Sort>, i64) {
        let values = self.sort.iter().zip(best.iter().zip(other));
        let apart = values.map(|(sort, (best, other))| (*sort, other.saturating_sub(*best))).find(|(_, by)| *by != 0);
        match apart {
            Some((Sort::Distance, by)) if !measured => (Some(Sort::Priority), by),
            Some((sort, by)) => (Some(sort), by),
            None => (None, 0),
        }
    }
}
