//! Changes orders that were sourced. Lines that an order did not have are sourced beside what it has. Of an order that goes
//! somewhere else whatever has not shipped, promised, waiting or added with it, is planned as one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::Destination;
use kernel::id::OrderId;
use kernel::{LocationCode, Quantity, SkuCode};
use store::{Error, Tx};
use uuid::Uuid;

use super::asked::{Asked, asked};
use super::draft::Decided;
use super::{Desk, Draft, Planned, Pool};
use crate::domain::improve::add_units;
use crate::domain::{Line, Place, Request, regroup};
use crate::store::backorders::{self, Backorder};
use crate::store::loads::{self, Load};
use crate::store::locks;
use crate::store::reserved::{self, ReservedLine};

/// How an order changes, as far as sourcing goes.
#[derive(Clone, Debug)]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// Its version with the change.
    pub version: i64,
    /// Where it goes from then on, if it goes somewhere else.
    pub to: Option<Destination>,
    /// Whether it is planned anew also when it was sent there by this version before.
    pub again: bool,
    /// Lines that were added; those that are known are left alone.
    pub added: Vec<Line>,
    /// By how much they raise what the buyer pays.
    pub raised_by: i64,
    /// What told of it.
    pub cause: Cause,
}

/// Takes a batch of changes over, in whatever order they are heard: an order goes where its newest version says, and every
/// line is sourced once. The order book has made sure that nothing of what is open was picked where an order goes elsewhere.
pub fn change_orders(tx: &mut Tx<'_>, pool: &Pool, mut changes: Vec<Change>) -> Result<(), ConsumeError> {
    changes.retain(|it| it.to.is_some() || !it.added.is_empty());
    if changes.is_empty() {
        return Ok(());
    }
    locks::pool(tx)?;
    let ids: Vec<Uuid> = changes.iter().map(|it| it.order_id.uuid()).collect();
    let orders = open(tx, &ids)?;
    let mut wanted: BTreeMap<Uuid, Wanted> = BTreeMap::new();
    for change in changes {
        let id = change.order_id.uuid();
        let order = orders.get(&id).ok_or_else(|| ConsumeError::Retry(format!("order {id} has not been sourced")))?;
        wanted.entry(id).or_insert_with(|| Wanted::new(&change, &order.asked)).join(change, &order.asked);
    }
    wanted.retain(|_, it| it.redirected || !it.request.lines.is_empty());
    if wanted.is_empty() {
        return Ok(());
    }
    let mut desk = pool.open_swept(tx, &[])?;
    let unknown = desk.lay_out(tx, wanted.values_mut().map(|it| &mut it.request))?;
    if let Some(sku) = unknown.first() {
        return Err(ConsumeError::Retry(format!("the SKU {sku} was added to an order but is not known yet")));
    }
    let redirected = wanted.iter().filter(|(_, it)| it.redirected).filter_map(|(id, _)| orders.get(id));
    desk.show(tx, &redirected.flat_map(Open::skus).collect())?;
    let mut draft = Draft::new();
    for (id, mut wanted) in wanted {
        let Some(order) = orders.get(&id) else { continue };
        let mut before = None;
        if wanted.redirected {
            wanted.request.lines.splice(..0, order.take_back(wanted.order_id, &mut draft, &mut desk));
        } else {
            before = order.waiting.as_ref();
        }
        // Of an order that goes elsewhere all may have shipped, or may have been cancelled.
        if wanted.request.lines.is_empty() {
            continue;
        }
        let amount = wanted.request.amount;
        let decided = wanted.decide(order, &mut desk);
        draft.decide(tx.now(), decided)?;
        if let Some(before) = before {
            draft.goes_on_waiting(before, amount);
        }
    }
    drop(desk);
    pool.write(tx, draft)?;
    Ok(())
}

/// What is wanted of an order by all of its changes in a batch.
struct Wanted {
    order_id: OrderId,
    /// The lines that were added, as the order asks for anything now.
    request: Request,
    redirected: bool,
    cause: Cause,
}

impl Wanted {
    fn new(change: &Change, asked: &Asked) -> Self {
        let mut request = Request { lines: Vec::new(), claim: None, ..asked.request.clone() };
        // A pickup location that rejected other goods of the order is the only one that can have these.
        if let Some(pickup) = &request.pickup {
            request.excluded.remove(pickup);
        }
        Self { order_id: change.order_id, request, redirected: false, cause: change.cause.clone() }
    }

    fn join(&mut self, change: Change, asked: &Asked) {
        let Change { version, to, again, mut added, raised_by, cause, .. } = change;
        let request = &mut self.request;
        let is_known = |line: &Line| asked.ordered.iter().chain(&request.lines).any(|it| it.line_no == line.line_no);
        added.retain(|line| !is_known(line));
        if !added.is_empty() {
            request.amount = request.amount.map(|amount| amount.saturating_add(raised_by));
            request.lines.append(&mut added);
            self.cause = cause.clone();
        }
        // One that was overtaken by another is not answered: the order book no longer waits for it.
        let is_new = |by: i64| version > by || (again && version == by);
        if let Some(to) = to.filter(|_| request.redirected_by.is_none_or(is_new)) {
            request.to = to.point;
            request.place = Place { province: to.province, city: to.city, adcode: None };
            request.redirected_by = Some(version);
            self.redirected = true;
            self.cause = cause;
        }
    }

    fn decide(self, order: &Open, desk: &mut Desk<'_>) -> Decided {
        let Self { order_id, request, redirected, cause } = self;
        let answers_version = request.redirected_by.filter(|_| redirected);
        let waiting = order.waiting.as_ref().filter(|_| !redirected);
        let priority = waiting.map_or(backorders::PROMISED_BEFORE, |it| it.priority);
        let attempt = order.asked.attempt.saturating_add(1);
        let (planned, days) = if redirected {
            let planned = desk.plan(request);
            let days = desk.load(&planned.decision);
            (planned, days)
        } else {
            order.plan_beside(request, desk)
        };
        Decided { order_id, attempt, planned, days, priority, cause, answers_version }
    }
}

/// What of an order has not shipped.
struct Open {
    asked: Asked,
    promised: Vec<ReservedLine>,
    waiting: Option<Backorder>,
    loads: Vec<Load>,
}

fn open(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Open>, Error> {
    let asked = asked(tx, ids)?.into_iter();
    let known = |asked| Open { asked, promised: Vec::new(), waiting: None, loads: Vec::new() };
    let mut orders: HashMap<Uuid, Open> = asked.map(|(id, asked)| (id, known(asked))).collect();
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

    /// Plans what was added. Where the order uses capacity already it needs no more of the same day.
    fn plan_beside(&self, request: Request, desk: &mut Desk<'_>) -> (Planned, Vec<(LocationCode, chrono::NaiveDate)>) {
        self.loads.iter().for_each(|it| desk.count_orders(&it.location, it.day, -1));
        let planned = desk.plan(request);
        let days = desk.load(&planned.decision);
        let counted = |it: &&Load| days.iter().any(|(location, day)| (location, day) == (&it.location, &it.day));
        let others = self.loads.iter().filter(|it| !counted(it));
        others.for_each(|it| desk.count_orders(&it.location, it.day, 1));
        (planned, days)
    }

    /// Takes its promises back and takes it off the queue; answers what all of that is for.
    fn take_back(&self, order_id: OrderId, draft: &mut Draft, desk: &mut Desk<'_>) -> Vec<Line> {
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
            draft.unload(order_id, location);
            let theirs = self.loads.iter().filter(|it| it.location == *location);
            theirs.for_each(|it| desk.count_orders(location, it.day, -1));
        }
        if let Some(waiting) = &self.waiting {
            draft.no_longer_waits(order_id);
            for demand in waiting.request.demands() {
                if let Ok(quantity) = Quantity::try_from(demand.units) {
                    add_units(&mut lines, demand.line_no, &demand.sku, quantity);
                }
            }
        }
        regroup(lines, &self.asked.ordered)
    }
}
