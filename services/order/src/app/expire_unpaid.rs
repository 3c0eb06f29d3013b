//! Cancels what was not paid in time; what was paid of it goes back.

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::OrderCancelled;
use uuid::Uuid;

use super::book::{Actor, Book, Concluded, write_back};
use super::cancel_order::{Cancelled, Why, take_out};
use super::hold_order::end_holds;
use crate::domain::cover;
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::payment_deadlines;

/// Orders looked at in one step, so that no step holds locks for long.
const ORDERS_PER_STEP: i64 = 300;

/// Why what was not paid is cancelled, as its event says.
const REASON: &str = "not_paid";

/// Cancels a step's worth of orders that were not paid in time; answers whether there are more.
pub fn expire_unpaid(tx: &mut Tx<'_>, rules: Rules) -> Result<bool, Error> {
    let now = tx.now();
    let found = payment_deadlines::passed(tx, now, ORDERS_PER_STEP)?;
    // What was seen before the orders' locks may have changed; an order that somebody works on is found again.
    let mut books = Book::open_free(tx, &found)?;
    let deadlines = payment_deadlines::of(tx, &books.keys().copied().collect::<Vec<_>>())?;
    books.retain(|id, _| deadlines.get(id).is_some_and(|row| row.due_at <= now.utc()));
    let mut expired = Expired::default();
    let mut changed = Vec::with_capacity(books.len());
    for book in books.values_mut().filter(|book| book.order.awaits_payment()) {
        expired.expire(tx, book, rules)?;
        changed.push(&*book);
    }
    fulfilments::save(tx, &expired.fulfilments)?;
    if !changed.is_empty() {
        write_back(tx, &changed, &expired.concluded, rules)?;
    }
    for event in &expired.cancelled {
        outbox::append(tx, event, &Cause::default())?;
    }
    let over: Vec<Uuid> = books.keys().copied().collect();
    payment_deadlines::remove(tx, &over)?;
    Ok(!over.is_empty() && i64::try_from(found.len()).is_ok_and(|found| found >= ORDERS_PER_STEP))
}

/// What a step has changed.
#[derive(Default)]
struct Expired {
    fulfilments: Vec<Fulfilment>,
    concluded: Vec<Concluded>,
    cancelled: Vec<OrderCancelled>,
}

impl Expired {
    /// Cancels an order, in memory: before it is paid nothing of it has left.
    fn expire(&mut self, tx: &mut Tx<'_>, book: &mut Book, rules: Rules) -> Result<(), Error> {
        let live = book.lines.iter().filter(|line| line.live() > 0);
        let steps: Vec<(i32, i64)> = live.map(|line| (line.line_no, line.live())).collect();
        let plan = cover::plan_cancel(&book.lines, &book.pieces(), &steps)
            .map_err(|_| Error::Broken("nothing leaves before it is paid"))?;
        let is_untold = book.is_untold()?;
        let why = Cancelled { reason: REASON, lapsed: None };
        let (changed, event) = take_out(book, (&steps, plan), why, rules.freight_refund, tx.now())?;
        let actor = Actor { name: "order".to_owned(), reason: Some("it was not paid in time".to_owned()) };
        if book.order.held {
            end_holds(tx, book, &Why { actor: actor.clone(), cause: &Cause::default() })?;
        }
        self.concluded.push(book.conclude(&actor, OrderStatus::Cancelled.as_str())?);
        self.fulfilments.extend(changed);
        // Whoever was not told of an order need not hear of its end.
        self.cancelled.extend(Some(event).filter(|_| !is_untold));
        Ok(())
    }
}
