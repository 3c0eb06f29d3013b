//! Takes the inventory's answers: fulfilment orders for what was sourced, waiting for what was not.
//!
//! An order may be cancelled while its answer is on the way. The order's row lock decides who comes first; a cancelled
//! unit is never placed, and the inventory, which hears the cancellation after its own answer, gives its stock back.

use std::collections::{BTreeMap, HashSet};

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentLine, FulfilmentOffered, StockBackordered, StockSourced};
use kernel::LocationCode;
use kernel::id::FulfilmentId;
use uuid::Uuid;

use super::book::{Actor, Book};
use crate::domain::cover;
use crate::domain::state::OrderStatus;
use crate::store::fulfilments::{self, Offer};
use crate::store::history::{self, Change};
use crate::store::orders::OrderRow;
use crate::store::{locks, orders};

const INVENTORY: &str = "inventory";

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
pub fn sourced(tx: &mut Tx<'_>, answers: &[(StockSourced, Cause)]) -> Result<(), Refusal> {
    let ids: Vec<Uuid> = answers.iter().map(|(answer, _)| answer.order_id.uuid()).collect();
    let mut locked = locks::orders(tx, &ids)?;
    let mut offers = Vec::with_capacity(answers.len());
    let mut placed = Vec::new();
    let mut looked_at = Vec::new();
    for (answer, cause) in answers {
        let id = answer.order_id.uuid();
        let order = locked.remove(&id).ok_or(Refusal::Unknown(id))?;
        if order.status()? == OrderStatus::Sourcing && !order.disturbed {
            offers.extend(offers_of(tx, answer, &order, cover::group(&answer.allocations)));
            placed.push(order);
        } else {
            let book = Book::read(tx, order)?;
            let admitted = cover::admit(&book.lines, &book.pieces(), &answer.allocations);
            offers.extend(offers_of(tx, answer, &book.order, admitted));
            looked_at.push((id, cause));
        }
    }
    place(tx, &offers, answers)?;
    mark_sourced(tx, placed)?;
    for (id, _) in looked_at {
        settle(tx, id)?;
    }
    Ok(())
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
    };
    lines.into_iter().map(offer).collect()
}

/// Inserts the offers and tells of those that are new.
fn place(tx: &mut Tx<'_>, offers: &[Offer], answers: &[(StockSourced, Cause)]) -> Result<(), Error> {
    if offers.is_empty() {
        return Ok(());
    }
    let new: HashSet<Uuid> = fulfilments::offer(tx, offers)?.into_iter().collect();
    let offered_at = tx.now();
    for offer in offers.iter().filter(|offer| new.contains(&offer.id.uuid())) {
        let event = FulfilmentOffered {
            fulfilment_id: offer.id,
            order_id: offer.order_id,
            location: offer.location.clone(),
            lines: offer.lines.clone(),
            offered_at,
        };
        let cause = answers.iter().find(|(answer, _)| answer.order_id == offer.order_id).map(|(_, cause)| cause);
        outbox::append(tx, &event, cause.unwrap_or(&Cause::default()))?;
    }
    Ok(())
}

/// The usual case, for all such orders at once: nothing happened to them since they were placed.
fn mark_sourced(tx: &mut Tx<'_>, mut placed: Vec<OrderRow>) -> Result<(), Error> {
    let mut changes = Vec::with_capacity(placed.len());
    for order in &mut placed {
        let status = OrderStatus::Sourced.as_str();
        status.clone_into(&mut order.status);
        order.version = order.version.saturating_add(1);
        changes.push(Change {
            order_id: order.id(),
            actor: INVENTORY.to_owned(),
            what: status.to_owned(),
            reason: None,
        });
    }
    orders::save(tx, &placed)?;
    history::add(tx, &changes)
}

/// The unusual case: works out where the order stands from all of its parts.
fn settle(tx: &mut Tx<'_>, id: Uuid) -> Result<(), Error> {
    let Some(mut book) = Book::open(tx, id.into())? else { return Ok(()) };
    if book.order.status()? == OrderStatus::Cancelled {
        return Ok(());
    }
    if cover::is_covered(&book.lines, &book.pieces()) {
        book.order.backordered = false;
    }
    book.settle(tx, &Actor::new(INVENTORY), OrderStatus::Sourced.as_str(), 0)
}

/// Notes what waits for stock.
pub fn backordered(tx: &mut Tx<'_>, answers: &[StockBackordered]) -> Result<(), Refusal> {
    let ids: Vec<Uuid> = answers.iter().map(|answer| answer.order_id.uuid()).collect();
    let mut locked = locks::orders(tx, &ids)?;
    for id in ids {
        let order = locked.remove(&id).ok_or(Refusal::Unknown(id))?;
        let mut book = Book::read(tx, order)?;
        // An answer that was overtaken, by a later one or by a cancellation, says nothing any more.
        if book.order.backordered || cover::is_covered(&book.lines, &book.pieces()) {
            continue;
        }
        book.order.backordered = true;
        // What was partly cancelled while it waits is told apart when stock arrives.
        book.order.disturbed = true;
        book.settle(tx, &Actor::new(INVENTORY), OrderStatus::Backordered.as_str(), 0)?;
    }
    Ok(())
}
