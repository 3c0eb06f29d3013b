//! Changes an order in the book: where it goes, how many units, who is credited, the remark. Only what differs is done; a reservation is
//! never deleted to be made anew, and what was picked stays as it is.

use ::store::{Error, Tx, outbox};
use contracts::events::{Credited, FulfilmentKind, FulfilmentRejected, OrderChanged};
use contracts::requests::Address;
use kernel::Code;
use kernel::id::OrderId;

use super::book::{Book, write_back};
use super::caller::Caller;
use super::cancel_order::{Why, cancel_units};
use super::place_orders::{Document, destination};
use super::refusal::Refusal;
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::{code, orders};

/// What an order is to be; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it goes.
    pub ship_to: Option<Address>,
    /// Units that are still wanted, by line: fewer than now, or none.
    pub lines: Vec<(i32, i64)>,
    /// The guide credited with the sale; empty for none.
    pub guide: Option<String>,
    /// The store credited with the sale; empty for none.
    pub store: Option<String>,
    /// The remark.
    pub note: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Changes an order, all of it or nothing.
pub fn change_order(
    tx: &mut Tx<'_>,
    id: OrderId,
    change: &Change,
    caller: &Caller,
    rules: Rules,
) -> Result<(), Refusal> {
    let mut book = caller.open(tx, id)?;
    let why = Why { actor: caller.actor(change.reason.clone()), cause: &caller.cause };
    apply(tx, &mut book, change, &why, rules)
}

/// Changes an order that is locked.
pub fn apply(tx: &mut Tx<'_>, book: &mut Book, change: &Change, why: &Why<'_>, rules: Rules) -> Result<(), Refusal> {
    let stored = orders::find(tx, book.order.id())?.ok_or(Error::Broken("a locked order is in the book"))?;
    let mut document: Document = serde_json::from_str(&stored.document).map_err(Error::from)?;
    let moved = change.ship_to.as_ref().filter(|to| document.fulfilment.ship_to.as_ref() != Some(*to));
    let note = change.note.as_ref().filter(|note| document.note.as_ref() != Some(*note));
    let steps = steps(book, &change.lines)?;
    if moved.is_some() {
        check_unpicked(book)?;
    }
    let guide = rename(change.guide.as_deref(), &mut document.guide)?;
    let store = rename(change.store.as_deref(), &mut document.store)?;
    if guide || store {
        check_credited(book)?;
    }
    if !steps.is_empty() {
        cancel_units(tx, book, &steps, why, rules)?;
    }
    let moved = moved.filter(|_| book.order.status().is_ok_and(|status| status != OrderStatus::Cancelled));
    let fields = [("ship_to", moved.is_some()), ("note", note.is_some()), ("guide", guide), ("store", store)];
    let fields: Vec<String> = fields.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let before = document.fulfilment.ship_to.as_ref().map(destination);
    let elsewhere = moved.map(destination).filter(|to| Some(to) != before.as_ref());
    if let Some(to) = moved {
        document.fulfilment.ship_to = Some(to.clone());
    }
    if let Some(note) = note {
        document.note = Some(note.clone()).filter(|note| !note.is_empty());
    }
    if elsewhere.is_some() {
        take_back(tx, book)?;
    }
    let concluded = book.conclude(&why.actor, &format!("changed: {}", fields.join(", ")))?;
    let is_untold = book.is_untold()?;
    if elsewhere.is_some() && !is_untold {
        book.order.changing = Some(book.order.version);
    }
    book.order.document = serde_json::to_string(&document).map_err(Error::from)?;
    book.order.content = stored.content;
    orders::rewrite(tx, &book.order)?;
    write_back(tx, &[&*book], &[concluded], rules)?;
    // Whoever was not told of an order is told how it is then.
    if is_untold {
        return Ok(());
    }
    let (order_id, version) = (book.order.id(), book.order.version);
    let credited = (guide || store).then_some(Credited { guide: document.guide, store: document.store });
    let event =
        OrderChanged { order_id, version, fields, destination: elsewhere, credited, added: None, changed_at: tx.now() };
    outbox::append(tx, &event, why.cause)?;
    Ok(())
}

/// Names another one, or nobody; answers whether that is a change.
fn rename(wanted: Option<&str>, named: &mut Option<Code>) -> Result<bool, Error> {
    let Some(wanted) = wanted else { return Ok(false) };
    let wanted = if wanted.is_empty() { None } else { Some(code(wanted)?) };
    Ok(std::mem::replace(named, wanted.clone()) != wanted)
}

/// Who is credited is final with the order.
fn check_credited(book: &Book) -> Result<(), Refusal> {
    match book.order.status()? {
        status @ (OrderStatus::Completed | OrderStatus::Cancelled) => {
            Err(Refusal::State(format!("the order is {status}: who is credited with it stays")))
        }
        _ => Ok(()),
    }
}

/// How many units fewer of each line.
fn steps(book: &Book, wanted: &[(i32, i64)]) -> Result<Vec<(i32, i64)>, Refusal> {
    let mut steps: Vec<(i32, i64)> = Vec::with_capacity(wanted.len());
    for (index, (line_no, units)) in wanted.iter().enumerate() {
        let line = book.lines.iter().find(|line| line.line_no == *line_no).ok_or_else(|| {
            Refusal::invalid(format!("lines[{index}].line_no"), format!("the order has no line {line_no}"))
        })?;
        if steps.iter().any(|(other, _)| other == line_no) || wanted.iter().take(index).any(|(no, _)| no == line_no) {
            return Err(Refusal::invalid(format!("lines[{index}].line_no"), "is named twice"));
        }
        let fewer = line.live().saturating_sub(*units);
        if fewer < 0 {
            let detail = format!("the line has {} units; more of them are an order of their own", line.live());
            return Err(Refusal::invalid(format!("lines[{index}].quantity"), detail));
        }
        if fewer > 0 {
            steps.push((*line_no, fewer));
        }
    }
    Ok(steps)
}

/// An address can be changed as long as it is on no parcel.
fn check_unpicked(book: &Book) -> Result<(), Refusal> {
    if book.order.kind() == FulfilmentKind::Pickup {
        return Err(Refusal::invalid("ship_to", "has no place in a pickup"));
    }
    let status = book.order.status()?;
    let over = matches!(
        status,
        OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled
    );
    if over {
        return Err(Refusal::State(format!("the order is {status}: its address stays")));
    }
    let picked = |it: &&Fulfilment| it.status.is_open() && !it.status.may_be_recalled();
    match book.fulfilments.iter().find(picked) {
        Some(it) => {
            let (location, status) = (&it.location, it.status);
            Err(Refusal::State(format!("{location} has {status} a part of the order: its address stays")))
        }
        None => Ok(()),
    }
}

/// Takes everything back from its locations that has not left.
fn take_back(tx: &mut Tx<'_>, book: &mut Book) -> Result<(), Error> {
    let open: Vec<Fulfilment> = book.fulfilments.iter().filter(|it| it.status.is_open()).cloned().collect();
    let mut taken = Vec::with_capacity(open.len());
    for it in open {
        taken.push(book.take_back(it, FulfilmentRejected::READDRESSED, tx.now())?);
    }
    book.order.backordered = false;
    fulfilments::save(tx, &taken)
}
