//! Completes delivered orders whose return window has passed.

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::OrderCompleted;

use crate::domain::state::OrderStatus;
use crate::store::history::{self, Change};
use crate::store::{locks, orders};

/// Orders completed in one step, so that no step holds locks for long.
pub const ORDERS_PER_STEP: i64 = 500;

/// Completes up to [`ORDERS_PER_STEP`] orders; answers how many were due.
pub fn complete_orders(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let due = locks::take_due(tx, ORDERS_PER_STEP)?;
    if due.is_empty() {
        return Ok(0);
    }
    let completed_at = tx.now();
    let mut completed = Vec::with_capacity(due.len());
    let mut changes = Vec::with_capacity(due.len());
    for (_, mut order) in locks::orders(tx, &due)? {
        // What is not paid yet is completed when it is.
        let is_paid = order.due_amount == 0 && order.authorised_amount == 0;
        if is_paid && order.status()?.may_become(OrderStatus::Completed) {
            OrderStatus::Completed.as_str().clone_into(&mut order.status);
            order.version = order.version.saturating_add(1);
            outbox::append(tx, &OrderCompleted { order_id: order.id(), completed_at }, &Cause::default())?;
            let (actor, what) = ("order".to_owned(), order.status.clone());
            changes.push(Change {
                order_id: order.id(),
                actor,
                what,
                reason: Some("the return window has passed".to_owned()),
            });
            completed.push(order);
        }
    }
    orders::save(tx, &completed.iter().collect::<Vec<_>>())?;
    history::add(tx, &changes)?;
    Ok(due.len())
}
