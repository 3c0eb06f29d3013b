//! Holds orders until a person releases them. Several holds may be on one order; it goes on when the last is released.
//!
//! An order that a rule holds at its intake is told to nobody until then; one that was told before stands where it stood.
//! Its promises stay, and whatever would bring its goods nearer to the buyer is refused: whoever holds and whoever moves
//! lock the order's row, so one of them sees the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::store::{Error, Tx, outbox};
use contracts::events::{OrderHeld, OrderHold, OrderReleased};
use kernel::id::{HoldId, OrderId};
use kernel::{Code, Timestamp};
use uuid::Uuid;

use super::book::{Book, write_back};
use super::caller::Caller;
use super::cancel_order::Why;
use super::refusal::Refusal;
use super::tell_placed::tell_placed;
use crate::domain::state::{FulfilmentStatus, OrderStatus};
use crate::settings::{FulfilmentSettings, Rules};
use crate::store::code;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::holds::{self, HoldRow};
use crate::store::orders::OrderRow;

/// The most holds that an order has over time: people who argue about it stay far below.
pub const MAX_HOLDS: usize = 200;

/// A hold to be placed by a person.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The order.
    pub order_id: OrderId,
    /// Why, as a word that the queue is narrowed by.
    pub reason: Code,
    /// What there is to say.
    pub note: Option<String>,
}

/// What is to be released.
#[derive(Clone, Debug)]
pub struct Release {
    /// The order.
    pub order_id: OrderId,
    /// The hold; all of them, when left out.
    pub hold_id: Option<HoldId>,
    /// What there is to say.
    pub note: Option<String>,
}

/// Whether something of an order that stands so may still be kept from leaving.
pub const fn may_be_held(status: OrderStatus) -> bool {
    !matches!(status, OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled)
}

/// Why an order is held, in one line.
pub fn reasons(open: &[HoldRow]) -> String {
    let reasons: BTreeSet<&str> = open.iter().map(|hold| hold.reason.as_str()).collect();
    reasons.into_iter().collect::<Vec<_>>().join(", ")
}

/// Holds an order of which something has not left yet.
pub fn hold_order(tx: &mut Tx<'_>, command: &Hold, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let mut book = caller.open(tx, command.order_id)?;
    let status = book.order.status()?;
    if !may_be_held(status) {
        return Err(Refusal::State(format!("the order is {status}: nothing is left to hold")));
    }
    let before = holds::of(tx, &[book.order.order_id])?.remove(&book.order.order_id).unwrap_or_default();
    if before.len() >= MAX_HOLDS {
        return Err(Refusal::State(format!("the order has had {MAX_HOLDS} holds, which is the most")));
    }
    let hold = HoldRow {
        hold_id: HoldId::at(tx.now()).uuid(),
        order_id: book.order.order_id,
        channel: book.order.channel.clone(),
        reason: command.reason.to_string(),
        rule: None,
        ruleset_version: None,
        note: command.note.clone(),
        placed_at: tx.now().utc(),
        placed_by: caller.principal.client_id.to_string(),
        released_at: None,
        released_by: None,
        release_note: None,
    };
    book.order.held = true;
    let concluded = book.note(&caller.actor(command.note.clone()), &format!("held: {}", command.reason))?;
    let event = held(&book.order, std::slice::from_ref(&hold), tx.now())?;
    holds::insert(tx, &[hold])?;
    write_back(tx, &[&book], &[concluded], rules)?;
    Ok(outbox::append(tx, &event, &caller.cause)?)
}

/// What is told of holds that were just placed.
pub fn held(order: &OrderRow, placed: &[HoldRow], now: Timestamp) -> Result<OrderHeld, Error> {
    let hold = |row: &HoldRow| -> Result<OrderHold, Error> {
        Ok(OrderHold {
            hold_id: row.id(),
            reason: code(&row.reason)?,
            rule: row.rule.as_deref().map(code).transpose()?,
        })
    };
    Ok(OrderHeld {
        order_id: order.id(),
        channel: code(&order.channel)?,
        channel_order_no: order.channel_order_no.clone(),
        holds: placed.iter().map(hold).collect::<Result<_, _>>()?,
        before_placed: order.status()? == OrderStatus::Held,
        held_at: now,
    })
}

/// Releases one hold of an order, or all of them.
pub fn release_order(tx: &mut Tx<'_>, command: &Release, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let book = caller.open(tx, command.order_id)?;
    let holds = holds::of(tx, &[book.order.order_id])?.remove(&book.order.order_id).unwrap_or_default();
    if let Some(id) = command.hold_id {
        let hold = holds.iter().find(|hold| hold.id() == id).ok_or_else(|| missing(id))?;
        check_open(hold)?;
    }
    let open: Vec<HoldRow> = holds.into_iter().filter(HoldRow::is_open).collect();
    if open.is_empty() {
        return Err(Refusal::State("the order is not held".to_owned()));
    }
    let is_chosen = |hold: &&HoldRow| command.hold_id.is_none_or(|id| hold.id() == id);
    let chosen = open.iter().filter(is_chosen).map(|hold| hold.hold_id).collect();
    let releasing = vec![Releasing { book, open, chosen }];
    Ok(release(tx, releasing, command.note.as_deref(), caller, rules)?)
}

fn missing(id: HoldId) -> Refusal {
    Refusal::NotFound { what: "hold", key: id.to_string() }
}

fn check_open(hold: &HoldRow) -> Result<(), Refusal> {
    match hold.released_at {
        Some(at) => Err(Refusal::State(format!("the hold was released at {}", Timestamp::from(at)))),
        None => Ok(()),
    }
}

/// An order under its lock, what holds it, and what of that is to be released.
struct Releasing {
    book: Book,
    open: Vec<HoldRow>,
    chosen: BTreeSet<Uuid>,
}

/// Releases holds in a constant number of statements. Orders that nothing holds any more go on.
fn release(
    tx: &mut Tx<'_>,
    mut releasing: Vec<Releasing>,
    note: Option<&str>,
    caller: &Caller,
    rules: Rules,
) -> Result<(), Error> {
    let actor = caller.actor(note.map(str::to_owned));
    let mut ended = Vec::new();
    let mut waiting = Vec::new();
    let mut untold = Vec::new();
    let mut concluded = Vec::with_capacity(releasing.len());
    for Releasing { book, open, chosen } in &mut releasing {
        let (over, left): (Vec<&HoldRow>, Vec<&HoldRow>) = open.iter().partition(|it| chosen.contains(&it.hold_id));
        ended.extend(over.iter().map(|hold| hold.hold_id));
        let over: Vec<HoldRow> = over.into_iter().cloned().collect();
        if left.is_empty() {
            book.order.held = false;
            waiting.extend(wait_anew(book, rules.fulfilment, tx.now())?);
            let event = released(book, &over, false, tx.now());
            outbox::append(tx, &event, &caller.cause)?;
        }
        let mut next = book.order.status()?;
        if left.is_empty() && book.is_untold()? {
            next = OrderStatus::Sourcing;
            untold.push(book.order.order_id);
        }
        concluded.push(book.turn(next, &actor, &format!("released: {}", reasons(&over)))?);
    }
    holds::release(tx, &ended, &actor.name, note)?;
    fulfilments::save(tx, &waiting)?;
    let books: Vec<&Book> = releasing.iter().map(|it| &it.book).collect();
    write_back(tx, &books, &concluded, rules)?;
    tell_placed(tx, &untold, &caller.cause, rules.freight_refund)
}

/// Whoever could not come for their goods while the order was held has the whole time anew.
fn wait_anew(book: &mut Book, settings: FulfilmentSettings, now: Timestamp) -> Result<Vec<Fulfilment>, Error> {
    let waits = |it: &&Fulfilment| it.status == FulfilmentStatus::Ready && it.times.collect_by.is_some();
    let waiting: Vec<Fulfilment> = book.fulfilments.iter().filter(waits).cloned().collect();
    let anew = |mut it: Fulfilment| {
        (it.times.collect_by, it.times.remind_at) = settings.collecting(now);
        book.change_fulfilment(it, now)
    };
    waiting.into_iter().map(anew).collect()
}

fn released(book: &Book, over: &[HoldRow], ended: bool, now: Timestamp) -> OrderReleased {
    let holds = over.iter().map(HoldRow::id).collect();
    OrderReleased { order_id: book.order.id(), holds, ended, released_at: now }
}

/// Ends the holds of an order of which nothing is left to hold; whoever cancelled the rest writes the order back.
pub fn end_holds(tx: &mut Tx<'_>, book: &mut Book, why: &Why<'_>) -> Result<(), Error> {
    let id = book.order.order_id;
    let open = holds::open_of(tx, &[id])?.remove(&id).unwrap_or_default();
    book.order.held = false;
    let ids: Vec<Uuid> = open.iter().map(|hold| hold.hold_id).collect();
    holds::release(tx, &ids, &why.actor.name, why.actor.reason.as_deref())?;
    outbox::append(tx, &released(book, &open, true, tx.now()), why.cause)
}

/// Releases holds of any orders, each for itself; answers in their places whose they were.
pub fn release_holds(
    tx: &mut Tx<'_>,
    ids: &[HoldId],
    note: Option<&str>,
    caller: &Caller,
    rules: Rules,
) -> Result<Vec<Result<OrderId, Refusal>>, Error> {
    let orders = holds::orders_of(tx, &ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())?;
    // The orders' locks come first; what was seen before them may have changed.
    let books = Book::open_all(tx, &orders.values().copied().collect::<Vec<_>>())?;
    let mut holds = holds::of(tx, &books.keys().copied().collect::<Vec<_>>())?;
    let mut chosen: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        let book = orders.get(&id.uuid()).and_then(|order| books.get(order));
        let outcome = book.ok_or_else(|| missing(*id)).and_then(|book| check_one(book, &holds, *id, caller));
        match outcome {
            Ok(order) => _ = chosen.entry(order.uuid()).or_default().insert(id.uuid()),
            Err(Refusal::Store(error)) => return Err(error),
            Err(_) => {}
        }
        outcomes.push(outcome);
    }
    let releasing = books.into_iter().filter_map(|(id, book)| {
        let chosen = chosen.remove(&id)?;
        let open = holds.remove(&id).unwrap_or_default().into_iter().filter(HoldRow::is_open).collect();
        Some(Releasing { book, open, chosen })
    });
    release(tx, releasing.collect(), note, caller, rules)?;
    Ok(outcomes)
}

fn check_one(
    book: &Book,
    holds: &HashMap<Uuid, Vec<HoldRow>>,
    id: HoldId,
    caller: &Caller,
) -> Result<OrderId, Refusal> {
    caller.check_channel(&code(&book.order.channel)?)?;
    let hold = holds.get(&book.order.order_id).and_then(|all| all.iter().find(|hold| hold.id() == id));
    check_open(hold.ok_or_else(|| missing(id))?)?;
    Ok(book.order.id())
}
