//! Which fulfilment orders cover which units of an order, and what follows from that: what a late sourcing answer may
//! still place, where cancelled units come off, and where the whole order stands.

use std::collections::{BTreeMap, HashMap};

use contracts::events::{Allocation, FulfilmentLine};
use kernel::id::FulfilmentId;
use kernel::{LocationCode, Quantity, SkuCode};

use super::line::Line;
use super::state::{FulfilmentStatus, OrderStatus};

/// A fulfilment order, as far as covering goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its id.
    pub id: FulfilmentId,
    /// The sourcing attempt that made it: newer ones have greater numbers.
    pub attempt: i32,
    /// Who has it.
    pub location: LocationCode,
    /// Where it stands.
    pub status: FulfilmentStatus,
    /// What is in it.
    pub lines: Vec<FulfilmentLine>,
}

type Units<'a> = HashMap<(i32, &'a SkuCode), i64>;

fn count<'a>(pieces: &'a [Piece], counts: impl Fn(FulfilmentStatus) -> bool) -> Units<'a> {
    let mut units = Units::new();
    for line in pieces.iter().filter(|piece| counts(piece.status)).flat_map(|piece| &piece.lines) {
        let sum = units.entry((line.line_no, &line.sku)).or_default();
        *sum = sum.saturating_add(line.quantity.get());
    }
    units
}

/// The units of each line and part that no fulfilment order covers; only those above zero.
fn uncovered<'a>(lines: &'a [Line], pieces: &'a [Piece]) -> Units<'a> {
    let covered = count(pieces, FulfilmentStatus::covers);
    let mut missing = Units::new();
    for line in lines {
        for (sku, per) in line.parts() {
            let wanted = line.live().saturating_mul(per);
            let left = wanted.saturating_sub(covered.get(&(line.line_no, sku)).copied().unwrap_or_default());
            if left > 0 {
                missing.insert((line.line_no, sku), left);
            }
        }
    }
    missing
}

/// Whether every wanted unit is covered.
pub fn is_covered(lines: &[Line], pieces: &[Piece]) -> bool {
    uncovered(lines, pieces).is_empty()
}

/// The wanted units that no fulfilment order covers, in the order of line and part.
pub fn missing(lines: &[Line], pieces: &[Piece]) -> Vec<FulfilmentLine> {
    let mut missing: Vec<_> = uncovered(lines, pieces).into_iter().collect();
    missing.sort_unstable();
    let line = |((line_no, sku), units): ((i32, &SkuCode), i64)| {
        Some(FulfilmentLine { line_no, sku: sku.clone(), quantity: Quantity::try_from(units).ok()? })
    };
    missing.into_iter().filter_map(line).collect()
}

/// The fulfilment orders to make from a sourcing answer: one per location.
///
/// Units that were cancelled while the answer was on its way are left out, at the highest location code first: the
/// inventory gives back the same ones when it hears of the cancellation.
pub fn admit(
    lines: &[Line],
    pieces: &[Piece],
    allocations: &[Allocation],
) -> BTreeMap<LocationCode, Vec<FulfilmentLine>> {
    let mut wanted = uncovered(lines, pieces);
    let mut sorted: Vec<&Allocation> = allocations.iter().collect();
    sorted.sort_by(|a, b| (&a.location, a.line_no, &a.sku).cmp(&(&b.location, b.line_no, &b.sku)));
    let mut offers: BTreeMap<LocationCode, Vec<FulfilmentLine>> = BTreeMap::new();
    for allocation in sorted {
        let Some(left) = wanted.get_mut(&(allocation.line_no, &allocation.sku)) else { continue };
        let units = allocation.quantity.get().min(*left);
        *left = left.saturating_sub(units);
        if let Ok(quantity) = Quantity::try_from(units) {
            push(offers.entry(allocation.location.clone()).or_default(), allocation.line_no, &allocation.sku, quantity);
        }
    }
    offers
}

/// The fulfilment orders of a sourcing answer that is taken as it is: one per location.
pub fn group(allocations: &[Allocation]) -> BTreeMap<LocationCode, Vec<FulfilmentLine>> {
    let mut offers: BTreeMap<LocationCode, Vec<FulfilmentLine>> = BTreeMap::new();
    for allocation in allocations {
        let lines = offers.entry(allocation.location.clone()).or_default();
        push(lines, allocation.line_no, &allocation.sku, allocation.quantity);
    }
    offers
}

fn push(lines: &mut Vec<FulfilmentLine>, line_no: i32, sku: &SkuCode, quantity: Quantity) {
    let same = lines.iter_mut().find(|line| line.line_no == line_no && line.sku == *sku);
    match same {
        Some(line) => {
            let sum = line.quantity.get().saturating_add(quantity.get());
            line.quantity = Quantity::try_from(sum).unwrap_or(line.quantity);
        }
        None => lines.push(FulfilmentLine { line_no, sku: sku.clone(), quantity }),
    }
}

/// What cancelling so many units takes from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelPlan {
    /// The reserved units no longer needed, at the locations that hold them.
    pub allocations: Vec<Allocation>,
    /// What is left in each fulfilment order that loses units; empty ones are cancelled.
    pub reduced: Vec<(FulfilmentId, Vec<FulfilmentLine>)>,
}

/// More units of a line were to be cancelled than still wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// The line.
    pub line_no: i32,
}

/// Plans the cancelling of `wanted` units per line (each line named once): first those that have no location yet, then
/// those that a location has done the least for, then those of the newest attempt, the highest location code first.
pub fn plan_cancel(lines: &[Line], pieces: &[Piece], wanted: &[(i32, i64)]) -> Result<CancelPlan, TooFew> {
    plan(lines, pieces, wanted, None)
}

/// The units per line that everything in one fulfilment order belongs to. Of a bundle they are whole, wherever the rest of
/// it is.
pub fn lapsed_units(lines: &[Line], lapsed: &Piece) -> Result<Vec<(i32, i64)>, TooFew> {
    let mut wanted: BTreeMap<i32, i64> = BTreeMap::new();
    for held in &lapsed.lines {
        let line = lines.iter().find(|it| it.line_no == held.line_no).ok_or(TooFew { line_no: held.line_no })?;
        for (_, per) in line.parts().into_iter().filter(|(sku, _)| **sku == held.sku) {
            let begun = held.quantity.get().saturating_add(per.saturating_sub(1)).checked_div(per).unwrap_or_default();
            let units = wanted.entry(held.line_no).or_default();
            *units = begun.max(*units);
        }
    }
    Ok(wanted.into_iter().collect())
}

/// Plans the cancelling of units with everything in one fulfilment order. A bundle cannot be cancelled if a part of it has
/// left.
pub fn plan_lapse(
    lines: &[Line],
    pieces: &[Piece],
    wanted: &[(i32, i64)],
    lapsed: FulfilmentId,
) -> Result<CancelPlan, TooFew> {
    plan(lines, pieces, wanted, Some(lapsed))
}

/// Plans a cancelling that takes from `first`, if there is one, before everything else.
fn plan(
    lines: &[Line],
    pieces: &[Piece],
    wanted: &[(i32, i64)],
    first: Option<FulfilmentId>,
) -> Result<CancelPlan, TooFew> {
    let mut free = uncovered(lines, pieces);
    let mut open: Vec<Piece> = pieces.iter().filter(|piece| piece.status.is_open()).cloned().collect();
    open.sort_by(|a, b| (a.status, b.attempt, &b.location).cmp(&(b.status, a.attempt, &a.location)));
    let (mut before, mut open): (Vec<Piece>, Vec<Piece>) = open.into_iter().partition(|it| Some(it.id) == first);
    let mut plan = CancelPlan::default();
    let mut touched = Vec::new();
    for (line_no, units) in wanted {
        let line = lines.iter().find(|line| line.line_no == *line_no).ok_or(TooFew { line_no: *line_no })?;
        for (sku, per) in line.parts() {
            let mut need = units.saturating_mul(per);
            for piece in &mut before {
                need = need.saturating_sub(take(piece, *line_no, sku, need, &mut plan.allocations, &mut touched));
            }
            if let Some(left) = free.get_mut(&(*line_no, sku)) {
                let taken = need.min(*left);
                *left = left.saturating_sub(taken);
                need = need.saturating_sub(taken);
            }
            for piece in &mut open {
                need = need.saturating_sub(take(piece, *line_no, sku, need, &mut plan.allocations, &mut touched));
            }
            if need > 0 {
                return Err(TooFew { line_no: *line_no });
            }
        }
    }
    let changed = before.into_iter().chain(open).filter(|piece| touched.contains(&piece.id));
    plan.reduced = changed.map(|piece| (piece.id, piece.lines)).collect();
    plan.reduced.sort_by_key(|(id, _)| *id);
    Ok(plan)
}

#[expect(clippy::too_many_arguments, reason = "a step of one loop, with the loop's own variables")]
fn take(
    piece: &mut Piece,
    line_no: i32,
    sku: &SkuCode,
    need: i64,
    allocations: &mut Vec<Allocation>,
    touched: &mut Vec<FulfilmentId>,
) -> i64 {
    let Some(line) = piece.lines.iter_mut().find(|line| line.line_no == line_no && line.sku == *sku) else { return 0 };
    let taken = need.min(line.quantity.get());
    let Ok(quantity) = Quantity::try_from(taken) else { return 0 };
    match Quantity::try_from(line.quantity.get().saturating_sub(taken)) {
        Ok(rest) => line.quantity = rest,
        Err(_) => piece.lines.retain(|line| line.line_no != line_no || line.sku != *sku),
    }
    allocations.push(Allocation { line_no, sku: sku.clone(), location: piece.location.clone(), quantity });
    if !touched.contains(&piece.id) {
        touched.push(piece.id);
    }
    taken
}

/// How many whole units of a line have left: for a bundle, as many as every component allows.
pub fn shipped_units(line: &Line, pieces: &[Piece]) -> i64 {
    let left = count(pieces, FulfilmentStatus::has_left);
    let units = |(sku, per): (&SkuCode, i64)| {
        left.get(&(line.line_no, sku)).copied().unwrap_or_default().checked_div(per).unwrap_or_default()
    };
    line.parts().into_iter().map(units).min().unwrap_or_default()
}

/// Where the order stands, given its lines and fulfilment orders. `backordered` tells what uncovered units wait for.
pub fn order_status(lines: &[Line], pieces: &[Piece], waits: Option<OrderStatus>) -> OrderStatus {
    if lines.iter().all(|line| line.live() == 0) {
        return OrderStatus::Cancelled;
    }
    let covered = is_covered(lines, pieces);
    let live = || pieces.iter().map(|piece| piece.status).filter(|status| status.covers());
    if covered && live().all(FulfilmentStatus::has_arrived) {
        OrderStatus::Delivered
    } else if covered && live().all(FulfilmentStatus::has_left) {
        OrderStatus::Shipped
    } else if live().any(|status| !matches!(status, FulfilmentStatus::Waiting | FulfilmentStatus::Offered)) {
        OrderStatus::Fulfilling
    } else if covered {
        OrderStatus::Sourced
    } else {
        waits.unwrap_or(OrderStatus::Sourcing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::events::BundleComponent;
    use kernel::Timestamp;

    fn units(line_no: i32, sku: &str, quantity: i64) -> FulfilmentLine {
        FulfilmentLine { line_no, sku: sku.parse().unwrap(), quantity: quantity.try_into().unwrap() }
    }

    fn piece(attempt: i32, location: &str, status: FulfilmentStatus, lines: Vec<FulfilmentLine>) -> Piece {
        let id = FulfilmentId::at(Timestamp::EPOCH.plus_seconds(attempt.into()));
        Piece { id, attempt, location: location.parse().unwrap(), status, lines }
    }

    fn allocation(line_no: i32, sku: &str, location: &str, quantity: i64) -> Allocation {
        Allocation {
            line_no,
            sku: sku.parse().unwrap(),
            location: location.parse().unwrap(),
            quantity: quantity.try_into().unwrap(),
        }
    }

    #[test]
    fn a_late_answer_leaves_out_what_was_cancelled_meanwhile() {
        let mut ordered = Line::of(1, "A", 5);
        ordered.cancelled = 2;
        let answer = [allocation(1, "A", "W2", 3), allocation(1, "A", "W1", 2)];
        let offers = admit(&[ordered], &[], &answer);
        let expected = [("W1", vec![units(1, "A", 2)]), ("W2", vec![units(1, "A", 1)])];
        assert_eq!(offers, expected.map(|(code, lines)| (code.parse().unwrap(), lines)).into());
    }

    #[test]
    fn an_answer_for_a_cancelled_order_places_nothing() {
        let mut ordered = Line::of(1, "A", 5);
        ordered.cancelled = 5;
        assert!(admit(&[ordered], &[], &[allocation(1, "A", "W1", 5)]).is_empty());
    }

    #[test]
    fn an_answer_heard_twice_places_nothing_twice() {
        let pieces = [piece(1, "W1", FulfilmentStatus::Offered, vec![units(1, "A", 5)])];
        assert!(admit(&[Line::of(1, "A", 5)], &pieces, &[allocation(1, "A", "W1", 5)]).is_empty());
    }

    #[test]
    fn cancelling_takes_the_least_worked_on_units() {
        let lines = [Line::of(1, "A", 6)];
        let pieces = [
            piece(1, "W1", FulfilmentStatus::Accepted, vec![units(1, "A", 2)]),
            piece(2, "W2", FulfilmentStatus::Offered, vec![units(1, "A", 3)]),
        ];
        // One unit has no location yet, three are offered, so a fifth comes off the accepted ones.
        let plan = plan_cancel(&lines, &pieces, &[(1, 5)]).unwrap();
        assert_eq!(plan.allocations, [allocation(1, "A", "W2", 3), allocation(1, "A", "W1", 1)]);
        assert_eq!(plan.reduced, [(pieces[0].id, vec![units(1, "A", 1)]), (pieces[1].id, vec![])]);
    }

    #[test]
    fn what_was_not_collected_is_cancelled_with_the_rest_of_its_bundles() {
        let mut bundle = Line::of(1, "SET", 3);
        let part =
            |sku: &str, per: i64| BundleComponent { sku: sku.parse().unwrap(), quantity: per.try_into().unwrap() };
        bundle.components = vec![part("CUP", 2), part("POT", 1)];
        let lines = [bundle, Line::of(2, "A", 4)];
        let here = vec![units(1, "CUP", 3), units(1, "POT", 1), units(2, "A", 1)];
        let mut pieces = [
            piece(1, "S1", FulfilmentStatus::Ready, here),
            piece(2, "S1", FulfilmentStatus::Offered, vec![units(1, "CUP", 3), units(2, "A", 3)]),
        ];
        // Three cups belong to two sets: the fourth cup comes off the other part; the second pot has no location yet.
        let wanted = lapsed_units(&lines, &pieces[0]).unwrap();
        let plan = plan_lapse(&lines, &pieces, &wanted, pieces[0].id).unwrap();
        assert_eq!(wanted, [(1, 2), (2, 1)]);
        let given_up = [
            allocation(1, "CUP", "S1", 3),
            allocation(1, "CUP", "S1", 1),
            allocation(1, "POT", "S1", 1),
            allocation(2, "A", "S1", 1),
        ];
        assert_eq!(plan.allocations, given_up);
        let left = vec![units(1, "CUP", 2), units(2, "A", 3)];
        assert_eq!(plan.reduced, [(pieces[0].id, vec![]), (pieces[1].id, left)]);
        // With the other cups and the pot gone, there are no two sets left to cancel.
        pieces[1].status = FulfilmentStatus::Collected;
        assert_eq!(plan_lapse(&lines, &pieces, &wanted, pieces[0].id), Err(TooFew { line_no: 1 }));
    }

    #[test]
    fn shipped_units_cannot_be_cancelled() {
        let lines = [Line::of(1, "A", 2)];
        let pieces = [
            piece(1, "W1", FulfilmentStatus::Shipped, vec![units(1, "A", 1)]),
            piece(2, "W2", FulfilmentStatus::Packed, vec![units(1, "A", 1)]),
        ];
        assert!(plan_cancel(&lines, &pieces, &[(1, 1)]).is_ok());
        assert_eq!(plan_cancel(&lines, &pieces, &[(1, 2)]), Err(TooFew { line_no: 1 }));
        assert_eq!(plan_cancel(&lines, &pieces, &[(9, 1)]), Err(TooFew { line_no: 9 }));
    }

    #[test]
    fn a_bundle_is_cancelled_and_shipped_by_its_components() {
        let mut bundle = Line::of(1, "SET", 2);
        let part =
            |sku: &str, per: i64| BundleComponent { sku: sku.parse().unwrap(), quantity: per.try_into().unwrap() };
        bundle.components = vec![part("CUP", 2), part("POT", 1)];
        let mut pieces = [
            piece(1, "W1", FulfilmentStatus::Offered, vec![units(1, "CUP", 4)]),
            piece(2, "W2", FulfilmentStatus::Offered, vec![units(1, "POT", 2)]),
        ];
        let plan = plan_cancel(std::slice::from_ref(&bundle), &pieces, &[(1, 1)]).unwrap();
        assert_eq!(plan.allocations, [allocation(1, "CUP", "W1", 2), allocation(1, "POT", "W2", 1)]);
        pieces[0].status = FulfilmentStatus::Shipped;
        assert_eq!(shipped_units(&bundle, &pieces), 0);
        pieces[1].status = FulfilmentStatus::Shipped;
        assert_eq!(shipped_units(&bundle, &pieces), 2);
    }

    #[test]
    fn the_order_stands_where_its_slowest_part_stands() {
        use FulfilmentStatus::{Accepted, Delivered, Offered, Rejected, Shipped};
        let lines = [Line::of(1, "A", 2)];
        let two = |first, second| {
            [piece(1, "W1", first, vec![units(1, "A", 1)]), piece(2, "W2", second, vec![units(1, "A", 1)])]
        };
        assert_eq!(order_status(&lines, &[], None), OrderStatus::Sourcing);
        for waits in [OrderStatus::Backordered, OrderStatus::Unfillable] {
            assert_eq!(order_status(&lines, &[], Some(waits)), waits);
        }
        assert_eq!(order_status(&lines, &two(Offered, Offered), None), OrderStatus::Sourced);
        assert_eq!(order_status(&lines, &two(Offered, Rejected), None), OrderStatus::Sourcing);
        assert_eq!(
            order_status(&lines, &two(Accepted, Rejected), Some(OrderStatus::Backordered)),
            OrderStatus::Fulfilling
        );
        assert_eq!(order_status(&lines, &two(Shipped, Offered), None), OrderStatus::Fulfilling);
        assert_eq!(order_status(&lines, &two(Shipped, Delivered), None), OrderStatus::Shipped);
        assert_eq!(order_status(&lines, &two(Delivered, Delivered), None), OrderStatus::Delivered);
        let mut cancelled = Line::of(1, "A", 2);
        cancelled.cancelled = 2;
        assert_eq!(order_status(&[cancelled], &[], None), OrderStatus::Cancelled);
    }
}
