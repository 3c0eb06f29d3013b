//! Cancels all of orders that wait for their payment: nothing of them has left, and what was paid goes back.

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

/// Why orders end.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The reason that their events tell.
    pub reason: &'static str,
    /// Who ends them and why, for their histories.
    pub actor: Actor,
    /// What their events carry on.
    pub cause: &'a Cause,
}

/// Cancels those of the orders that wait for their payment. They must be locked.
pub fn end_unpaid(tx: &mut Tx<'_>, books: Vec<&mut Book>, ending: &Ending<'_>, rules: Rules) -> Result<(), Error> {
    let mut ended = Ended::default();
    let mut changed: Vec<&Book> = Vec::with_capacity(books.len());
    for book in books.into_iter().filter(|book| book.order.awaits_payment()) {
        ended.end(tx, book, ending, rules)?;
        changed.push(book);
    }
    if changed.is_empty() {
        return Ok(());
    }
    fulfilments::save(tx, &ended.fulfilments)?;
    write_back(tx, &changed, &ended.concluded, rules)?;
    payment_deadlines::remove(tx, &changed.iter().map(|book| book.order.order_id).collect::<Vec<Uuid>>())?;
    ended.cancelled.iter().try_for_each(|event| outbox::append(tx, event, ending.cause))
}

/// What a step has changed.
#[derive(Default)]
struct Ended {
    fulfilments: Vec<Fulfilment>,
    concluded: Vec<Concluded>,
    cancelled: Vec<OrderCancelled>,
}

impl Ended {
    /// Cancels an order, in memory.
    fn end(&mut self, tx: &mut Tx<'_>, book: &mut Book, why: &Ending<'_>, rules: Rules) -> Result<(), Error> {
        let live = book.lines.iter().filter(|line| line.live() > 0);
        let steps: Vec<(i32, i64)> = live.map(|line| (line.line_no, line.live())).collect();
        let plan = cover::plan_cancel(&book.lines, &book.pieces(), &steps)
            .map_err(|_| Error::Broken("nothing leaves before it is paid"))?;
        let is_untold = book.is_untold()?;
        let told = Cancelled { reason: why.reason, lapsed: None };
        let (changed, event) = take_out(book, (&steps, plan), told, rules.freight_refund, tx.now())?;
        if book.order.held {
            end_holds(tx, book, &Why { actor: why.actor.clone(), cause: why.cause })?;
        }
        self.concluded.push(book.conclude(&why.actor, OrderStatus::Cancelled.as_str())?);
        self.fulfilments.extend(changed);
        // Whoever was not told of an order need not hear of its end.
        self.cancelled.extend(Some(event).filter(|_| !is_untold));
        Ok(())
    }
}
