//! Sources orders anew that go somewhere else: whatever of them has not shipped, promised or waiting, is planned as one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{Destination, OrderChanged};
use kernel::{LocationCode, Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::draft::Decided;
use super::{Desk, Draft, Pool};
use crate::domain::improve::add_units;
use crate::domain::{Line, Place, Request, regroup};
use crate::store::backorders::{self, Backorder};
use crate::store::loads::{self, Load};
use crate::store::reserved::{self, ReservedLine};
use crate::store::{decisions, locks};

/// Takes a batch of changes over. The order book has made sure that nothing of what is open was picked.
pub fn redirect_orders(tx: &mut Tx<'_>, pool: &Pool, changes: &[(OrderChanged, Cause)]) -> Result<(), ConsumeError> {
    // An order that went elsewhere twice meanwhile goes where it goes last.
    let newest: BTreeMap<Uuid, (&OrderChanged, &Destination, &Cause)> = changes
        .iter()
        .filter_map(|(it, cause)| Some((it.order_id.uuid(), (it, it.destination.as_ref()?, cause))))
        .collect();
    if newest.is_empty() {
        return Ok(());
    }
    locks::pool(tx)?;
    let ids: Vec<Uuid> = newest.keys().copied().collect();
    let mut orders = open(tx, &ids)?;
    let skus: BTreeSet<SkuCode> = orders.values().flat_map(Open::skus).collect();
    let mut draft = Draft::new();
    let mut desk = pool.open_swept(tx, &[])?;
    desk.show(tx, &skus)?;
    for (id, (change, to, cause)) in newest {
        let order = orders.remove(&id);
        let order = order.ok_or_else(|| ConsumeError::Retry(format!("order {id} has not been sourced")))?;
        let request = redirected(&order.request, to, order.take_back(change, &mut draft, &mut desk));
        if request.lines.is_empty() {
            // All of it has shipped or was cancelled.
            continue;
        }
        let planned = desk.plan(request);
        let days = desk.load(&planned.decision);
        let (order_id, attempt) = (change.order_id, order.attempt.saturating_add(1));
        let priority = backorders::PROMISED_BEFORE;
        let (cause, answers_version) = (cause.clone(), Some(change.version));
        draft.decide(tx.now(), Decided { order_id, attempt, planned, days, priority, cause, answers_version })?;
    }
    drop(desk);
    pool.write(tx, draft)?;
    Ok(())
}

fn redirected(before: &Request, to: &Destination, lines: Vec<Line>) -> Request {
    let place = Place { province: to.province.clone(), city: to.city.clone(), adcode: None };
    Request { lines, to: to.point, place, claim: None, ..before.clone() }
}

/// What of an order has not shipped.
struct Open {
    attempt: i32,
    /// What was asked of its newest decision.
    request: Request,
    ordered: Vec<Line>,
    promised: Vec<ReservedLine>,
    waiting: Option<Backorder>,
    loads: Vec<Load>,
}

fn open(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Open>, Error> {
    let mut orders = HashMap::new();
    for stored in decisions::newest(tx, ids)? {
        let (attempt, request) = (stored.attempt, stored.decision()?.request);
        let (ordered, promised, loads) = (Vec::new(), Vec::new(), Vec::new());
        orders.insert(stored.order_id, Open { attempt, request, ordered, promised, waiting: None, loads });
    }
    for stored in decisions::first(tx, ids)? {
        if let Some(order) = orders.get_mut(&stored.order_id) {
            order.ordered = stored.decision()?.request.lines;
        }
    }
    for line in reserved::of_owners(tx, ids)? {
        if let Some(order) = orders.get_mut(&line.owner) {
            order.promised.push(line);
        }
    }
    for waiting in backorders::of_orders(tx, ids)? {
        if let Some(order) = orders.get_mut(&waiting.order_id.uuid()) {
            order.waiting = Some(waiting);
        }
    }
    for load in loads::of_orders(tx, ids)? {
        if let Some(order) = orders.get_mut(&load.order) {
            order.loads.push(load);
        }
    }
    Ok(orders)
}

impl Open {
    fn skus(&self) -> impl Iterator<Item = SkuCode> + '_ {
        let waiting = self.waiting.iter().flat_map(|it| it.request.needs().into_keys());
        self.promised.iter().map(|line| line.sku.clone()).chain(waiting)
    }

    /// Takes its promises back and takes it off the queue; answers what all of that is for.
    fn take_back(&self, change: &OrderChanged, draft: &mut Draft, desk: &mut Desk<'_>) -> Vec<Line> {
        let mut lines = Vec::new();
        for line in &self.promised {
            draft.release(line);
            desk.take_back(line);
            if let Ok(quantity) = Quantity::try_from(line.quantity) {
                add_units(&mut lines, line.line_no, &line.sku, quantity);
            }
        }
        let places: BTreeSet<&LocationCode> = self.promised.iter().map(|line| &line.location).collect();
        for location in places {
            draft.unload(change.order_id, location);
            let theirs = self.loads.iter().filter(|it| it.location == *location);
            theirs.for_each(|it| desk.count_orders(location, it.day, -1));
        }
        if let Some(waiting) = &self.waiting {
            draft.no_longer_waits(change.order_id);
            for demand in waiting.request.demands() {
                if let Ok(quantity) = Quantity::try_from(demand.units) {
                    add_units(&mut lines, demand.line_no, &demand.sku, quantity);
                }
            }
        }
        regroup(lines, &self.ordered)
    }
}
