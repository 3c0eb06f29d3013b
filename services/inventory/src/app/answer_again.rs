//! Answers the order book again, and makes up for what was not heard of an order.
//!
//! What the order book knows of an order is compared with what is promised to it. A promise that it does not know of is told
//! again as it is; nothing is decided anew but what the order book shows to have changed. So it does no harm to be asked
//! while the first answer is still on its way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{
    Allocation, BackorderedSku, Destination, FulfilmentLine, FulfilmentRejected, OrderCancelled, OrderChanged,
    OrderRestated, RestatedFulfilment, StockBackordered, StockSourced,
};
use kernel::id::DecisionId;
use kernel::{LocationCode, Quantity};
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Pool;
use super::redirect_orders::redirect_orders;
use super::release_orders::release_orders;
use super::resource_orders::resource_orders;
use super::source_orders::{PlacedOrder, source_orders};
use crate::domain::{Line, Place, Request};
use crate::store::backorders::{self, Backorder};
use crate::store::reserved::{self, ReservedLine};
use crate::store::{decisions, locks};

/// Why promises are released that nobody told to release.
const CANCELLED: &str = "the order is cancelled";
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
    let (mut redirected, mut refused) = (Vec::new(), Vec::new());
    for (it, cause) in orders.iter().filter(|(it, _)| !it.cancelled && is_known(it)) {
        let Some(stand) = stands.remove(&it.order_id.uuid()) else { continue };
        let compared = stand.compare(it)?;
        match it.unanswered_version {
            Some(version) if !stand.goes_to(it) || compared.refused.is_some() => {
                redirected.push((changed(it, version), cause.clone()));
            }
            _ => {
                stand.tell(tx, it, (compared.untold, cause))?;
                refused.extend(compared.refused.map(|rejection| (rejection, cause.clone())));
            }
        }
    }
    redirect_orders(tx, pool, &redirected)?;
    if !refused.is_empty() {
        resource_orders(tx, pool, &refused)?;
    }
    Ok(())
}

/// What the inventory has decided of an order, and holds for it.
struct Stand {
    attempt: i32,
    decision_id: DecisionId,
    /// What was asked of the newest decision.
    request: Request,
    /// The newest decision that took stock at a location.
    attempts: HashMap<LocationCode, i32>,
    promised: Vec<ReservedLine>,
    waiting: Option<Backorder>,
    /// What the newest decision could not find.
    missing: Vec<BackorderedSku>,
}

/// What differs from what the order book knows.
struct Compared {
    /// Promised, and unknown to the order book.
    untold: Vec<Allocation>,
    /// Promised where the order book knows it refused. One location at a time: another is found by the next question.
    refused: Option<FulfilmentRejected>,
}

fn read(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Stand>, Error> {
    let mut stands: HashMap<Uuid, Stand> = HashMap::new();
    for stored in decisions::of_orders(tx, ids)? {
        let decision = stored.decision()?;
        let mut attempts = stands.remove(&stored.order_id).map(|before| before.attempts).unwrap_or_default();
        attempts.extend(decision.locations().into_iter().map(|location| (location.clone(), stored.attempt)));
        let stand = Stand {
            attempt: stored.attempt,
            decision_id: DecisionId(stored.id),
            missing: decision.missing().to_vec(),
            request: decision.request,
            attempts,
            promised: Vec::new(),
            waiting: None,
        };
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
    /// Whether the newest decision was made for where the order goes now.
    fn goes_to(&self, order: &OrderRestated) -> bool {
        let to = order.fulfilment.destination.clone().unwrap_or_default();
        self.request.to == to.point && self.request.place == place(to)
    }

    fn compare(&self, order: &OrderRestated) -> Result<Compared, Error> {
        let mut compared = Compared { untold: Vec::new(), refused: None };
        for (location, lines) in self.unbacked(order)? {
            let attempt = self.attempts.get(&location).copied().unwrap_or(self.attempt);
            let theirs = order.fulfilments.iter().filter(|it| it.location == location && it.attempt >= attempt);
            let theirs: Vec<&RestatedFulfilment> = theirs.collect();
            match theirs.iter().max_by_key(|it| it.attempt) {
                None => compared.untold.extend(lines.into_iter().map(|line| {
                    let FulfilmentLine { line_no, sku, quantity } = line;
                    Allocation { line_no, sku, location: location.clone(), quantity }
                })),
                Some(last) if last.refused && compared.refused.is_none() => {
                    compared.refused = Some(rejected(order, last, lines));
                }
                // Its goods are on their way out, or were cancelled: that is told in its own time.
                Some(_) => {}
            }
        }
        Ok(compared)
    }

    /// What is promised beyond what is in the order book's open fulfilment orders, by location.
    fn unbacked(&self, order: &OrderRestated) -> Result<BTreeMap<LocationCode, Vec<FulfilmentLine>>, Error> {
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
        let mut unbacked: BTreeMap<LocationCode, Vec<FulfilmentLine>> = BTreeMap::new();
        for ((location, line_no, sku), units) in units.into_iter().filter(|(_, units)| *units > 0) {
            let quantity = Quantity::try_from(units).map_err(|_| Error::Broken("what is promised are units"))?;
            unbacked.entry(location).or_default().push(FulfilmentLine { line_no, sku, quantity });
        }
        Ok(unbacked)
    }

    /// Tells again what was decided and is not known, and what waits.
    fn tell(
        &self,
        tx: &mut Tx<'_>,
        order: &OrderRestated,
        (allocations, cause): (Vec<Allocation>, &Cause),
    ) -> Result<(), Error> {
        let (order_id, decision_id, attempt) = (order.order_id, self.decision_id, self.attempt);
        let answers_version = order.unanswered_version;
        if !allocations.is_empty() {
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
        let event = StockBackordered { order_id, decision_id, attempt, missing, answers_version };
        outbox::append(tx, &event, cause)?;
        Ok(())
    }
}

fn place(to: Destination) -> Place {
    Place { province: to.province, city: to.city, adcode: None }
}

/// The order as `order.placed` would have told it.
fn placed(order: &OrderRestated, cause: Cause) -> PlacedOrder {
    let to = order.fulfilment.destination.clone().unwrap_or_default();
    let line = |it: &contracts::events::RestatedLine| Line {
        line_no: it.line_no,
        sku: it.sku.clone(),
        quantity: it.quantity,
        parts: Vec::new(),
    };
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

fn changed(order: &OrderRestated, version: i64) -> OrderChanged {
    OrderChanged {
        order_id: order.order_id,
        version,
        fields: Vec::new(),
        destination: Some(order.fulfilment.destination.clone().unwrap_or_default()),
        credited: None,
        changed_at: order.restated_at,
    }
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
