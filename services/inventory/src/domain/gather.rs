//! Gathers the few locations a decision is made between: a bounded list that holds the winner, the runner-up and the
//! nearer ones that could not, out of thousands.
//!
//! The list is all that [`decide`](super::plan::decide) sees and all that is stored, so a stored decision can be made again.
//! Every choice it makes is one between the best of many, so leaving out those that are never best changes none, and a tier
//! decides the same whoever else is listed for another. What is dear to work out (a distance, when a location is ready) is
//! worked out only for those that may still win.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use contracts::events::FulfilmentKind;
use kernel::quantity::MAX_QUANTITY;
use kernel::{GeoPoint, SkuCode};

use super::atlas::{Shared, Site, Slot};
use super::decision::{Bar, Candidate, Decision, Outcome, Verdict};
use super::hours::Ready;
use super::plan::Snapshot;
use super::request::Request;
use super::ruleset::{Sort, Tier};
use super::shelf::Shelf;
use super::split::Key;
use super::tiers::{self, Facts, Need};

/// Nearer locations listed although they could not: enough to see why the store around the corner was passed over.
const PASSED_OVER: usize = 3;
/// Up to so many locations that could fill an order, measuring each is cheaper than walking the spatial index.
const MEASURED: usize = 64;

/// A shelf that so many times over has fewer balances than there are locations is rather empty.
const SPARSE: usize = 8;

/// The least value of a sort at a distance in metres.
type Least<'a> = &'a dyn Fn(i64) -> i64;

/// The candidates of a request, best placed first.
pub fn gather(request: &Request, snapshot: &Snapshot<'_>) -> Vec<Candidate> {
    let search = Search::new(request, snapshot);
    let slots = match request.kind {
        FulfilmentKind::Pickup => search.collected_at().into_iter().collect(),
        FulfilmentKind::Ship => search.shipping(),
    };
    search.candidates(&slots)
}

/// Of what waits by a decision, the SKUs that no location could ever give, whatever arrives there: none that takes part, from
/// which the channel may sell them, ships there by any tier, or hands them over where they are collected.
pub fn unfillable(decision: &Decision, snapshot: &Snapshot<'_>) -> Vec<SkuCode> {
    if decision.missing().is_empty() {
        return Vec::new();
    }
    let search = Search::new(&decision.request, snapshot);
    // Where nothing is promised all of it waits, not only what is missing.
    let waits = |sku: &SkuCode| match &decision.outcome {
        Outcome::Sourced { missing, .. } => missing.iter().any(|it| it.sku == *sku),
        Outcome::Backordered { .. } => true,
    };
    let needed = search.need.all.keys().zip(&search.reach);
    let never = needed.filter(|(sku, reach)| waits(sku) && !search.could_ever(**reach));
    never.map(|(sku, _)| sku.clone()).collect()
}

/// Every location as a candidate: what the list is short for.
#[cfg(test)]
pub(super) fn gather_all(request: &Request, snapshot: &Snapshot<'_>) -> Vec<Candidate> {
    Search::new(request, snapshot).candidates(&(0..snapshot.atlas.len()).collect())
}

struct Search<'a> {
    request: &'a Request,
    snapshot: &'a Snapshot<'a>,
    need: Need,
    /// The shelf of each needed SKU, in the order of the codes.
    shelves: Vec<Option<&'a Shelf>>,
    /// From where each may be sold; none means from everywhere.
    reach: Vec<Option<&'a BTreeSet<Slot>>>,
    excluded: BTreeSet<Slot>,
}

impl<'a> Search<'a> {
    fn new(request: &'a Request, snapshot: &'a Snapshot<'a>) -> Self {
        let need = Need::of(request);
        let reach = need.all.keys().map(|sku| snapshot.reach.get(sku).map(AsRef::as_ref)).collect();
        let shelves = need.all.keys().map(|sku| snapshot.shelves.get(sku)).collect();
        let excluded = request.excluded.iter().filter_map(|code| snapshot.atlas.slot(code.as_str())).collect();
        Self { request, snapshot, need, shelves, reach, excluded }
    }

    fn collected_at(&self) -> Option<Slot> {
        self.snapshot.atlas.slot(self.request.pickup.as_ref()?.as_str())
    }

    fn shipping(&self) -> BTreeSet<Slot> {
        let mut slots = BTreeSet::new();
        let tiers = tiers::of(self.request, self.snapshot.ruleset);
        let covering = self.covering(&self.need.units);
        for (place, (index, tier)) in tiers.iter().enumerate() {
            let need = self.need.in_tier(tier, self.request);
            let limited = *need != *self.need.units;
            let own = if limited { self.covering(need) } else { Vec::new() };
            let best = self.best_two(tier, if limited { &own } else { &covering });
            if best.is_empty() {
                slots.extend(self.parts(tier, need));
            } else {
                slots.extend(best);
                // Beyond the channel's share nothing is filled, whoever has it.
                if self.need.given == *need {
                    break;
                }
            }
            let is_last = place.saturating_add(1) == tiers.len();
            if !is_last && self.is_filled(&slots, *index) {
                break;
            }
        }
        match self.request.to {
            Some(to) => slots.extend(self.snapshot.atlas.nearest(to).map(|(_, slot)| slot).take(PASSED_OVER)),
            None => slots.extend(self.snapshot.atlas.by_priority().take(PASSED_OVER)),
        }
        slots.extend(self.collected_at());
        slots
    }

    /// Whether the tiers up to this one fill the request.
    fn is_filled(&self, slots: &BTreeSet<Slot>, last: usize) -> bool {
        let candidates = self.candidates(slots);
        let (outcome, _) = tiers::try_all(self.request, &self.need, &candidates, self.snapshot.ruleset);
        matches!(outcome, Outcome::Sourced { tier, .. } if tier <= last)
    }

    fn candidates(&self, slots: &BTreeSet<Slot>) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = slots.iter().filter_map(|slot| self.candidate(*slot)).collect();
        candidates.sort_by(|a, b| (a.place(), &a.location).cmp(&(b.place(), &b.location)));
        candidates
    }

    fn site(&self, slot: Slot) -> Option<&'a Site> {
        self.snapshot.atlas.site(slot)
    }

    /// Whether a location ships; where it is collected it need not.
    fn ships(&self, site: &Site) -> bool {
        site.ships || self.is_collected_at(site)
    }

    fn is_collected_at(&self, site: &Site) -> bool {
        self.request.pickup.as_ref() == Some(&site.code)
    }

    /// Whether any location could ever give what may be sold from there.
    fn could_ever(&self, reach: Option<&BTreeSet<Slot>>) -> bool {
        let tiers = tiers::of(self.request, self.snapshot.ruleset);
        let by_a_tier = |slot| tiers.iter().any(|(_, tier)| self.admits(tier, slot) && self.is_near(tier, slot));
        let mut there = (0..self.snapshot.atlas.len()).filter(|slot| reaches(reach, *slot));
        there.any(|slot| match (self.site(slot), self.request.kind) {
            (Some(site), FulfilmentKind::Pickup) => site.active && site.hands_over && self.is_collected_at(site),
            (Some(site), FulfilmentKind::Ship) => site.active && self.ships(site) && by_a_tier(slot),
            (None, _) => false,
        })
    }

    /// Whether a location may ship this at all.
    fn may_ship(&self, slot: Slot) -> bool {
        self.site(slot).is_some_and(|site| site.active && self.ships(site)) && !self.excluded.contains(&slot)
    }

    /// The locations that could ship everything. Where some shelf is rather empty, those on it are looked up on the others;
    /// else one pass over all shelves is cheaper.
    fn covering(&self, need: &[i64]) -> Vec<Slot> {
        let asked = need.iter().zip(&self.shelves).zip(&self.reach).filter(|((need, _), _)| **need > 0);
        let shelves: Option<Vec<(i64, &Shelf, Option<&BTreeSet<Slot>>)>> =
            asked.map(|((need, shelf), reach)| Some((*need, (*shelf)?, *reach))).collect();
        let Some(shelves) = shelves else { return Vec::new() };
        let Some((_, emptiest, _)) = shelves.iter().min_by_key(|(_, shelf, _)| shelf.len()) else { return Vec::new() };
        if emptiest.len().saturating_mul(SPARSE) < self.snapshot.atlas.len() {
            let has = |slot: Slot, (need, shelf, reach): &(i64, &Shelf, Option<&BTreeSet<Slot>>)| {
                shelf.available(slot).min(MAX_QUANTITY) >= *need && reaches(*reach, slot)
            };
            let found = emptiest.stocked().map(|(slot, _)| slot).filter(|slot| shelves.iter().all(|it| has(*slot, it)));
            return found.filter(|slot| self.may_ship(*slot)).collect();
        }
        let mut counts = vec![0_usize; self.snapshot.atlas.len()];
        for (need, shelf, reach) in &shelves {
            let enough = shelf.stocked().filter(|(slot, units)| units >= need && reaches(*reach, *slot));
            for (slot, _) in enough.filter(|_| *need <= MAX_QUANTITY) {
                if let Some(count) = counts.get_mut(slot) {
                    *count = count.saturating_add(1);
                }
            }
        }
        let found =
            counts.into_iter().enumerate().filter(|(slot, count)| *count == shelves.len() && self.may_ship(*slot));
        found.map(|(slot, _)| slot).collect()
    }

    fn best_two(&self, tier: &Tier, covering: &[Slot]) -> Vec<Slot> {
        let admitted: Vec<Slot> = covering.iter().copied().filter(|slot| self.admits(tier, *slot)).collect();
        self.best(tier, &admitted, 2)
    }

    /// The best of some locations, which are sorted by slot, and that many.
    fn best(&self, tier: &Tier, slots: &[Slot], count: usize) -> Vec<Slot> {
        let rules = self.snapshot.ruleset.rules();
        match (self.request.to, tier.sort.first()) {
            (Some(to), Some(Sort::Distance)) if slots.len() > MEASURED => self.walk(tier, slots, count, (to, &|it| it)),
            (Some(to), Some(Sort::Cost)) if slots.len() > MEASURED && rules.cost.per_kilometre > 0 => {
                self.walk(tier, slots, count, (to, &|metres| rules.least_cost(metres)))
            }
            _ => {
                let near = slots.iter().copied().filter(|slot| self.is_near(tier, *slot));
                let keyed = near.map(|slot| Reverse((self.key(tier, slot), slot)));
                let mut heap: BinaryHeap<Reverse<(Key, Slot)>> = keyed.collect();
                let ranked = std::iter::from_fn(|| heap.pop()).map(|Reverse((_, slot))| slot);
                ranked.filter(|slot| self.is_open(tier, *slot)).take(count).collect()
            }
        }
    }

    /// The same along the spatial index, nearest first, until no location farther away can be among the best: `least` is
    /// the least that the tier's first sort says of any location so far away.
    fn walk(&self, tier: &Tier, slots: &[Slot], count: usize, (to, least): (GeoPoint, Least<'_>)) -> Vec<Slot> {
        let mut found: Vec<(Key, Slot)> = Vec::new();
        for (metres, slot) in self.snapshot.atlas.nearest(to) {
            let last = found.last().filter(|_| found.len() >= count).copied();
            let beyond = last.is_some_and(|(key, _)| key.first().is_some_and(|worst| least(metres) > *worst));
            if beyond || tier.filters.too_far(Some(metres)) {
                break;
            }
            if slots.binary_search(&slot).is_err() {
                continue;
            }
            let keyed = (self.key(tier, slot), slot);
            if last.is_none_or(|last| keyed < last) && self.is_open(tier, slot) {
                let place = found.partition_point(|it| *it < keyed);
                found.insert(place, keyed);
                found.truncate(count);
            }
        }
        found.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Every candidate that a split of this order is made from, also the greedy one.
    fn parts(&self, tier: &Tier, need: &[i64]) -> BTreeSet<Slot> {
        let bounds = self.snapshot.ruleset.rules().candidates;
        let covered = self.covered(need);
        let useful: Vec<Slot> = covered.iter().map(|(_, slot)| *slot).filter(|slot| self.admits(tier, *slot)).collect();
        let parts = tier.parts_for(self.request);
        let mut slots = BTreeSet::new();
        if parts > 1 {
            slots.extend(self.best(tier, &useful, bounds.near));
            let beyond =
                covered.into_iter().filter(|(_, slot)| useful.binary_search(slot).is_ok() && !slots.contains(slot));
            slots.extend(self.fullest(tier, beyond.collect(), bounds.broad));
        }
        let mut rest = need.to_vec();
        let mut greedy: Vec<Slot> = Vec::new();
        for _ in 0..parts {
            let covered = self.covered(&rest);
            let left =
                covered.into_iter().filter(|(_, slot)| useful.binary_search(slot).is_ok() && !greedy.contains(slot));
            let Some(slot) = self.fullest(tier, left.collect(), 1).first().copied() else { break };
            for (rest, has) in rest.iter_mut().zip(self.units(slot, true)) {
                *rest = rest.saturating_sub(has).max(0);
            }
            greedy.push(slot);
        }
        slots.extend(greedy);
        slots
    }

    /// Locations that could ship some of the need, in the order of their slots: `(units, slot)`. One pass over the
    /// shelves, since looking each location up on each shelf costs ten times as much.
    fn covered(&self, need: &[i64]) -> Vec<(i64, Slot)> {
        let mut covered = vec![0_i64; self.snapshot.atlas.len()];
        for ((need, shelf), reach) in need.iter().zip(&self.shelves).zip(&self.reach) {
            for (slot, units) in shelf.iter().flat_map(|shelf| shelf.stocked()).filter(|_| *need > 0) {
                if let Some(sum) = covered.get_mut(slot).filter(|_| reaches(*reach, slot)) {
                    *sum = sum.saturating_add(units.min(MAX_QUANTITY).min(*need));
                }
            }
        }
        let found = covered.into_iter().enumerate().filter(|(slot, units)| *units > 0 && self.may_ship(*slot));
        found.map(|(slot, units)| (units, slot)).collect()
    }

    /// Those that cover most, ties by the tier's sort, that many.
    fn fullest(&self, tier: &Tier, mut covered: Vec<(i64, Slot)>, count: usize) -> Vec<Slot> {
        covered.sort_by_key(|(units, _)| Reverse(*units));
        let mut full = Vec::new();
        for tied in covered.chunk_by(|one, next| one.0 == next.0) {
            if full.len() >= count {
                break;
            }
            let slots: Vec<Slot> = tied.iter().map(|(_, slot)| *slot).collect();
            full.extend(self.best(tier, &slots, count.saturating_sub(full.len())));
        }
        full
    }

    /// Whether a tier's filters on what a location is let it in.
    fn admits(&self, tier: &Tier, slot: Slot) -> bool {
        self.site(slot).is_some_and(|site| {
            let facts = Facts {
                kind: site.kind,
                franchised: site.franchised,
                shared: self.shared(tier.filters.regions.is_some(), site),
                adcode: site.place.adcode.as_deref(),
                groups: &site.groups,
            };
            tier.filters.keep_out(facts).is_none()
        })
    }

    fn is_near(&self, tier: &Tier, slot: Slot) -> bool {
        tier.filters.max_distance_metres.is_none() || !tier.filters.too_far(self.metres(slot))
    }

    /// Whether a location is ready in time for a tier and has capacity left on that day.
    fn is_open(&self, tier: &Tier, slot: Slot) -> bool {
        let Some(site) = self.site(slot) else { return false };
        let in_time =
            tier.filters.ready_within_minutes.is_none() || !tier.filters.too_late(self.minutes(self.ready(site)));
        let full = || self.load(slot, site).is_some_and(|(orders, capacity)| orders >= capacity);
        in_time && !(self.snapshot.ruleset.rules().respect.capacity && full())
    }

    fn shared(&self, asked: bool, site: &Site) -> Option<Shared> {
        if asked { site.place.shared_with(&self.request.place) } else { None }
    }

    fn ready(&self, site: &Site) -> Ready {
        let now = self.snapshot.now;
        site.schedule.ready(now.at, now.zone, self.snapshot.ruleset.rules().respect)
    }

    /// The minutes until then, a begun one counted.
    fn minutes(&self, ready: Ready) -> i64 {
        let micros = ready.at.unix_micros().saturating_sub(self.snapshot.now.at.unix_micros());
        micros.saturating_add(59_999_999).checked_div(60_000_000).unwrap_or(0)
    }

    /// The orders on the day a location would be ready, and how many it can ship, where that matters.
    fn load(&self, slot: Slot, site: &Site) -> Option<(i64, i64)> {
        let capacity = i64::from(site.daily_capacity.filter(|_| self.snapshot.ruleset.asks_for_load())?);
        // What it hands over itself ships nowhere.
        (self.request.kind == FulfilmentKind::Ship && !self.is_collected_at(site))
            .then(|| (self.snapshot.loads.get(slot, self.ready(site).day), capacity))
    }

    fn metres(&self, slot: Slot) -> Option<i64> {
        Some(self.request.to?.distance_metres(self.site(slot)?.point))
    }

    /// As [`Candidate::key`], worked out from what the sorts ask for alone.
    fn key(&self, tier: &Tier, slot: Slot) -> Key {
        let Some(site) = self.site(slot) else { return [i64::MAX; 5] };
        tiers::key(&tier.sort, |sort| match sort {
            Sort::Distance => self.metres(slot).unwrap_or(i64::from(site.priority)),
            Sort::Priority => i64::from(site.priority),
            Sort::Stock => self.units(slot, true).into_iter().fold(0, i64::saturating_add).saturating_neg(),
            Sort::Cost => self.snapshot.ruleset.rules().parcel_cost(self.metres(slot), site.kind),
            Sort::Load => self.load(slot, site).map_or(0, |(orders, capacity)| tiers::load(orders, capacity)),
        })
    }

    /// What lies there of each needed SKU, within the channel's reach or beyond it.
    fn units(&self, slot: Slot, within: bool) -> Vec<i64> {
        // A quantity has a largest value; more than that cannot be promised in one go anyhow.
        let units = |shelf: Option<&Shelf>| shelf.map_or(0, |shelf| shelf.available(slot)).min(MAX_QUANTITY);
        let shelves = self.shelves.iter().zip(&self.reach);
        shelves.map(|(shelf, reach)| if reaches(*reach, slot) == within { units(*shelf) } else { 0 }).collect()
    }

    fn candidate(&self, slot: Slot) -> Option<Candidate> {
        let site = self.site(slot)?;
        let ruleset = self.snapshot.ruleset;
        let bar = match self.request.kind {
            _ if !site.active => Some(Bar::Inactive),
            FulfilmentKind::Ship if !self.ships(site) => Some(Bar::DoesNotShip),
            FulfilmentKind::Pickup if !site.hands_over => Some(Bar::NoPickup),
            FulfilmentKind::Ship | FulfilmentKind::Pickup => None,
        };
        let withheld = self.units(slot, false);
        let load = self.load(slot, site);
        let asks_ready = ruleset.asks_for_readiness() || load.is_some();
        Some(Candidate {
            location: site.code.clone(),
            metres: self.metres(slot),
            priority: site.priority,
            kind: site.kind,
            franchised: site.franchised,
            shared: self.shared(ruleset.compares_regions(), site),
            adcode: site.place.adcode.clone().filter(|_| ruleset.asks_for_divisions()),
            groups: site.groups.intersection(ruleset.groups()).cloned().collect(),
            ready_in: if asks_ready { self.minutes(self.ready(site)) } else { 0 },
            load: load.map(|(orders, _)| orders),
            capacity: load.map(|(_, capacity)| capacity),
            cost: None,
            available: self.units(slot, true),
            withheld: if withheld.iter().any(|units| *units > 0) { withheld } else { Vec::new() },
            bar,
            outside: BTreeMap::new(),
            verdict: Verdict::Short,
        })
    }
}

fn reaches(reach: Option<&BTreeSet<Slot>>, slot: Slot) -> bool {
    reach.is_none_or(|reach| reach.contains(&slot))
}
