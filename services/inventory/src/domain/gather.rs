//! Gathers the few locations a decision is made between: a bounded list that holds the winner, the runner-up and the
//! nearer ones that could not, out of thousands.
//!
//! The list is all that [`decide`](super::plan::decide) sees and all that is stored, so a stored decision can be made again.

use std::collections::BTreeSet;

use contracts::events::FulfilmentKind;
use kernel::quantity::MAX_QUANTITY;

use super::atlas::Slot;
use super::plan::{Bar, Candidate, Ruleset, Snapshot, Verdict};
use super::request::Request;
use super::shelf::Shelf;
use super::split::{self, Offer};

/// Nearer locations listed although they could not: enough to see why the store around the corner was passed over.
const PASSED_OVER: usize = 3;
/// Up to so many locations that could fill an order, measuring each is cheaper than walking the spatial index.
const MEASURED: usize = 64;

/// The candidates of a request, best placed first.
pub fn gather(request: &Request, snapshot: &Snapshot<'_>, rules: &Ruleset) -> Vec<Candidate> {
    let search = Search::new(request, snapshot);
    let slots = match request.kind {
        FulfilmentKind::Pickup => request.pickup.iter().filter_map(|code| snapshot.atlas.slot(code.as_str())).collect(),
        FulfilmentKind::Ship => search.shipping(rules),
    };
    let mut candidates: Vec<Candidate> = slots.into_iter().filter_map(|slot| search.candidate(slot)).collect();
    candidates.sort_by(|a, b| (a.cost(), &a.location).cmp(&(b.cost(), &b.location)));
    candidates
}

struct Search<'a> {
    request: &'a Request,
    snapshot: &'a Snapshot<'a>,
    /// Of each needed SKU, in the order of the codes: the units needed and the shelf.
    needs: Vec<(i64, Option<&'a Shelf>)>,
    /// From where each may be sold; none means from everywhere.
    reach: Vec<Option<&'a BTreeSet<Slot>>>,
    excluded: BTreeSet<Slot>,
}

impl<'a> Search<'a> {
    fn new(request: &'a Request, snapshot: &'a Snapshot<'a>) -> Self {
        let skus = request.needs();
        let reach = skus.keys().map(|sku| snapshot.reach.get(sku).map(AsRef::as_ref)).collect();
        let needs = skus.into_iter().map(|(sku, units)| (units, snapshot.shelves.get(&sku))).collect();
        let excluded = request.excluded.iter().filter_map(|code| snapshot.atlas.slot(code.as_str())).collect();
        Self { request, snapshot, needs, reach, excluded }
    }

    fn shipping(&self, rules: &Ruleset) -> BTreeSet<Slot> {
        let covering = self.covering();
        let mut slots: BTreeSet<Slot> =
            if covering.is_empty() { self.parts(rules) } else { self.best_two(&covering).into_iter().collect() };
        match self.request.to {
            Some(to) => slots.extend(self.snapshot.atlas.nearest(to).map(|(_, slot)| slot).take(PASSED_OVER)),
            None => slots.extend(self.snapshot.atlas.by_priority().take(PASSED_OVER)),
        }
        slots
    }

    /// Whether a location may ship this at all.
    fn may_ship(&self, slot: Slot) -> bool {
        self.snapshot.atlas.site(slot).is_some_and(|site| site.active && site.ships) && !self.excluded.contains(&slot)
    }

    /// The locations that could ship everything: those on the emptiest shelf that are well enough stocked on each.
    fn covering(&self) -> Vec<Slot> {
        let shelves: Option<Vec<(i64, &Shelf)>> =
            self.needs.iter().map(|(need, shelf)| Some((*need, (*shelf)?))).collect();
        let Some(shelves) = shelves else { return Vec::new() };
        let Some((_, emptiest)) = shelves.iter().min_by_key(|(_, shelf)| shelf.len()) else { return Vec::new() };
        emptiest
            .stocked()
            .map(|(slot, _)| slot)
            .filter(|slot| shelves.iter().all(|(need, shelf)| shelf.available(*slot).min(MAX_QUANTITY) >= *need))
            .filter(|slot| self.may_ship(*slot) && self.reach.iter().all(|reach| reaches(*reach, *slot)))
            .collect()
    }

    fn best_two(&self, covering: &[Slot]) -> Vec<Slot> {
        match self.request.to {
            Some(to) if covering.len() > MEASURED => {
                let atlas = self.snapshot.atlas;
                let nearest = atlas.nearest(to).map(|(_, slot)| slot);
                nearest.filter(|slot| covering.binary_search(slot).is_ok()).take(2).collect()
            }
            _ => {
                let mut ranked: Vec<(i64, Slot)> = covering.iter().map(|slot| (self.cost(*slot), *slot)).collect();
                ranked.sort_unstable();
                ranked.into_iter().take(2).map(|(_, slot)| slot).collect()
            }
        }
    }

    /// Every candidate that a split of this order is made from, also the greedy one.
    fn parts(&self, rules: &Ruleset) -> BTreeSet<Slot> {
        let stocked: BTreeSet<Slot> = self
            .needs
            .iter()
            .filter_map(|(_, shelf)| *shelf)
            .flat_map(Shelf::stocked)
            .map(|(slot, _)| slot)
            .filter(|slot| self.may_ship(*slot))
            .collect();
        let mut ranked: Vec<(i64, Slot)> = stocked.into_iter().map(|slot| (self.cost(slot), slot)).collect();
        ranked.sort_unstable();
        let offers: Vec<Offer> =
            ranked.iter().map(|(cost, slot)| Offer { cost: *cost, available: self.available(*slot) }).collect();
        let need: Vec<i64> = self.needs.iter().map(|(need, _)| *need).collect();
        let shortlist = split::shortlist(&offers, &need, rules.near, rules.broad);
        let (greedy, _) = split::greedy(&offers, &need, rules.max_parts);
        shortlist.into_iter().chain(greedy).filter_map(|index| ranked.get(index)).map(|(_, slot)| *slot).collect()
    }

    fn metres(&self, slot: Slot) -> Option<i64> {
        Some(self.request.to?.distance_metres(self.snapshot.atlas.site(slot)?.point))
    }

    fn cost(&self, slot: Slot) -> i64 {
        let priority = || self.snapshot.atlas.site(slot).map(|site| i64::from(site.priority));
        self.metres(slot).or_else(priority).unwrap_or(i64::MAX)
    }

    fn available(&self, slot: Slot) -> Vec<i64> {
        self.units(slot, true)
    }

    /// What lies there of each needed SKU, within the channel's reach or beyond it.
    fn units(&self, slot: Slot, within: bool) -> Vec<i64> {
        // A quantity has a largest value; more than that cannot be promised in one go anyhow.
        let units = |shelf: Option<&Shelf>| shelf.map_or(0, |shelf| shelf.available(slot)).min(MAX_QUANTITY);
        let needs = self.needs.iter().zip(&self.reach);
        needs.map(|((_, shelf), reach)| if reaches(*reach, slot) == within { units(*shelf) } else { 0 }).collect()
    }

    fn candidate(&self, slot: Slot) -> Option<Candidate> {
        let site = self.snapshot.atlas.site(slot)?;
        let bar = match self.request.kind {
            _ if !site.active => Some(Bar::Inactive),
            FulfilmentKind::Ship if !site.ships => Some(Bar::DoesNotShip),
            FulfilmentKind::Pickup if !site.hands_over => Some(Bar::NoPickup),
            FulfilmentKind::Ship | FulfilmentKind::Pickup => None,
        };
        let withheld = self.units(slot, false);
        Some(Candidate {
            location: site.code.clone(),
            metres: self.metres(slot),
            priority: site.priority,
            available: self.available(slot),
            withheld: if withheld.iter().any(|units| *units > 0) { withheld } else { Vec::new() },
            bar,
            verdict: Verdict::Short,
        })
    }
}

fn reaches(reach: Option<&BTreeSet<Slot>>, slot: Slot) -> bool {
    reach.is_none_or(|reach| reach.contains(&slot))
}
