//! Changes an order in the book: where it goes, its lines and their units, who is credited, the remark. Only what differs is
//! done; a reservation is never deleted to be made anew, and what was picked stays as it is.

use ::store::{Error, Tx, outbox};
use contracts::events::{Credited, FulfilmentKind, FulfilmentRejected, OrderChanged};
use contracts::requests::Address;
use kernel::Code;
use kernel::id::OrderId;

use super::book::{Book, write_back};
use super::caller::Caller;
use super::cancel_order::{self, Why, cancel_units};
use super::document::Document;
use super::extend_order::{self, Extension};
use super::place_orders::destination;
use super::refusal::Refusal;
use super::sent_lines;
use super::wished_lines::{self, Wish};
use crate::domain::sent::Sent;
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::orders::OrderRow;
use crate::store::{code, orders};

/// What becomes of an order; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it goes.
    pub ship_to: Option<Address>,
    /// Units that lines lose, each line named once.
    pub cuts: Vec<(i32, i64)>,
    /// What it has more.
    pub extension: Option<Extension>,
    /// The guide credited with the sale; empty for none.
    pub guide: Option<String>,
    /// The store credited with the sale; empty for none.
    pub store: Option<String>,
    /// The remark.
    pub note: Option<String>,
    /// What the channel says of its lines, where it is the channel that changes it.
    pub sent: Option<Sent>,
    /// Why.
    pub reason: Option<String>,
}

/// Changes an order, all of it or nothing: lines as they are wished for, and the rest.
pub fn change_order(
    tx: &mut Tx<'_>,
    id: OrderId,
    (change, wish): (&Change, &Wish),
    caller: &Caller,
    rules: Rules,
) -> Result<(), Refusal> {
    let mut book = caller.open(tx, id)?;
    let why = Why { actor: caller.actor(change.reason.clone()), cause: &caller.cause };
    let (cuts, extension) = wished_lines::steps(tx, &book, wish)?;
    let change = Change { cuts, extension, ..change.clone() };
    apply(tx, &mut book, &change, &why, rules).map_err(|refusal| wish.named(refusal))
}

/// Changes an order that is locked. Whatever is refused is refused before anything is written.
pub fn apply(tx: &mut Tx<'_>, book: &mut Book, change: &Change, why: &Why<'_>, rules: Rules) -> Result<(), Refusal> {
    let stored = orders::find(tx, book.order.id())?.ok_or(Error::Broken("a locked order is in the book"))?;
    let mut document: Document = serde_json::from_str(&stored.document).map_err(Error::from)?;
    let moved = change.ship_to.as_ref().filter(|to| document.fulfilment.ship_to.as_ref() != Some(*to));
    let note = change.note.as_ref().filter(|note| document.note.as_ref() != Some(*note));
    if moved.is_some() {
        check_unpicked(book)?;
    }
    let guide = rename(change.guide.as_deref(), &mut document.guide)?;
    let store = rename(change.store.as_deref(), &mut document.store)?;
    if guide || store {
        check_credited(book)?;
    }
    change_lines(tx, book, (&stored, &mut document), change, (why, rules))?;
    let moved = moved.filter(|_| book.order.status().is_ok_and(|status| status != OrderStatus::Cancelled));
    let fields = [("ship_to", moved.is_some()), ("note", note.is_some()), ("guide", guide), ("store", store)];
    let fields: Vec<String> = fields.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect();
    let before = document.fulfilment.ship_to.as_ref().map(destination);
    let elsewhere = moved.map(destination).filter(|to| Some(to) != before.as_ref());
    if let Some(to) = moved {
        document.fulfilment.ship_to = Some(to.clone());
    }
    if let Some(note) = note {
        document.note = Some(note.clone()).filter(|note| !note.is_empty());
    }
    let text = serde_json::to_string(&document).map_err(Error::from)?;
    if text != stored.document {
        orders::rewrite(tx, &OrderRow { document: text, ..stored })?;
    }
    if fields.is_empty() {
        return Ok(());
    }
    if elsewhere.is_some() {
        take_back(tx, book)?;
    }
    let concluded = book.conclude(&why.actor, &format!("changed: {}", fields.join(", ")))?;
    let is_untold = book.is_untold()?;
    if elsewhere.is_some() && !is_untold {
        book.order.changing = Some(book.order.version);
    }
    write_back(tx, &[&*book], &[concluded], rules)?;
    // Whoever was not told of an order is told how it is then.
    if is_untold {
        return Ok(());
    }
    let credited = (guide || store).then_some(Credited { guide: document.guide, store: document.store });
    let event = OrderChanged {
        order_id: book.order.id(),
        version: book.order.version,
        fields,
        destination: elsewhere,
        credited,
        added: None,
        changed_at: tx.now(),
    };
    outbox::append(tx, &event, why.cause)?;
    Ok(())
}

/// Adds what is added, then takes off what is taken off: so an order is never at its end in between.
fn change_lines(
    tx: &mut Tx<'_>,
    book: &mut Book,
    (stored, document): (&OrderRow, &mut Document),
    change: &Change,
    (why, rules): (&Why<'_>, Rules),
) -> Result<(), Refusal> {
    if !change.cuts.is_empty() {
        cancel_order::plan(book, &change.cuts)?;
    }
    let addition = match &change.extension {
        Some(extension) => Some(extend_order::plan(tx, (&*book, &*document), extension, &change.cuts, rules)?),
        None => None,
    };
    let sent = change.sent.clone().or(document.sent.take());
    document.sent = match (sent, &addition) {
        // What is added is nothing that the channel said.
        (None, Some(_)) => Some(sent_lines::as_placed(tx, stored, document)?),
        (sent, _) => sent,
    };
    if let Some(addition) = addition {
        extend_order::extend(tx, book, addition, why, rules)?;
    }
    if !change.cuts.is_empty() {
        cancel_units(tx, book, &change.cuts, why, rules)?;
    }
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
    book.order.set_waits(None);
    fulfilments::save(tx, &taken)
}
