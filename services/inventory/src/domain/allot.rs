//! Shares what is asked for out to the chosen locations, the best placed first.

use std::collections::BTreeMap;

use contracts::events::{Allocation, BackorderedSku};
use kernel::quantity::MAX_QUANTITY;
use kernel::{LocationCode, Quantity, SkuCode};

use super::request::{Demand, Line, Request};

/// Placements tried until bundles are taken to fit nowhere: far more than an order of a few bundles needs.
const MAX_STEPS: u32 = 2_000;

/// Units of a SKU at a location, the best placed location first.
pub type Stock<'a> = Vec<(&'a LocationCode, &'a SkuCode, i64)>;

/// What is shared out, and under which conditions.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What is asked for.
    pub request: &'a Request,
    /// The most units of a SKU that may be given; what is not named is not limited.
    pub limits: &'a BTreeMap<SkuCode, i64>,
    /// Whether the parts of a bundle line stay at one location.
    pub together: bool,
}

/// Draws every line's demands from the stock, as far as it goes.
pub fn draw(terms: Terms<'_>, mut stock: Stock<'_>) -> Vec<Allocation> {
    let lines = &terms.request.lines;
    let mut limits: BTreeMap<&SkuCode, i64> = terms.limits.iter().map(|(sku, most)| (sku, (*most).max(0))).collect();
    let mut allocations: Vec<(usize, Allocation)> = Vec::new();
    let bundles: Vec<(usize, &Line)> =
        lines.iter().enumerate().filter(|(_, line)| terms.together && !line.parts.is_empty()).collect();
    let placed = place(&bundles, &stock).unwrap_or_default();
    for (index, line) in &bundles {
        let demands = joined(line);
        let within = |demand: &Demand| limits.get(&demand.sku).is_none_or(|most| *most >= demand.units);
        let place = placed.get(index).copied().or_else(|| first_fit(&demands, &stock));
        let Some(location) = place.filter(|_| demands.iter().all(within)) else { continue };
        for demand in &demands {
            let mut from: Vec<_> = stock.iter_mut().filter(|(at, ..)| *at == location).collect();
            take(&mut allocations, *index, demand, &mut limits, &mut from);
        }
    }
    let mut from: Vec<_> = stock.iter_mut().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !terms.together || line.parts.is_empty()) {
        for demand in line.demands() {
            take(&mut allocations, index, &demand, &mut limits, &mut from);
        }
    }
    allocations.sort_by_key(|(index, _)| *index);
    allocations.into_iter().map(|(_, allocation)| allocation).collect()
}

/// Whether every bundle line finds a location that has all of its parts, next to the other bundle lines.
pub fn bundles_fit(request: &Request, stock: &Stock<'_>) -> bool {
    let bundles: Vec<(usize, &Line)> =
        request.lines.iter().enumerate().filter(|(_, line)| !line.parts.is_empty()).collect();
    place(&bundles, stock).is_some()
}

/// What of the needs was not allocated.
pub fn missing(needs: &BTreeMap<SkuCode, i64>, allocations: &[Allocation]) -> Vec<BackorderedSku> {
    let mut rest = needs.clone();
    for it in allocations {
        if let Some(units) = rest.get_mut(&it.sku) {
            *units = units.saturating_sub(it.quantity.get());
        }
    }
    short(&rest)
}

/// The SKUs of which there are units left.
pub fn short(rest: &BTreeMap<SkuCode, i64>) -> Vec<BackorderedSku> {
    let short = rest.iter().filter_map(|(sku, units)| Some((sku, quantity(*units)?)));
    short.map(|(sku, missing)| BackorderedSku { sku: sku.clone(), missing }).collect()
}

/// A bundle line's demands, a SKU that stands in it twice summed up.
fn joined(line: &Line) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    for demand in line.demands() {
        match demands.iter_mut().find(|it| it.sku == demand.sku) {
            Some(known) => known.units = known.units.saturating_add(demand.units),
            None => demands.push(demand),
        }
    }
    demands
}

/// A location for each bundle line, by the first that works; none when there is no such placement.
fn place<'a>(bundles: &[(usize, &Line)], stock: &Stock<'a>) -> Option<BTreeMap<usize, &'a LocationCode>> {
    let mut search = Placement { stock: stock.clone(), placed: BTreeMap::new(), steps: MAX_STEPS };
    search.descend(bundles).then_some(search.placed)
}

struct Placement<'a> {
    stock: Stock<'a>,
    placed: BTreeMap<usize, &'a LocationCode>,
    steps: u32,
}

impl<'a> Placement<'a> {
    fn descend(&mut self, bundles: &[(usize, &Line)]) -> bool {
        let Some(((index, line), others)) = bundles.split_first() else { return true };
        let demands = joined(line);
        let mut locations: Vec<&'a LocationCode> = self.stock.iter().map(|(location, ..)| *location).collect();
        locations.dedup();
        for location in locations {
            let Some(steps) = self.steps.checked_sub(1) else { return false };
            self.steps = steps;
            if !has_all(&demands, location, &self.stock) {
                continue;
            }
            self.change(&demands, location, i64::saturating_sub);
            self.placed.insert(*index, location);
            if self.descend(others) {
                return true;
            }
            self.change(&demands, location, i64::saturating_add);
        }
        false
    }

    fn change(&mut self, demands: &[Demand], location: &LocationCode, by: fn(i64, i64) -> i64) {
        for (at, sku, has) in &mut self.stock {
            if let Some(demand) = demands.iter().find(|it| *at == location && it.sku == **sku) {
                *has = by(*has, demand.units);
            }
        }
    }
}

fn has_all(demands: &[Demand], location: &LocationCode, stock: &Stock<'_>) -> bool {
    demands
        .iter()
        .all(|demand| stock.iter().any(|(at, sku, has)| *at == location && **sku == demand.sku && *has >= demand.units))
}

fn first_fit<'a>(demands: &[Demand], stock: &Stock<'a>) -> Option<&'a LocationCode> {
    stock.iter().map(|(location, ..)| *location).find(|location| has_all(demands, location, stock))
}

/// Takes a demand from the stock it may come from, within its SKU's limit.
fn take(
    allocations: &mut Vec<(usize, Allocation)>,
    line: usize,
    demand: &Demand,
    limits: &mut BTreeMap<&SkuCode, i64>,
    from: &mut [&mut (&LocationCode, &SkuCode, i64)],
) {
    let mut rest = limits.get(&demand.sku).map_or(demand.units, |most| demand.units.min(*most));
    for (location, sku, has) in from.iter_mut().map(|it| &mut **it) {
        let Some(quantity) = quantity(rest.min(*has)).filter(|_| **sku == demand.sku) else { continue };
        let units = quantity.get();
        *has = has.saturating_sub(units);
        rest = rest.saturating_sub(units);
        if let Some(most) = limits.get_mut(&demand.sku) {
            *most = most.saturating_sub(units);
        }
        let (sku, location) = ((*sku).clone(), (*location).clone());
        merge(allocations, line, Allocation { line_no: demand.line_no, sku, location, quantity });
    }
}

/// One allocation per line, SKU and location, also where a bundle names a part twice.
fn merge(allocations: &mut Vec<(usize, Allocation)>, line: usize, new: Allocation) {
    let same = |(_, it): &&mut (usize, Allocation)| {
        it.line_no == new.line_no && it.sku == new.sku && it.location == new.location
    };
    match allocations.iter_mut().rev().find(same) {
        Some((_, known)) => {
            let sum = known.quantity.get().saturating_add(new.quantity.get());
            known.quantity = quantity(sum).unwrap_or(known.quantity);
        }
        None => allocations.push((line, new)),
    }
}

fn quantity(units: i64) -> Option<Quantity> {
    Quantity::try_from(units.min(MAX_QUANTITY)).ok()
}
