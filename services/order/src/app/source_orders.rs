//! Takes the inventory's answers: fulfilment orders for what was sourced, waiting for what was not.
//!
//! An order may be cancelled while its answer is on the way. The order's row lock decides who comes first; a cancelled
//! unit is never placed, and the inventory, which hears the cancellation after its own answer, gives its stock back.

use std::collections::{BTreeMap, HashMap, HashSet};

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentLine, FulfilmentOffered, StockBackordered, StockSourced};
use kernel::LocationCode;
use kernel::id::{FulfilmentId, OrderId};
use uuid::Uuid;

use super::book::{Actor, Book};
use crate::domain::cover;
use crate::domain::service_level::{Counts, Measure, Sum};
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Offer};
use crate::store::history::{self, Change};
use crate::store::orders::OrderRow;
use crate::store::{locks, orders, service_levels};

/// The service that answers, as history names it.
pub(super) const INVENTORY: &str = "inventory";

/// An order the inventory speaks of is not in the book; it may be on its way.
#[derive(Debug)]
pub enum Refusal {
    /// No such order.
    Unknown(Uuid),
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Places what was sourced, at most one answer per order.
pub fn sourced(tx: &mut Tx<'_>, answers: &[(StockSourced, Cause)], rules: Rules) -> Result<(), Refusal> {
    let ids: Vec<Uuid> = answers.iter().map(|(answer, _)| answer.order_id.uuid()).collect();
    let mut locked = locks::orders(tx, &ids)?;
    let mut offers = Vec::with_capacity(answers.len());
    let mut undisturbed = Vec::new();
    let mut others = Vec::new();
    for (answer, _) in answers {
        let id = answer.order_id.uuid();
        let mut order = locked.remove(&id).ok_or(Refusal::Unknown(id))?;
        if is_overtaken(tx, &mut order, answer.answers_version)? {
            continue;
        }
        if is_undisturbed(&order)? {
            offers.extend(offers_of(tx, answer, &order, cover::group(&answer.allocations)));
            undisturbed.push(order);
        } else {
            let book = Book::read(tx, order)?;
            let admitted = cover::admit(&book.lines, &book.pieces(), &answer.allocations);
            offers.extend(offers_of(tx, answer, &book.order, admitted));
            others.push(id);
        }
    }
    place(tx, &offers, answers, rules)?;
    mark(tx, undisturbed.into_iter().map(|order| (order, None)).collect())?;
    others.into_iter().try_for_each(|id| settle(tx, id, rules))?;
    Ok(())
}

/// Whether nothing happened to the order since it was placed: then the answer fits it as it is.
fn is_undisturbed(order: &OrderRow) -> Result<bool, Error> {
    Ok(order.status()? == OrderStatus::Sourcing && !order.disturbed)
}

/// Whether an answer is about a destination that the order no longer has: what it promised there has been taken back, or
/// will be. With the first answer about the new one, the order is like any other again.
fn is_overtaken(tx: &mut Tx<'_>, order: &mut OrderRow, answers: Option<i64>) -> Result<bool, Error> {
    if order.changing.is_none() {
        return Ok(false);
    }
    if order.changing != answers {
        return Ok(true);
    }
    order.changing = None;
    orders::save(tx, &[&*order])?;
    Ok(false)
}

fn offers_of(
    tx: &Tx<'_>,
    answer: &StockSourced,
    order: &OrderRow,
    lines: BTreeMap<LocationCode, Vec<FulfilmentLine>>,
) -> Vec<Offer> {
    let now = tx.now();
    let offer = |(location, lines)| Offer {
        id: FulfilmentId::at(now),
        order_id: answer.order_id,
        attempt: answer.attempt,
        location,
        kind: order.fulfilment_kind.clone(),
        lines,
        waits: order.awaits_payment(),
    };
    lines.into_iter().map(offer).collect()
}

/// Inserts the offers and tells of those that are new. Locations are not asked before the buyer has paid.
fn place(tx: &mut Tx<'_>, offers: &[Offer], answers: &[(StockSourced, Cause)], rules: Rules) -> Result<(), Error> {
    if offers.is_empty() {
        return Ok(());
    }
    let new: HashSet<Uuid> = fulfilments::offer(tx, offers)?.into_iter().collect();
    let causes: HashMap<OrderId, &Cause> = answers.iter().map(|(answer, cause)| (answer.order_id, cause)).collect();
    let unknown = Cause::default();
    let offered_at = tx.now();
    let mut counts = Counts::default();
    for offer in offers.iter().filter(|offer| !offer.waits && new.contains(&offer.id.uuid())) {
        let event = FulfilmentOffered {
            fulfilment_id: offer.id,
            order_id: offer.order_id,
            location: offer.location.clone(),
            lines: offer.lines.clone(),
            offered_at,
        };
        outbox::append(tx, &event, causes.get(&offer.order_id).copied().unwrap_or(&unknown))?;
        counts.add(&offer.location, Measure::Offered, Sum::ONE);
    }
    service_levels::add(tx, offered_at.day_in(rules.zone), &counts)
}

/// The usual case, for all such orders at once: whether they wait, and how.
fn mark(tx: &mut Tx<'_>, mut undisturbed: Vec<(OrderRow, Option<OrderStatus>)>) -> Result<(), Error> {
    let mut changes = Vec::with_capacity(undisturbed.len());
    for (order, waits) in &mut undisturbed {
        let status = waits.unwrap_or(OrderStatus::Sourced);
        status.as_str().clone_into(&mut order.status);
        order.set_waits(*waits);
        order.version = order.version.saturating_add(1);
        let (actor, what) = (INVENTORY.to_owned(), status.as_str().to_owned());
        changes.push(Change { order_id: order.id(), actor, what, reason: None });
    }
    orders::save(tx, &undisturbed.iter().map(|(order, _)| order).collect::<Vec<_>>())?;
    history::add(tx, &changes)
}

/// The unusual case: works out where the order stands from all of its parts.
fn settle(tx: &mut Tx<'_>, id: Uuid, rules: Rules) -> Result<(), Error> {
    let Some(mut book) = Book::open(tx, id.into())? else { return Ok(()) };
    if book.order.status()? == OrderStatus::Cancelled {
        return Ok(());
    }
    if cover::is_covered(&book.lines, &book.pieces()) {
        book.order.set_waits(None);
    }
    book.settle(tx, &Actor::new(INVENTORY), OrderStatus::Sourced.as_str(), rules)
}

/// Notes what waits for stock, at most one answer per order.
pub fn backordered(tx: &mut Tx<'_>, answers: &[StockBackordered], rules: Rules) -> Result<(), Refusal> {
    let ids: Vec<Uuid> = answers.iter().map(|answer| answer.order_id.uuid()).collect();
    let mut locked = locks::orders(tx, &ids)?;
    let mut undisturbed = Vec::new();
    for (id, answer) in ids.into_iter().zip(answers) {
        let mut order = locked.remove(&id).ok_or(Refusal::Unknown(id))?;
        if is_overtaken(tx, &mut order, answer.answers_version)? {
            continue;
        }
        let waits = if answer.unfillable.is_empty() { OrderStatus::Backordered } else { OrderStatus::Unfillable };
        if is_undisturbed(&order)? {
            undisturbed.push((order, Some(waits)));
            continue;
        }
        let mut book = Book::read(tx, order)?;
        // An answer that was overtaken, by a later one or by a cancellation, says nothing any more.
        if book.order.waits() != Some(waits) && !cover::is_covered(&book.lines, &book.pieces()) {
            book.order.set_waits(Some(waits));
            book.settle(tx, &Actor::new(INVENTORY), waits.as_str(), rules)?;
        }
    }
    Ok(mark(tx, undisturbed)?)
}
