//! Answers the order book again, and makes up for what was not heard of an order.
//!
//! What the order book knows of an order is compared with what is promised to it. A promise that it does not know of is told
//! again as it is; nothing is decided anew but what the order book shows to have changed, and nothing is given back but what
//! no line of the order needs. So it does no harm to be asked while the first answer is still on its way. An event that was
//! made up for may turn up after all: what is dated up to then has nothing left to do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{
    Allocation, BackorderedSku, Destination, FulfilmentLine, FulfilmentRejected, FulfilmentSent, FulfilmentShipped,
    OrderCancelled, OrderRestated, RestatedFulfilment, StockBackordered, StockSourced,
};
use kernel::id::DecisionId;
use kernel::{LocationCode, Quantity, SkuCode, Timestamp};
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Pool;
use super::change_orders::{Change, change_orders};
use super::lost_lines::{LostLines, extend_orders, line};
use super::lost_sendings::make_up_for_sendings;
use super::release_orders::release_orders;
use super::resource_orders::resource_orders;
use super::ship_orders::ship_orders;
use super::source_orders::{PlacedOrder, source_orders};
use crate::domain::{Line, Place, Request, add_ordered};
use crate::store::backorders::{self, Backorder};
use crate::store::reserved::{self, ReservedLine};
use crate::store::{decisions, locks, made_up_for};

/// Why promises are released that nobody told to release.
const CANCELLED: &str = "the order is cancelled";
/// Why promises are released that no line of the order needs.
const NOT_NEEDED: &str = "not needed, as the order book says";
/// By how much the clocks of those who date events may differ.
const CLOCKS_DIFFER_SECONDS: i64 = 60;
/// Why a part is sourced anew whose rejection was not heard.
const REFUSED: &str = "refused, as the order book says";

/// Takes a batch of orders whose answers, or whose events, may be lost.
pub fn answer_again(tx: &mut Tx<'_>, pool: &Pool, orders: &[(OrderRestated, Cause)]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let ids: Vec<Uuid> = orders.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let known: HashSet<Uuid> = decisions::known(tx, &ids)?.into_iter().collect();
    let is_known = |it: &OrderRestated| known.contains(&it.order_id.uuid());
    let cancelled = orders.iter().filter(|(it, _)| it.cancelled && is_known(it));
    let cancelled: Vec<_> = cancelled.map(|(it, cause)| (wholly_cancelled(it), cause.clone())).collect();
    if !cancelled.is_empty() {
        release_orders(tx, &cancelled)?;
    }
    let unheard = orders.iter().filter(|(it, _)| !it.cancelled && !is_known(it));
    let unheard: Vec<_> = unheard.map(|(it, cause)| placed(it, cause.clone())).collect();
    if !unheard.is_empty() {
        source_orders(tx, pool, unheard)?;
    }
    let mut stands = read(tx, &ids)?;
    let sent = orders.iter().filter_map(|(it, _)| Some(stands.get(&it.order_id.uuid())?.sent(it))).flatten();
    if make_up_for_sendings(tx, pool, orders, &sent.collect::<Vec<_>>())? {
        stands = read(tx, &ids)?;
    }
    let left: Vec<FulfilmentShipped> =
        orders.iter().filter_map(|(it, _)| Some(stands.get(&it.order_id.uuid())?.left(it))).flatten().collect();
    if !left.is_empty() {
        ship_orders(tx, &left)?;
        stands = read(tx, &ids)?;
    }
    let lost = LostLines::read(tx, orders, |id| Some(stands.get(&id)?.ordered.as_slice()))?;
    let (mut redirected, mut extended, mut refused, mut spare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (it, cause) in orders.iter().filter(|(it, _)| !it.cancelled && is_known(it)) {
        let Some(stand) = stands.remove(&it.order_id.uuid()) else { continue };
        let compared = stand.compare(it)?;
        let added = lost.added(it, &stand.request, cause);
        match it.unanswered_version {
            Some(version) if !stand.goes_to(it) || compared.refused.is_some() || !added.added.is_empty() => {
                redirected.push(redirected_by(it, version, added));
            }
            _ => {
                stand.tell(tx, it, (compared.untold, cause))?;
                extended.push((it, added));
                refused.extend(compared.refused.map(|rejection| (rejection, cause.clone())));
                spare.extend(not_needed(it, compared.spare).map(|release| (release, cause.clone())));
            }
        }
    }
    let upto = |it: &OrderRestated| (it.order_id.uuid(), it.restated_at.plus_seconds(CLOCKS_DIFFER_SECONDS));
    if !spare.is_empty() {
        release_orders(tx, &spare)?;
    }
    change_orders(tx, pool, redirected)?;
    spare.extend(extend_orders(tx, pool, extended)?);
    let corrected = refused.iter().map(|(it, _)| it.order_id).chain(spare.iter().map(|(it, _)| it.order_id));
    let corrected: HashSet<_> = corrected.collect();
    let noted: Vec<_> =
        orders.iter().filter(|(it, _)| corrected.contains(&it.order_id)).map(|(it, _)| upto(it)).collect();
    if !refused.is_empty() {
        resource_orders(tx, pool, &refused)?;
    }
    made_up_for::note(tx, &noted)?;
    Ok(())
}

/// Those events of orders that were not made up for meanwhile: `(order, when it happened)` tells of each.
pub fn still_to_do<T>(
    tx: &mut Tx<'_>,
    events: Vec<T>,
    dated: impl Fn(&T) -> (Uuid, Timestamp),
) -> Result<Vec<T>, Error> {
    let ids: Vec<Uuid> = events.iter().map(|it| dated(it).0).collect();
    let upto = made_up_for::upto(tx, &ids)?;
    let is_new = |it: &T| {
        let (order, at) = dated(it);
        upto.get(&order).is_none_or(|upto| at > *upto)
    };
    Ok(events.into_iter().filter(is_new).collect())
}

/// What the inventory has decided of an order, and holds for it.
struct Stand {
    attempt: i32,
    decision_id: DecisionId,
    /// What was asked of the newest decision.
    request: Request,
    /// The lines as they were ordered.
    ordered: Vec<Line>,
    /// Every decision: its id, and the locations where it took stock.
    decided: HashMap<i32, (DecisionId, HashSet<LocationCode>)>,
    /// The newest decision that took a line's stock at a location.
    attempts: HashMap<(LocationCode, i32, SkuCode), i32>,
    promised: Vec<ReservedLine>,
    waiting: Option<Backorder>,
    /// What the newest decision could not find.
    missing: Vec<BackorderedSku>,
    /// Of what waits, what no location could ever give.
    unfillable: Vec<SkuCode>,
}

/// Promised units by the location and the decision that took them there.
type Unbacked = BTreeMap<(LocationCode, i32), Vec<FulfilmentLine>>;

/// What differs from what the order book knows.
struct Compared {
    /// Promised, and unknown to the order book, by the decision.
    untold: BTreeMap<i32, Vec<Allocation>>,
    /// Promised, and no line of the order needs it.
    spare: Vec<Allocation>,
    /// Promised where the order book knows it refused. One location at a time: another is found by the next question.
    refused: Option<FulfilmentRejected>,
}

fn read(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Stand>, Error> {
    let mut stands: HashMap<Uuid, Stand> = HashMap::new();
    for stored in decisions::of_orders(tx, ids)? {
        let decision = stored.decision()?;
        let id = DecisionId(stored.id);
        let mut stand = stands.remove(&stored.order_id).unwrap_or_else(|| Stand::new(id, decision.request.clone()));
        (stand.attempt, stand.decision_id) = (stored.attempt, id);
        stand.decided.insert(stored.attempt, (id, decision.locations().into_iter().cloned().collect()));
        let taken = decision.allocations().iter();
        let taken = taken.map(|it| ((it.location.clone(), it.line_no, it.sku.clone()), stored.attempt));
        stand.attempts.extend(taken);
        stand.missing = decision.missing().to_vec();
        stand.unfillable.clone_from(&decision.unfillable);
        add_ordered(&mut stand.ordered, decision.request.lines.clone());
        stand.request = decision.request;
        stands.insert(stored.order_id, stand);
    }
    for line in reserved::of_owners(tx, ids)? {
        if let Some(stand) = stands.get_mut(&line.owner) {
            stand.promised.push(line);
        }
    }
    for waiting in backorders::of_orders(tx, ids)? {
        if let Some(stand) = stands.get_mut(&waiting.order_id.uuid()) {
            stand.waiting = Some(waiting);
        }
    }
    Ok(stands)
}

impl Stand {
    fn new(decision_id: DecisionId, request: Request) -> Self {
        Self {
            attempt: 0,
            decision_id,
            request,
            ordered: Vec::new(),
            decided: HashMap::new(),
            attempts: HashMap::new(),
            promised: Vec::new(),
            waiting: None,
            missing: Vec::new(),
            unfillable: Vec::new(),
        }
    }

    /// Whether a fulfilment order came of a decision: it bears its number, or, of an answer that was told again, that of a later
    /// decision, unless that one took stock there itself.
    fn came_of(&self, attempt: i32, it: &RestatedFulfilment) -> bool {
        let itself = || self.decided.get(&it.attempt).is_some_and(|(_, locations)| locations.contains(&it.location));
        it.attempt == attempt || (it.attempt > attempt && !itself())
    }

    /// Whether the newest decision was made for where the order goes now.
    fn goes_to(&self, order: &OrderRestated) -> bool {
        let to = order.fulfilment.destination.clone().unwrap_or_default();
        self.request.to == to.point && self.request.place == place(to)
    }

    fn compare(&self, order: &OrderRestated) -> Result<Compared, Error> {
        let mut compared = Compared { untold: BTreeMap::new(), spare: Vec::new(), refused: None };
        let mut needed = self.needed(order);
        let (mut refusing, mut elsewhere) = (Vec::new(), Vec::new());
        for ((location, attempt), lines) in self.unbacked(order)? {
            let theirs = order.fulfilments.iter().filter(|it| it.location == location && self.came_of(attempt, it));
            match theirs.max_by_key(|it| it.attempt) {
                None => {
                    let (untold, spare) = split(lines, needed.as_mut());
                    compared.untold.entry(attempt).or_default().extend(at(&location, untold));
                    compared.spare.extend(at(&location, spare));
                }
                Some(last) if last.refused => refusing.push((last, lines)),
                Some(last) => elsewhere.push((last, lines)),
            }
        }
        // What a location did not find is sourced anew as what it refused. Where the order book does not say what it needs,
        // the goods of others are on their way out, or were cancelled: that is told in its own time.
        let elsewhere = if needed.is_some() { elsewhere } else { Vec::new() };
        for (last, lines) in refusing.into_iter().chain(elsewhere) {
            let (lines, spare) = split(lines, needed.as_mut());
            compared.spare.extend(at(&last.location, spare));
            if compared.refused.is_none() && !lines.is_empty() {
                compared.refused = Some(rejected(order, last, lines));
            }
        }
        Ok(compared)
    }

    /// The units that the order needs beyond its fulfilment orders and what waits in the queue, if the order book says that.
    fn needed(&self, order: &OrderRestated) -> Option<HashMap<(i32, SkuCode), i64>> {
        let uncovered = order.uncovered.as_ref()?;
        let mut needed: HashMap<(i32, SkuCode), i64> =
            uncovered.iter().map(|it| ((it.line_no, it.sku.clone()), it.quantity.get())).collect();
        for demand in self.waiting.iter().flat_map(|it| it.request.demands()) {
            if let Some(units) = needed.get_mut(&(demand.line_no, demand.sku)) {
                *units = units.saturating_sub(demand.units);
            }
        }
        Some(needed)
    }

    /// The fulfilment orders that were sent to where they are collected, as far as what is in them is still promised where they
    /// were sent from.
    fn sent(&self, order: &OrderRestated) -> Vec<FulfilmentSent> {
        let promised = |from: &LocationCode, line: &FulfilmentLine| {
            let here = self.promised.iter().filter(|it| &it.location == from);
            let here = here.filter(|it| it.line_no == line.line_no && it.sku == line.sku);
            here.map(|it| it.quantity).fold(0, i64::saturating_add)
        };
        let sent = order.fulfilments.iter().filter_map(|it| Some((it, it.sent_from.as_ref()?)));
        sent.filter(|(it, from)| it.lines.iter().all(|line| promised(from, line) >= line.quantity.get()))
            .map(|(it, from)| FulfilmentSent {
                fulfilment_id: it.fulfilment_id,
                order_id: order.order_id,
                location: from.clone(),
                to: it.location.clone(),
                lines: it.lines.clone(),
                parcels: Vec::new(),
                sent_at: order.restated_at,
            })
            .collect()
    }

    /// The fulfilment orders whose goods have left, as far as what is in them is still promised. One that is known to have left
    /// does so no second time.
    fn left(&self, order: &OrderRestated) -> Vec<FulfilmentShipped> {
        let promised = |location: &LocationCode, line: &FulfilmentLine| {
            let here = self.promised.iter().filter(|it| &it.location == location);
            let here = here.filter(|it| it.line_no == line.line_no && it.sku == line.sku);
            here.map(|it| it.quantity).fold(0, i64::saturating_add)
        };
        let left = order.fulfilments.iter().filter(|it| it.shipped);
        left.filter(|it| it.lines.iter().all(|line| promised(&it.location, line) >= line.quantity.get()))
            .map(|it| FulfilmentShipped {
                fulfilment_id: it.fulfilment_id,
                order_id: order.order_id,
                location: it.location.clone(),
                lines: it.lines.clone(),
                parcels: Vec::new(),
                shipped_at: order.restated_at,
            })
            .collect()
    }

    /// What is promised beyond what is in the order book's open fulfilment orders, by location and decision.
    fn unbacked(&self, order: &OrderRestated) -> Result<Unbacked, Error> {
        let mut units = BTreeMap::new();
        for line in &self.promised {
            let sum: &mut i64 = units.entry((line.location.clone(), line.line_no, line.sku.clone())).or_default();
            *sum = sum.saturating_add(line.quantity);
        }
        for it in order.fulfilments.iter().filter(|it| it.open) {
            for line in &it.lines {
                if let Some(sum) = units.get_mut(&(it.location.clone(), line.line_no, line.sku.clone())) {
                    *sum = sum.saturating_sub(line.quantity.get());
                }
            }
        }
        let mut unbacked = Unbacked::new();
        for ((location, line_no, sku), units) in units.into_iter().filter(|(_, units)| *units > 0) {
            let quantity = Quantity::try_from(units).map_err(|_| Error::Broken("what is promised are units"))?;
            let place = (location, line_no, sku);
            let attempt = self.attempts.get(&place).copied().unwrap_or(self.attempt);
            let (location, line_no, sku) = place;
            unbacked.entry((location, attempt)).or_default().push(FulfilmentLine { line_no, sku, quantity });
        }
        Ok(unbacked)
    }

    /// Tells again what was decided and is not known, and what waits.
    fn tell(
        &self,
        tx: &mut Tx<'_>,
        order: &OrderRestated,
        (untold, cause): (BTreeMap<i32, Vec<Allocation>>, &Cause),
    ) -> Result<(), Error> {
        let (order_id, decision_id, attempt) = (order.order_id, self.decision_id, self.attempt);
        let answers_version = order.unanswered_version;
        for (attempt, allocations) in untold.into_iter().filter(|(_, allocations)| !allocations.is_empty()) {
            let decision_id = self.decided.get(&attempt).map_or(decision_id, |(id, _)| *id);
            let sourced_at = tx.now();
            let event = StockSourced { order_id, decision_id, attempt, allocations, sourced_at, answers_version };
            outbox::append(tx, &event, cause)?;
        }
        let Some(waiting) = &self.waiting else { return Ok(()) };
        let mut missing = self.missing.clone();
        if missing.is_empty() {
            // An earlier decision has put it into the queue.
            for (sku, units) in waiting.request.needs() {
                let units = Quantity::try_from(units).map_err(|_| Error::Broken("an order waits for units"))?;
                missing.push(BackorderedSku { sku, missing: units });
            }
        }
        let unfillable = self.unfillable.clone();
        let event = StockBackordered { order_id, decision_id, attempt, missing, unfillable, answers_version };
        outbox::append(tx, &event, cause)?;
        Ok(())
    }
}

/// Splits lines into what is needed, which is needed no more then, and the rest. Where nobody says, all of it is.
fn split(
    lines: Vec<FulfilmentLine>,
    needed: Option<&mut HashMap<(i32, SkuCode), i64>>,
) -> (Vec<FulfilmentLine>, Vec<FulfilmentLine>) {
    let Some(needed) = needed else { return (lines, Vec::new()) };
    let (mut taken, mut rest) = (Vec::new(), Vec::new());
    for line in lines {
        let left = needed.entry((line.line_no, line.sku.clone())).or_default();
        let units = line.quantity.get().min(*left).max(0);
        *left = left.saturating_sub(units);
        let spare = line.quantity.get().saturating_sub(units);
        taken.extend(Quantity::try_from(units).map(|quantity| FulfilmentLine { quantity, ..line.clone() }));
        rest.extend(Quantity::try_from(spare).map(|quantity| FulfilmentLine { quantity, ..line }));
    }
    (taken, rest)
}

fn at(location: &LocationCode, lines: Vec<FulfilmentLine>) -> impl Iterator<Item = Allocation> {
    lines.into_iter().map(|FulfilmentLine { line_no, sku, quantity }| Allocation {
        line_no,
        sku,
        location: location.clone(),
        quantity,
    })
}

/// What gives back what is promised to an order that does not need it.
fn not_needed(order: &OrderRestated, spare: Vec<Allocation>) -> Option<OrderCancelled> {
    let reason = NOT_NEEDED.to_owned();
    let (order_id, cancelled_at) = (order.order_id, order.restated_at);
    let lines = Vec::new();
    (!spare.is_empty()).then_some(OrderCancelled {
        order_id,
        lines,
        allocations: spare,
        whole: false,
        reason,
        cancelled_at,
    })
}

fn place(to: Destination) -> Place {
    Place { province: to.province, city: to.city, adcode: None }
}

/// The order as `order.placed` would have told it.
fn placed(order: &OrderRestated, cause: Cause) -> PlacedOrder {
    let to = order.fulfilment.destination.clone().unwrap_or_default();
    let request = Request {
        channel: order.channel.clone(),
        placed_at: order.placed_at,
        kind: order.fulfilment.kind,
        to: to.point,
        place: place(to),
        amount: Some(order.total_amount),
        whole: false,
        pickup: order.fulfilment.location.clone(),
        lines: order.lines.iter().map(line).collect(),
        excluded: BTreeSet::new(),
        allowed: BTreeMap::new(),
        claim: None,
        redirected_by: None,
    };
    PlacedOrder { order_id: order.order_id, request, reservation: order.reservation_id, cause }
}

fn wholly_cancelled(order: &OrderRestated) -> OrderCancelled {
    OrderCancelled {
        order_id: order.order_id,
        lines: Vec::new(),
        allocations: Vec::new(),
        whole: true,
        reason: CANCELLED.to_owned(),
        cancelled_at: order.restated_at,
    }
}

/// The order as `order.changed` would have told it, with what was added as it is known.
fn redirected_by(order: &OrderRestated, version: i64, added: Change) -> Change {
    let to = Some(order.fulfilment.destination.clone().unwrap_or_default());
    Change { version, to, again: true, ..added }
}

fn rejected(order: &OrderRestated, of: &RestatedFulfilment, lines: Vec<FulfilmentLine>) -> FulfilmentRejected {
    FulfilmentRejected {
        fulfilment_id: of.fulfilment_id,
        order_id: order.order_id,
        location: of.location.clone(),
        lines,
        reason: REFUSED.to_owned(),
        recalled: of.recalled,
        recalled_with: Vec::new(),
        sourced_with: None,
        rejected_at: order.restated_at,
    }
}
