//! The plan: which location ships what of an order, and why. Pure and deterministic bit for bit.
//!
//! In this order: a claimed hold that fits is taken as it is; a pickup stays at its location; the ruleset's tiers are tried
//! one after the other, and within a tier one location for the whole order beats a split; else the order waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use contracts::events::{Allocation, FulfilmentKind};
use kernel::{LocationCode, SkuCode, Timestamp};

use super::allot::{self, Terms};
use super::atlas::{Atlas, Slot};
use super::decision::{Bar, Candidate, Decision, How, Outcome, Verdict};
use super::gather::gather;
use super::load::Loads;
use super::request::Request;
use super::ruleset::Ruleset;
use super::shelf::Shelves;
use super::split;
use super::tiers::{self, Need};

/// The pool at the moment of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The rules in force.
    pub ruleset: &'a Ruleset,
    /// Every location.
    pub atlas: &'a Atlas,
    /// What they can promise.
    pub shelves: &'a Shelves,
    /// From where the order's channel may sell a SKU; one that is not named may be sold from everywhere.
    pub reach: &'a Reach,
    /// How many orders they have on which day.
    pub loads: &'a Loads,
    /// The moment, and the time zone of locations that name none.
    pub now: Moment,
}

/// An instant, and the retailer's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// The time zone.
    pub zone: Tz,
}

/// From where a channel may sell SKUs; what is not named it may sell from everywhere.
pub type Reach = BTreeMap<SkuCode, Arc<BTreeSet<Slot>>>;

impl Decision {
    /// The same decision made again from what it was made from, by the ruleset it names.
    #[must_use]
    pub fn again(self, ruleset: &Ruleset) -> Self {
        let unfillable = self.unfillable;
        Self { unfillable, ..decide(self.request, self.candidates, ruleset, self.at) }
    }
}

/// Plans a request on a snapshot of the pool.
pub fn plan(request: Request, snapshot: &Snapshot<'_>) -> Decision {
    let candidates = if claimed(&request).is_some() { Vec::new() } else { gather(&request, snapshot) };
    decide(request, candidates, snapshot.ruleset, snapshot.now.at)
}

/// Decides between candidates, which are sorted by place and code.
pub fn decide(request: Request, mut candidates: Vec<Candidate>, ruleset: &Ruleset, at: Timestamp) -> Decision {
    let need = Need::of(&request);
    for candidate in &mut candidates {
        judge(candidate, &request, ruleset);
    }
    let (outcome, tried) = match claimed(&request) {
        Some(allocations) => {
            let missing = Vec::new();
            (Outcome::Sourced { how: How::Claimed, tier: 0, allocations, missing, runner_up: None }, 0)
        }
        None => tiers::try_all(&request, &need, &candidates, ruleset),
    };
    for candidate in &mut candidates {
        let tried = tiers::of(&request, ruleset).into_iter().take(tried);
        candidate.outside =
            tried.clone().filter_map(|(index, tier)| Some((index, tier.keeps_out(candidate)?))).collect();
        candidate.verdict = verdict(candidate, &request, &need.units, &outcome, tried.count());
    }
    Decision { ruleset: ruleset.id().clone(), at, request, candidates, outcome, unfillable: Vec::new() }
}

/// Notes what follows from a candidate's own values.
fn judge(candidate: &mut Candidate, request: &Request, ruleset: &Ruleset) {
    let rules = ruleset.rules();
    candidate.cost = rules.has_cost().then(|| rules.parcel_cost(candidate.metres, candidate.kind));
    if matches!(candidate.bar, None | Some(Bar::Full)) {
        let counts = rules.respect.capacity && request.kind == FulfilmentKind::Ship;
        let full = candidate.load.zip(candidate.capacity).is_some_and(|(orders, capacity)| orders >= capacity);
        candidate.bar = (counts && full).then_some(Bar::Full);
    }
}

fn verdict(candidate: &Candidate, request: &Request, need: &[i64], outcome: &Outcome, tried: usize) -> Verdict {
    let (chosen, out): (&[Allocation], bool) = match outcome {
        Outcome::Sourced { allocations, tier, .. } => (allocations, candidate.outside.contains_key(tier)),
        Outcome::Backordered { .. } => (&[], candidate.outside.len() == tried),
    };
    if request.excluded.contains(&candidate.location) {
        Verdict::Rejected
    } else if candidate.bar.is_some() {
        Verdict::Barred
    } else if chosen.iter().any(|allocation| allocation.location == candidate.location) {
        Verdict::Chosen
    } else if out {
        Verdict::Outside
    } else if candidate.covers(need) && !chosen.is_empty() {
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
    Some(allot::draw(Terms { request, limits: &BTreeMap::new(), together: false }, stock))
}
