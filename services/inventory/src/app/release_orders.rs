//! Releases what cancelled orders no longer need: promised units go back to the pool, waiting ones leave the queue.

use std::collections::{BTreeMap, HashMap, HashSet};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{Allocation, OrderCancelled};
use kernel::id::OrderId;
use kernel::{LocationCode, Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::Draft;
use crate::domain::{Line, add_ordered, regroup};
use crate::store::backorders::{self, Backorder};
use crate::store::reservations::{self, End};
use crate::store::reserved::{self, OpenLines, Place};
use crate::store::{decisions, locks};

/// Releases a batch of cancellations.
///
/// The order book names the units it knows to be somewhere. Units it did not know of yet were still to be placed: they
/// come off the queue, and then off the newest decision that placed any of them, the highest location code first, which is
/// the order in which the order book leaves them out when it hears of that decision. Of a line that was added and is not
/// known yet there is nothing to release: that is tried again once it is.
pub fn release_orders(tx: &mut Tx<'_>, cancellations: &[(OrderCancelled, Cause)]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let ids: Vec<Uuid> = cancellations.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let known: HashSet<Uuid> = decisions::known(tx, &ids)?.into_iter().collect();
    if let Some(unknown) = ids.iter().find(|id| !known.contains(id)) {
        return Err(ConsumeError::Retry(format!("order {unknown} has not been sourced")));
    }
    let mut release = Release::read(tx, &ids, cancellations)?;
    if let Some((order, line)) = cancellations.iter().find_map(|(it, _)| Some((it.order_id, release.unheard(it)?))) {
        return Err(ConsumeError::Retry(format!("line {line} was added to order {order} and has not been sourced")));
    }
    for (cancelled, cause) in cancellations {
        if cancelled.whole {
            release.everything(cancelled.order_id);
        } else {
            let units = release.named(cancelled);
            release.still_to_be_placed(cancelled.order_id, units);
        }
        let back = std::mem::take(&mut release.back);
        for it in &back {
            release.draft.unload(cancelled.order_id, &it.location);
        }
        release.draft.tell_released(cancelled.order_id, back, cause.clone());
    }
    let Release { draft, smaller, .. } = release;
    draft.write(tx)?;
    reservations::end(tx, &ids, End::Released)?;
    // What is left of an order may be few enough units to be filled now.
    backorders::wake(tx, &smaller)?;
    Ok(())
}

struct Release {
    draft: Draft,
    open: OpenLines,
    waiting: HashMap<Uuid, Backorder>,
    /// Of orders whose cancelled lines are named: the lines as they were ordered, and where the newest decision that placed
    /// any of a line's SKU did so.
    ordered: HashMap<Uuid, Vec<Line>>,
    newest: HashMap<(Uuid, i32, SkuCode), (i32, HashSet<LocationCode>)>,
    /// What the order at hand gave back.
    back: Vec<Allocation>,
    /// SKUs of orders that wait for less than before.
    smaller: Vec<String>,
}

impl Release {
    fn read(tx: &mut Tx<'_>, ids: &[Uuid], cancellations: &[(OrderCancelled, Cause)]) -> Result<Self, Error> {
        let named: Vec<Uuid> =
            cancellations.iter().filter(|(it, _)| !it.lines.is_empty()).map(|(it, _)| it.order_id.uuid()).collect();
        let mut ordered: HashMap<Uuid, Vec<Line>> = HashMap::new();
        let mut newest: HashMap<_, (i32, HashSet<LocationCode>)> = HashMap::new();
        let decided = if named.is_empty() { Vec::new() } else { decisions::of_orders(tx, &named)? };
        for stored in decided {
            let decision = stored.decision()?;
            for it in decision.allocations() {
                let (attempt, places) = newest.entry((stored.order_id, it.line_no, it.sku.clone())).or_default();
                if std::mem::replace(attempt, stored.attempt) != stored.attempt {
                    places.clear();
                }
                places.insert(it.location.clone());
            }
            add_ordered(ordered.entry(stored.order_id).or_default(), decision.request.lines);
        }
        let waiting = backorders::of_orders(tx, ids)?;
        Ok(Self {
            draft: Draft::new(),
            open: OpenLines::new(reserved::of_owners(tx, ids)?),
            waiting: waiting.into_iter().map(|it| (it.order_id.uuid(), it)).collect(),
            ordered,
            newest,
            back: Vec::new(),
            smaller: Vec::new(),
        })
    }

    fn everything(&mut self, order: OrderId) {
        let promised: Vec<_> = self.open.places().filter(|(owner, ..)| *owner == order.uuid()).cloned().collect();
        for key in promised {
            self.take(&key, i64::MAX);
        }
        if self.waiting.remove(&order.uuid()).is_some() {
            self.draft.no_longer_waits(order);
        }
    }

    /// A line of which units are cancelled that have no location yet, and that is not known here: it was added to the order,
    /// and that is still to be heard.
    fn unheard(&self, cancelled: &OrderCancelled) -> Option<i32> {
        let ordered = self.ordered.get(&cancelled.order_id.uuid())?;
        let placed = |line_no: i32| cancelled.allocations.iter().any(|it| it.line_no == line_no);
        let unheard = |line_no: &i32| !placed(*line_no) && !ordered.iter().any(|it| it.line_no == *line_no);
        cancelled.lines.iter().map(|it| it.line_no).find(unheard)
    }

    /// Takes back what is promised where the order book names it; answers the cancelled units beyond that. What has gone
    /// elsewhere before this was heard is among them.
    fn named(&mut self, cancelled: &OrderCancelled) -> BTreeMap<(i32, SkuCode), i64> {
        let order = cancelled.order_id.uuid();
        let mut units: BTreeMap<(i32, SkuCode), i64> = BTreeMap::new();
        for line in &cancelled.lines {
            let ordered = self.ordered.get(&order).and_then(|it| it.iter().find(|it| it.line_no == line.line_no));
            let parts = ordered.map(|it| it.parts.clone()).unwrap_or_default();
            let gone = Line { line_no: line.line_no, sku: line.sku.clone(), quantity: line.quantity, parts };
            for demand in gone.demands() {
                let sum = units.entry((demand.line_no, demand.sku)).or_default();
                *sum = sum.saturating_add(demand.units);
            }
        }
        for it in &cancelled.allocations {
            let key = (order, it.line_no, it.sku.to_string(), it.location.to_string());
            let taken = self.take(&key, it.quantity.get());
            if let Some(sum) = units.get_mut(&(it.line_no, it.sku.clone())) {
                *sum = sum.saturating_sub(taken);
            }
        }
        units
    }

    fn still_to_be_placed(&mut self, order: OrderId, mut units: BTreeMap<(i32, SkuCode), i64>) {
        self.leave_queue(order, &mut units);
        for ((line_no, sku), rest) in units {
            self.off_newest(order.uuid(), (line_no, &sku), rest);
        }
    }

    /// Takes units off what an order waits for, and notes how many are still to be released.
    fn leave_queue(&mut self, order: OrderId, units: &mut BTreeMap<(i32, SkuCode), i64>) {
        let Some(mut waiting) = self.waiting.remove(&order.uuid()) else { return };
        let mut left = Vec::new();
        for demand in waiting.request.demands() {
            let gone = units.get_mut(&(demand.line_no, demand.sku.clone()));
            let taken = gone.as_ref().map_or(0, |gone| demand.units.min(**gone).max(0));
            if let Some(gone) = gone {
                *gone = gone.saturating_sub(taken);
            }
            if let Ok(quantity) = Quantity::try_from(demand.units.saturating_sub(taken)) {
                left.push(Line { line_no: demand.line_no, sku: demand.sku, quantity, parts: Vec::new() });
            }
        }
        if left.is_empty() {
            self.draft.no_longer_waits(order);
        } else {
            self.smaller.extend(left.iter().map(|line| line.sku.to_string()));
            let ordered = self.ordered.get(&order.uuid()).map_or(&[][..], Vec::as_slice);
            waiting.request.lines = regroup(left, ordered);
            self.draft.waits(waiting);
        }
    }

    fn off_newest(&mut self, order: Uuid, line: (i32, &SkuCode), mut rest: i64) {
        let newest = self.newest.get(&(order, line.0, line.1.clone())).map(|(_, places)| places);
        let mut places: Vec<_> = self
            .open
            .places()
            .filter(|(owner, line_no, sku, _)| (*owner, *line_no, sku.as_str()) == (order, line.0, line.1.as_str()))
            .map(|place| (newest.is_some_and(|it| it.iter().any(|it| it.as_str() == place.3)), place.clone()))
            .collect();
        places.sort();
        for (_, key) in places.into_iter().rev() {
            rest = rest.saturating_sub(self.take(&key, rest));
        }
    }

    /// Takes up to so many units of a promise back; says how many.
    fn take(&mut self, place: &Place, units: i64) -> i64 {
        let taken = self.open.take(place, units);
        taken.iter().for_each(|line| self.draft.release(line));
        let units = taken.iter().map(|line| line.quantity).fold(0, i64::saturating_add);
        if let (Some(line), Ok(quantity)) = (taken.first(), Quantity::try_from(units)) {
            let (line_no, sku, location) = (line.line_no, line.sku.clone(), line.location.clone());
            self.back.push(Allocation { line_no, sku, location, quantity });
        }
        units
    }
}
