//! Turns what was accrued on completed orders into what is owed.

use std::collections::{BTreeMap, HashMap};

use kernel::Timestamp;
use kernel::id::OrderId;
use store::Tx;
use uuid::Uuid;

use super::FactError;
use super::books::{Posting, Step, post};
use crate::store::locks::lock_orders;
use crate::store::{attributions, lines};

/// An order whose return window has passed.
#[derive(Clone, Copy, Debug)]
pub struct EarnOrder {
    /// The order.
    pub order_id: OrderId,
    /// When it completed.
    pub completed_at: Timestamp,
}

/// Moves what is left of the orders' accruals to payable, once per order, with a constant number of statements.
pub fn earn(tx: &mut Tx<'_>, orders: &[EarnOrder]) -> Result<(), FactError> {
    let order_ids: Vec<Uuid> = orders.iter().map(|order| order.order_id.uuid()).collect();
    let locked: HashMap<Uuid, bool> =
        lock_orders(tx, &order_ids)?.into_iter().map(|order| (order.order_id, order.earned_at.is_some())).collect();
    if let Some(order) = orders.iter().find(|order| !locked.contains_key(&order.order_id.uuid())) {
        return Err(FactError::Missing { what: "the attribution", order_id: order.order_id });
    }
    let due: BTreeMap<Uuid, Timestamp> = orders
        .iter()
        .filter(|order| locked.get(&order.order_id.uuid()) == Some(&false))
        .map(|order| (order.order_id.uuid(), order.completed_at))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let due_ids: Vec<Uuid> = due.keys().copied().collect();
    let mut postings: BTreeMap<Uuid, Posting> = BTreeMap::new();
    for line in lines::of_orders(tx, &due_ids)? {
        let Some(occurred_at) = due.get(&line.order_id).copied() else { continue };
        let order_id = OrderId(line.order_id);
        let currency = super::stored_currency(&line.currency)?;
        let posting = postings.entry(line.order_id).or_insert_with(|| Posting {
            order_id,
            step: Step::Earn,
            source: order_id.to_string(),
            currency,
            occurred_at,
            amounts: BTreeMap::new(),
        });
        posting.add(&line.payee, line.left())?;
    }
    let marks: Vec<_> = due.iter().map(|(order_id, at)| (*order_id, at.utc())).collect();
    attributions::mark_earned(tx, &marks)?;
    let postings: Vec<Posting> = postings.into_values().collect();
    post(tx, &postings)
}
