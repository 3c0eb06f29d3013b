//! Takes fulfilment orders back for which nearer stock was found, so that what is in them is sourced anew.
//!
//! The inventory only asks. Whether a location has begun is known here alone, and the order's row lock decides between it
//! and a picker: what was picked first stays.

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentKind, FulfilmentRejected, RecalledPart, StockBetterFound};
use kernel::LocationCode;
use uuid::Uuid;

use super::book::{Actor, Book, write_back};
use super::source_orders::{INVENTORY, Refusal};
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};

/// Recalls what was asked for, at most one request per order. An order moves as a whole or not at all: if anything that
/// was asked for is picked, collected by the buyer, or no longer there, the request is let rest.
pub fn recall_orders(tx: &mut Tx<'_>, requests: &[(StockBetterFound, Cause)], rules: Rules) -> Result<(), Refusal> {
    let ids: Vec<Uuid> = requests.iter().map(|(it, _)| it.order_id.uuid()).collect();
    let mut books = Book::open_all(tx, &ids)?;
    let mut changed = Vec::new();
    let mut concluded = Vec::new();
    let mut moved = Vec::new();
    for (request, cause) in requests {
        let id = request.order_id.uuid();
        let mut book = books.remove(&id).ok_or(Refusal::Unknown(id))?;
        let recalled = recall(&mut book, request, tx)?;
        if recalled.is_empty() {
            continue;
        }
        let from: Vec<&str> = recalled.iter().map(|it| it.location.as_str()).collect();
        concluded.push(book.conclude(&actor(request), &format!("{} recalled", from.join(", ")))?);
        tell(tx, &recalled, cause)?;
        changed.extend(recalled);
        moved.push(book);
    }
    if !changed.is_empty() {
        fulfilments::save(tx, &changed)?;
        write_back(tx, &moved.iter().collect::<Vec<_>>(), &concluded, rules)?;
    }
    Ok(())
}

/// Takes back what the request names, in memory; answers nothing if it is let rest.
fn recall(book: &mut Book, request: &StockBetterFound, tx: &Tx<'_>) -> Result<Vec<Fulfilment>, Error> {
    let asked = |location: &LocationCode| request.allocations.iter().any(|it| it.location == *location);
    let open = book.fulfilments.iter().filter(|it| it.status.is_open() && asked(&it.location));
    let open: Vec<Fulfilment> = open.cloned().collect();
    // What was offered since was planned since.
    let untouched = |it: &Fulfilment| {
        it.kind == FulfilmentKind::Ship && it.status.may_be_recalled() && it.attempt <= request.attempt
    };
    // Whoever holds an order looks at it as it is.
    if book.order.held {
        return Ok(Vec::new());
    }
    let are_there = request.allocations.iter().all(|it| open.iter().any(|open| open.location == it.location));
    if !are_there || !open.iter().all(untouched) {
        return Ok(Vec::new());
    }
    open.into_iter().map(|it| book.take_back(it, FulfilmentRejected::RECALLED, tx.now())).collect()
}

fn actor(request: &StockBetterFound) -> Actor {
    let better: Vec<&str> = request.better.iter().map(LocationCode::as_str).collect();
    let mut gains = Vec::new();
    if request.fewer_parts > 0 {
        gains.push(format!("parts fewer by {}", request.fewer_parts));
    }
    if request.gain_metres > 0 {
        gains.push(format!("{} m nearer", request.gain_metres));
    }
    Actor { name: INVENTORY.to_owned(), reason: Some(format!("{}: {}", better.join(", "), gains.join(", "))) }
}

/// Tells of each; the first names the others, so that all are sourced as one.
fn tell(tx: &mut Tx<'_>, recalled: &[Fulfilment], cause: &Cause) -> Result<(), Error> {
    let Some((first, others)) = recalled.split_first() else { return Ok(()) };
    let part =
        |it: &Fulfilment| RecalledPart { fulfilment_id: it.id, location: it.location.clone(), lines: it.lines.clone() };
    for it in recalled {
        let is_first = it.id == first.id;
        let event = FulfilmentRejected {
            recalled_with: if is_first { others.iter().map(part).collect() } else { Vec::new() },
            sourced_with: (!is_first).then_some(first.id),
            ..it.rejected(tx.now())
        };
        outbox::append(tx, &event, cause)?;
    }
    Ok(())
}
