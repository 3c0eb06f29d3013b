//! Units of an order were cancelled or returned: exactly what they earned goes, whether the order was final or not.

use std::collections::HashMap;

use contracts::Cause;
use contracts::events::{OrderCancelled, RefundIssued, RefundLine};
use kernel::Timestamp;
use kernel::id::OrderId;
use store::Tx;

use super::complete_purchases::{Purchases, credit, settle};
use super::{Desk, FactError};
use crate::domain::account::Operation;
use crate::domain::purchase::{PurchasedLine, Worth};
use crate::store::purchases;
use crate::store::tiers::NewEntry;

/// Units that were given back.
pub struct GivenBack {
    /// The order.
    pub order: OrderId,
    /// How many units of which lines.
    pub lines: Vec<RefundLine>,
    /// What names it, once: it becomes the reference in the ledger.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// What caused it.
    pub cause: Cause,
}

impl GivenBack {
    /// What a cancellation gives back. It has no id of its own, its event has.
    pub fn by_cancellation(event: OrderCancelled, cause: Cause) -> Self {
        let name = format!("cancellation:{}", cause.event.unwrap_or_default());
        Self { order: event.order_id, lines: event.lines, name, at: event.cancelled_at, cause }
    }

    /// What a refund gives back; nothing if the original order is not known.
    pub fn by_refund(event: RefundIssued, cause: Cause) -> Option<Self> {
        let name = format!("refund:{}", event.refund_id);
        event.order_id.map(|order| Self { order, lines: event.lines, name, at: event.refunded_at, cause })
    }
}

/// Takes back what the units earned. At most one of these is of any one order.
pub fn give_back(tx: &mut Tx<'_>, desk: &Desk, given_back: &[GivenBack]) -> Result<(), FactError> {
    let orders: Vec<OrderId> = given_back.iter().map(|it| it.order).collect();
    let mut purchases = Purchases::read(tx, &orders)?;
    let mut entries: Vec<NewEntry> = Vec::new();
    let mut changed: Vec<(OrderId, PurchasedLine)> = Vec::new();
    for it in given_back {
        let Some((member, row)) = purchases.buyer(it.order) else { continue };
        let lines = purchases.lines.get(&it.order).map(Vec::as_slice).unwrap_or_default();
        let worths = take_back(it, lines, &mut changed)?;
        let operation = Operation::new(it.name.clone(), it.at);
        if row.completed_at.is_some() {
            let amount = worths.iter().map(|(_, worth)| worth.paid_amount).sum::<i64>();
            entries.push(credit(member, it.order, row, -amount));
            let points: Vec<_> = worths.iter().map(|(line_no, worth)| ((it.order, *line_no), worth.points)).collect();
            purchases.books.account(member, &it.cause)?.claw_back(&operation, &points);
        } else {
            let points = worths.iter().map(|(_, worth)| worth.points).sum();
            purchases.books.account(member, &it.cause)?.claw_back_pending(&operation, points);
        }
    }
    purchases::save_lines(tx, &changed)?;
    settle(tx, desk, purchases.books, &entries)
}

/// What the units were worth, line by line; the lines as they are then go to `changed`.
fn take_back(
    it: &GivenBack,
    lines: &[PurchasedLine],
    changed: &mut Vec<(OrderId, PurchasedLine)>,
) -> Result<Vec<(i32, Worth)>, FactError> {
    let wrong = |detail: String| FactError::Wrong { order: it.order, detail };
    let mut by_number: HashMap<i32, PurchasedLine> = lines.iter().map(|line| (line.line_no, *line)).collect();
    let mut worths = Vec::with_capacity(it.lines.len());
    for part in &it.lines {
        let line = by_number.get_mut(&part.line_no);
        let line = line.ok_or(FactError::NoLine { order: it.order, line_no: part.line_no })?;
        let worth = line.give_back(part.quantity.get()).map_err(|error| wrong(error.to_string()))?;
        worths.push((part.line_no, worth));
    }
    changed.extend(it.lines.iter().filter_map(|part| by_number.remove(&part.line_no)).map(|line| (it.order, line)));
    Ok(worths)
}
