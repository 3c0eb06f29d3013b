//! The draft: what a command has decided to change, gathered over a whole batch and written with a constant number of
//! statements.

use std::collections::HashSet;

use chrono::NaiveDate;
use contracts::Cause;
use contracts::events::{Allocation, StockBackordered, StockReleased, StockSourced};
use kernel::id::{DecisionId, OrderId};
use kernel::{LocationCode, SkuCode, Timestamp};
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Planned;
use super::ship_orders::ORDER_SERVICE;
use crate::domain::{Outcome, Request};
use crate::store::backorders::{self, Backorder};
use crate::store::debts::{Debts, Place};
use crate::store::decisions::{self, NewDecision};
use crate::store::loads::{self, Load};
use crate::store::movements::{self, Movement, MovementKind};
use crate::store::reservations::NewReservation;
use crate::store::reserved::{self, ReservedLine};
use crate::store::shares::{self, UseDelta, UseDeltas};
use crate::store::stock::{self, Balance, Delta, Deltas};

/// Everything a batch changes.
#[derive(Debug, Default)]
pub struct Draft {
    deltas: Deltas,
    movements: Vec<Movement>,
    debts: Debts,
    promised: Vec<ReservedLine>,
    holds: Vec<NewReservation>,
    taken_off: Vec<ReservedLine>,
    used: UseDeltas,
    loaded: Vec<Load>,
    unloaded: Vec<(Uuid, LocationCode)>,
    kept: Vec<(Uuid, LocationCode)>,
    decisions: Vec<NewDecision>,
    waiting: Vec<Backorder>,
    served: Vec<Uuid>,
    sourced: Vec<(StockSourced, Cause)>,
    backordered: Vec<(StockBackordered, Cause)>,
    released: Vec<(StockReleased, Cause)>,
    /// Whether a balance may change that has no row yet.
    opens: bool,
}

/// A decision about an order, to be drafted.
#[derive(Debug)]
pub struct Decided {
    /// The order.
    pub order_id: OrderId,
    /// 1 for the first, then counted up.
    pub attempt: i32,
    /// The decision, and what it is counted by.
    pub planned: Planned,
    /// The days whose capacity it uses.
    pub days: Vec<(LocationCode, NaiveDate)>,
    /// Its priority in the queue, should it have to wait.
    pub priority: i16,
    /// What made it happen.
    pub cause: Cause,
    /// The version of the order with the change that it answers, if it does.
    pub answers_version: Option<i64>,
}

impl Draft {
    /// A draft whose balances all have a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// A draft that may change balances that have no row yet.
    pub fn opening() -> Self {
        Self { opens: true, ..Self::default() }
    }

    /// Changes a balance.
    pub fn change(&mut self, sku: &SkuCode, location: &LocationCode, by: Delta) {
        let delta = self.deltas.entry((sku.clone(), location.clone())).or_default();
        delta.on_hand = delta.on_hand.saturating_add(by.on_hand);
        delta.reserved = delta.reserved.saturating_add(by.reserved);
        delta.quarantined = delta.quarantined.saturating_add(by.quarantined);
        delta.safety = delta.safety.saturating_add(by.safety);
        delta.incoming = delta.incoming.saturating_add(by.incoming);
        delta.owed = delta.owed.saturating_add(by.owed);
    }

    /// Moves units and records the movement.
    pub fn move_units(&mut self, movement: Movement) {
        let (on_hand, quarantined, owed) = (movement.on_hand, movement.quarantined, movement.owed);
        let by = Delta { on_hand, quarantined, owed, ..Delta::default() };
        self.change(&movement.sku, &movement.location, by);
        self.movements.push(movement);
    }

    /// Works with what is owed at these balances.
    pub fn know_debts(&mut self, tx: &mut Tx<'_>, places: &[Place]) -> Result<(), Error> {
        self.debts.read(tx, places.iter())
    }

    /// A till's transaction has sold units without cover; the movement says so too.
    pub fn owe(&mut self, place: &Place, transaction: Uuid, units: i64) {
        self.debts.owe(place, transaction, units);
    }

    /// Takes units that have become free off the books again for what is owed.
    pub fn settle(&mut self, place: &Place, units: i64) {
        for (transaction, units) in self.debts.settle(place, units) {
            let (sku, location) = place.clone();
            self.move_units(Movement {
                sku,
                location,
                kind: MovementKind::PosDebt,
                on_hand: units.saturating_neg(),
                quarantined: 0,
                owed: units.saturating_neg(),
                reason: "sold at a till before".to_owned(),
                reference: Some(transaction.to_string()),
                actor: ORDER_SERVICE.to_owned(),
            });
        }
    }

    /// Whatever frees units, they go to what is owed first. Where something is owed nothing was free before, so that what
    /// a batch frees there in all is what is free after it.
    fn settle_first(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let freed = self.deltas.iter().filter(|(_, delta)| delta.freed() > 0);
        let freed: Vec<(Place, i64)> = freed.map(|(place, delta)| (place.clone(), delta.freed())).collect();
        self.debts.read(tx, freed.iter().map(|(place, _)| place))?;
        for (place, units) in freed {
            self.settle(&place, units);
        }
        Ok(())
    }

    /// Promises units.
    pub fn promise(&mut self, line: ReservedLine) {
        self.change(&line.sku, &line.location, Delta { reserved: line.quantity, ..Delta::default() });
        self.count(&line, UseDelta { promised: line.quantity, shipped: 0 });
        self.promised.push(line);
    }

    /// A new hold; its lines are promised to its id.
    pub fn hold(&mut self, hold: NewReservation) {
        self.holds.push(hold);
    }

    /// Takes a promise back.
    pub fn release(&mut self, line: &ReservedLine) {
        self.count(line, UseDelta { promised: line.quantity.saturating_neg(), shipped: 0 });
        self.take_off(line);
    }

    /// Promised units leave to the buyer; the channel has used them for good.
    pub fn ship(&mut self, line: &ReservedLine) {
        self.count(line, UseDelta { promised: line.quantity.saturating_neg(), shipped: line.quantity });
        self.take_off(line);
    }

    /// Promised units leave a shelf for the one where they are collected, and stay promised.
    pub fn send(&mut self, line: &ReservedLine) {
        self.take_off(line);
    }

    /// Promised units come to the shelf where they are collected.
    pub fn arrive(&mut self, line: ReservedLine) {
        self.change(&line.sku, &line.location, Delta { reserved: line.quantity, ..Delta::default() });
        self.promised.push(line);
    }

    /// Promised units were lost on the way.
    pub fn lose(&mut self, line: &ReservedLine) {
        self.count(line, UseDelta { promised: line.quantity.saturating_neg(), shipped: 0 });
    }

    fn count(&mut self, line: &ReservedLine, by: UseDelta) {
        if let Some(count) = line.count_id {
            let used = self.used.entry((line.sku.clone(), count)).or_default();
            used.promised = used.promised.saturating_add(by.promised);
            used.shipped = used.shipped.saturating_add(by.shipped);
        }
    }

    fn take_off(&mut self, line: &ReservedLine) {
        let by = Delta { reserved: line.quantity.saturating_neg(), ..Delta::default() };
        self.change(&line.sku, &line.location, by);
        self.taken_off.push(line.clone());
    }

    /// Gives the capacity back that an order uses at a location, should nothing of it be promised there any more.
    pub fn unload(&mut self, order: OrderId, location: &LocationCode) {
        self.unloaded.push((order.uuid(), location.clone()));
    }

    /// A part of an order has left a location: it has used its capacity, whatever becomes of the rest.
    pub fn keep_loaded(&mut self, order: OrderId, location: &LocationCode) {
        self.kept.push((order.uuid(), location.clone()));
    }

    /// Hands promised units on to another owner; the balances do not change.
    pub fn hand_on(&mut self, from: Vec<ReservedLine>, to: Vec<ReservedLine>) {
        self.taken_off.extend(from);
        self.promised.extend(to);
    }

    /// An order no longer waits.
    pub fn no_longer_waits(&mut self, order: OrderId) {
        self.served.push(order.uuid());
    }

    /// An order waits, for this.
    pub fn waits(&mut self, backorder: Backorder) {
        self.waiting.push(backorder);
    }

    /// The orders that will wait.
    pub fn waiting(&self) -> &[Backorder] {
        &self.waiting
    }

    /// Adds what an order waits for already to what it will wait for.
    pub fn wait_for_too(&mut self, earlier: &Backorder) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.order_id == earlier.order_id) {
            waiting.request.lines.extend(earlier.request.lines.iter().cloned());
            waiting.request.excluded.extend(earlier.request.excluded.iter().cloned());
        }
    }

    /// What an order waits for already goes on waiting beside a line that was added, with what may wait of that, by what the
    /// buyer pays for all of it now.
    pub fn goes_on_waiting(&mut self, earlier: &Backorder, amount: Option<i64>) {
        self.wait_for_too(earlier);
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.order_id == earlier.order_id);
        if let Some(waiting) = waiting {
            // Who has rejected something of it is asked again for what came since then.
            waiting.since = earlier.since;
        } else if earlier.request.amount != amount {
            let request = Request { amount, ..earlier.request.clone() };
            self.waiting.push(Backorder { request, ..earlier.clone() });
        }
    }

    /// Tells that an order's promises were taken back.
    pub fn tell_released(&mut self, order_id: OrderId, allocations: Vec<Allocation>, cause: Cause) {
        if !allocations.is_empty() {
            self.released.push((StockReleased { order_id, allocations }, cause));
        }
    }

    /// Drafts a decision: its promises, or its place in the queue, and what is told of it.
    pub fn decide(&mut self, at: Timestamp, decided: Decided) -> Result<(), Error> {
        let Decided { order_id, attempt, planned, days, priority, cause, answers_version } = decided;
        self.loaded.extend(days.into_iter().map(|(location, day)| Load { order: order_id.uuid(), location, day }));
        for line in planned.promises(order_id.uuid()) {
            self.promise(line);
        }
        let Planned { decision, .. } = planned;
        let id = DecisionId::at(at);
        self.decisions.push(NewDecision { order_id, attempt, id, document: serde_json::to_string(&decision)? });
        let (rest, unfillable) = (decision.rest(), decision.unfillable);
        match decision.outcome {
            Outcome::Sourced { allocations, missing, .. } => {
                let event =
                    StockSourced { order_id, decision_id: id, attempt, allocations, sourced_at: at, answers_version };
                self.sourced.push((event, cause.clone()));
                if let Some(request) = rest {
                    let (priority, request) = (backorders::PROMISED_BEFORE, as_it_waits(request));
                    self.waiting.push(Backorder { order_id, priority, request, since: None });
                    self.backordered.push((
                        StockBackordered { order_id, decision_id: id, attempt, missing, unfillable, answers_version },
                        cause,
                    ));
                }
            }
            Outcome::Backordered { missing } => {
                let request = as_it_waits(decision.request);
                self.waiting.push(Backorder { order_id, priority, request, since: None });
                let event =
                    StockBackordered { order_id, decision_id: id, attempt, missing, unfillable, answers_version };
                self.backordered.push((event, cause));
            }
        }
        Ok(())
    }

    /// Writes everything; answers the changed balances.
    pub fn write(mut self, tx: &mut Tx<'_>) -> Result<Vec<Balance>, Error> {
        self.settle_first(tx)?;
        // What is promised and taken back within one batch is no change; what moved was there in between.
        let moved: HashSet<(&SkuCode, &LocationCode)> =
            self.movements.iter().map(|movement| (&movement.sku, &movement.location)).collect();
        self.deltas.retain(|(sku, location), delta| *delta != Delta::default() || moved.contains(&(sku, location)));
        self.used.retain(|_, used| *used != UseDelta::default());
        shares::count_use(tx, &self.used)?;
        let together = !self.opens && !self.promised.is_empty() && self.taken_off.is_empty();
        if !together && !self.holds.is_empty() {
            return Err(Error::Broken("a hold is drafted with what is promised to it, and nothing is taken back"));
        }
        let balances = if together {
            stock::promise(tx, &self.deltas, &self.promised, &self.holds)?
        } else if self.opens {
            stock::open(tx, &self.deltas)?
        } else {
            stock::apply(tx, &self.deltas)?
        };
        movements::record(tx, &self.movements, &balances)?;
        self.debts.write(tx)?;
        // Before anything is promised anew: it may be the same line of an order, or use another day of the same location.
        reserved::take_off(tx, &self.taken_off)?;
        loads::give_back(tx, &self.unloaded)?;
        if !together {
            reserved::add(tx, &self.promised)?;
        }
        decisions::insert(tx, &self.decisions)?;
        loads::keep(tx, &self.kept)?;
        loads::add(tx, &self.loaded)?;
        backorders::remove(tx, &self.served)?;
        backorders::put(tx, &self.waiting)?;
        for (event, cause) in &self.released {
            outbox::append(tx, event, cause)?;
        }
        for (event, cause) in &self.sourced {
            outbox::append(tx, event, cause)?;
        }
        for (event, cause) in &self.backordered {
            outbox::append(tx, event, cause)?;
        }
        Ok(balances)
    }
}

/// A pickup waits for its own location, also for one that has rejected it: no other can ever serve it.
fn as_it_waits(mut request: Request) -> Request {
    if let Some(pickup) = &request.pickup {
        request.excluded.remove(pickup);
    }
    request
}
