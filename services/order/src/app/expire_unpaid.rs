//! Cancels what was not paid in time; what was paid of it goes back.

use ::store::{Error, Tx};
use contracts::Cause;
use uuid::Uuid;

use super::book::{Actor, Book};
use super::end_unpaid::{Ending, end_unpaid};
use crate::settings::Rules;
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
    let actor = Actor { name: "order".to_owned(), reason: Some("it was not paid in time".to_owned()) };
    let ending = Ending { reason: REASON, actor, cause: &Cause::default() };
    end_unpaid(tx, books.values_mut().collect(), &ending, rules)?;
    let over: Vec<Uuid> = books.keys().copied().collect();
    payment_deadlines::remove(tx, &over)?;
    Ok(!over.is_empty() && i64::try_from(found.len()).is_ok_and(|found| found >= ORDERS_PER_STEP))
}
