//! The plan: which location ships what of an order, and why. Pure and deterministic bit for bit.
//!
//! Rules, in this order: a claimed hold that fits is taken as it is; a pickup stays at its location; one location for
//! the whole order beats a split; the nearest by great circle wins, ties by code; without a destination the location's
//! priority decides, then its code; a split has the fewest parts, then the least total distance; else the order waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::events::{Allocation, BackorderedSku};
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, Quantity, SkuCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::atlas::{Atlas, Slot};
use super::gather::gather;
use super::request::Request;
use super::shelf::Shelves;
use super::split::{self, Offer};

/// The numbers of the rules; a decision carries the ones it was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruleset {
    /// Its version.
    pub version: i32,
    /// Into how many parcels' worth of locations an order may be split.
    pub max_parts: usize,
    /// How many of the nearest candidates the exact search for a split looks at…
    pub near: usize,
    /// …and how many of the best stocked beyond those.
    pub broad: usize,
}

/// The pool at the moment of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// Every location.
    pub atlas: &'a Atlas,
    /// What they can promise.
    pub shelves: &'a Shelves,
    /// From where the order's channel may sell a SKU; one that is not named may be sold from everywhere.
    pub reach: &'a Reach,
}

/// From where a channel may sell SKUs; what is not named it may sell from everywhere.
pub type Reach = BTreeMap<SkuCode, Arc<BTreeSet<Slot>>>;

/// A location that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The location.
    pub location: LocationCode,
    /// How far it is from the destination, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metres: Option<i64>,
    /// Its priority.
    pub priority: i32,
    /// What it could promise of each needed SKU, in the order of the SKUs' codes.
    pub available: Vec<i64>,
    /// Units beyond those that lie there, but not for this channel; empty when there are none of any SKU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<i64>,
    /// What keeps it out, whatever it has in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<Bar>,
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
}

/// What would have come second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// Its locations.
    pub locations: Vec<LocationCode>,
    /// By how much it is behind: metres, or steps of priority where no destination is known.
    pub margin: i64,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every unit has a location.
    Sourced {
        /// How it was found.
        how: How,
        /// Which location ships what.
        allocations: Vec<Allocation>,
        /// The next best.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner_up: Option<RunnerUp>,
    },
    /// No plan fills it; nothing is promised.
    Backordered {
        /// What is missing even of the best plan.
        missing: Vec<BackorderedSku>,
    },
}

/// A decision with everything it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The rules in force.
    pub ruleset: Ruleset,
    /// What was asked.
    pub request: Request,
    /// What was looked at, best placed first.
    pub candidates: Vec<Candidate>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Candidate {
    /// What the candidates are ordered by: the distance, or the priority where no destination is known.
    pub fn cost(&self) -> i64 {
        self.metres.unwrap_or(i64::from(self.priority))
    }
}

impl Decision {
    /// The same decision made again from what it was made from.
    #[must_use]
    pub fn again(self) -> Self {
        decide(self.request, self.candidates, self.ruleset)
    }

    /// Whether its units are still to be promised; those of a claimed hold are already.
    pub const fn takes_stock(&self) -> bool {
        matches!(&self.outcome, Outcome::Sourced { how: How::Whole | How::Split | How::Greedy, .. })
    }

    /// Which location ships what; nothing for a backorder.
    pub fn allocations(&self) -> &[Allocation] {
        match &self.outcome {
            Outcome::Sourced { allocations, .. } => allocations,
            Outcome::Backordered { .. } => &[],
        }
    }
}

/// Plans a request on a snapshot of the pool.
pub fn plan(request: Request, snapshot: &Snapshot<'_>, rules: Ruleset) -> Decision {
    let candidates = if claimed(&request).is_some() { Vec::new() } else { gather(&request, snapshot, &rules) };
    decide(request, candidates, rules)
}

/// Decides between candidates, which are sorted by cost and code.
pub fn decide(request: Request, mut candidates: Vec<Candidate>, rules: Ruleset) -> Decision {
    let needs = request.needs();
    let need: Vec<i64> = needs.values().copied().collect();
    let outcome = if let Some(allocations) = claimed(&request) {
        Outcome::Sourced { how: How::Claimed, allocations, runner_up: None }
    } else {
        choose(&request, &candidates, &needs, rules)
    };
    let chosen = match &outcome {
        Outcome::Sourced { allocations, .. } => allocations.as_slice(),
        Outcome::Backordered { .. } => &[],
    };
    for candidate in &mut candidates {
        candidate.verdict = verdict(candidate, &request, &need, chosen);
    }
    Decision { ruleset: rules, request, candidates, outcome }
}

fn choose(request: &Request, candidates: &[Candidate], needs: &BTreeMap<SkuCode, i64>, rules: Ruleset) -> Outcome {
    let need: Vec<i64> = needs.values().copied().collect();
    let beyond: Vec<i64> = needs
        .iter()
        .map(|(sku, units)| request.allowed.get(sku).map_or(0, |most| units.saturating_sub((*most).max(0))))
        .collect();
    if beyond.iter().any(|units| *units > 0) {
        return Outcome::Backordered { missing: missing(needs, &beyond) };
    }
    let eligible: Vec<&Candidate> = candidates.iter().filter(|candidate| is_eligible(candidate, request)).collect();
    let mut whole = eligible.iter().copied().filter(|candidate| covers(candidate, &need));
    if let Some(winner) = whole.next() {
        let runner_up = whole.next().map(|second| RunnerUp {
            locations: vec![second.location.clone()],
            margin: second.cost().saturating_sub(winner.cost()),
        });
        let allocations = share(request, needs, &[winner]);
        return Outcome::Sourced { how: How::Whole, allocations, runner_up };
    }
    let offers: Vec<Offer> = eligible
        .iter()
        .map(|candidate| Offer { cost: candidate.cost(), available: candidate.available.clone() })
        .collect();
    let shortlist = split::shortlist(&offers, &need, rules.near, rules.broad);
    let listed: Vec<Offer> = shortlist.iter().filter_map(|index| offers.get(*index).cloned()).collect();
    let named = |set: &[usize]| -> Vec<&Candidate> {
        let indexes = set.iter().filter_map(|index| shortlist.get(*index));
        indexes.filter_map(|index| eligible.get(*index).copied()).collect()
    };
    if let Some(best) = split::exact(&listed, &need, rules.max_parts) {
        let runner_up = best.second.map(|(set, cost)| RunnerUp {
            locations: named(&set).into_iter().map(|candidate| candidate.location.clone()).collect(),
            margin: cost.saturating_sub(best.cost),
        });
        return Outcome::Sourced { how: How::Split, allocations: share(request, needs, &named(&best.set)), runner_up };
    }
    let (mut set, rest) = split::greedy(&offers, &need, rules.max_parts);
    if rest.iter().all(|units| *units <= 0) {
        set.sort_unstable();
        let winners: Vec<&Candidate> = set.iter().filter_map(|index| eligible.get(*index).copied()).collect();
        return Outcome::Sourced { how: How::Greedy, allocations: share(request, needs, &winners), runner_up: None };
    }
    Outcome::Backordered { missing: missing(needs, &rest) }
}

fn is_eligible(candidate: &Candidate, request: &Request) -> bool {
    candidate.bar.is_none() && !request.excluded.contains(&candidate.location)
}

fn covers(candidate: &Candidate, need: &[i64]) -> bool {
    candidate.available.iter().zip(need).all(|(has, need)| has >= need)
}

fn verdict(candidate: &Candidate, request: &Request, need: &[i64], chosen: &[Allocation]) -> Verdict {
    if request.excluded.contains(&candidate.location) {
        Verdict::Rejected
    } else if candidate.bar.is_some() {
        Verdict::Barred
    } else if chosen.iter().any(|allocation| allocation.location == candidate.location) {
        Verdict::Chosen
    } else if covers(candidate, need) {
        Verdict::Behind
    } else if is_split(chosen) && split::coverage(&candidate.available, need) > 0 {
        Verdict::NotNeeded
    } else {
        Verdict::Short
    }
}

fn is_split(chosen: &[Allocation]) -> bool {
    chosen.iter().zip(chosen.iter().skip(1)).any(|(one, next)| one.location != next.location)
}

/// Whether an order's claim fits it, so that what is held is taken as it is.
pub fn claim_fits(request: &Request) -> bool {
    claimed(request).is_some()
}

/// The allocations of a claim that covers the request exactly, SKU by SKU, where it is to be fulfilled.
fn claimed(request: &Request) -> Option<Vec<Allocation>> {
    let claim = request.claim.as_ref()?;
    let mut held: BTreeMap<SkuCode, i64> = BTreeMap::new();
    for line in &claim.lines {
        let units = held.entry(line.sku.clone()).or_default();
        *units = units.saturating_add(line.quantity);
    }
    let elsewhere = |location: &LocationCode| request.pickup.as_ref().is_some_and(|pickup| pickup != location);
    if held != request.needs() || claim.lines.iter().any(|line| elsewhere(&line.location)) {
        return None;
    }
    let stock = claim.lines.iter().map(|line| (&line.location, &line.sku, line.quantity)).collect();
    Some(draw(request, stock))
}

/// Shares the demands out to the chosen locations, the best placed first.
fn share(request: &Request, needs: &BTreeMap<SkuCode, i64>, winners: &[&Candidate]) -> Vec<Allocation> {
    let stock = winners
        .iter()
        .flat_map(|winner| needs.keys().zip(&winner.available).map(|(sku, has)| (&winner.location, sku, *has)))
        .collect();
    draw(request, stock)
}

fn draw(request: &Request, mut stock: Vec<(&LocationCode, &SkuCode, i64)>) -> Vec<Allocation> {
    let mut allocations = Vec::new();
    for demand in request.demands() {
        let mut rest = demand.units;
        for (location, sku, has) in &mut stock {
            let units = rest.min(*has);
            if **sku != demand.sku || units <= 0 {
                continue;
            }
            *has = has.saturating_sub(units);
            rest = rest.saturating_sub(units);
            merge(&mut allocations, demand.line_no, sku, location, units);
        }
    }
    allocations
}

/// One allocation per line, SKU and location, also where a bundle names a part twice.
fn merge(allocations: &mut Vec<Allocation>, line_no: i32, sku: &SkuCode, location: &LocationCode, units: i64) {
    let same = |it: &&mut Allocation| it.line_no == line_no && it.sku == *sku && it.location == *location;
    if let Some(known) = allocations.iter_mut().rev().find(same) {
        known.quantity = quantity(known.quantity.get().saturating_add(units)).unwrap_or(known.quantity);
    } else if let Some(quantity) = quantity(units) {
        allocations.push(Allocation { line_no, sku: sku.clone(), location: location.clone(), quantity });
    }
}

fn quantity(units: i64) -> Option<Quantity> {
    Quantity::try_from(units.min(MAX_QUANTITY)).ok()
}

fn missing(needs: &BTreeMap<SkuCode, i64>, rest: &[i64]) -> Vec<BackorderedSku> {
    let short = needs.keys().zip(rest).filter_map(|(sku, units)| Some((sku, quantity(*units)?)));
    short.map(|(sku, missing)| BackorderedSku { sku: sku.clone(), missing }).collect()
}
