//! Refunds a return: what its units are worth goes back, as money or as the payment of the order that is wanted instead.

use ::store::{Error, Tx, outbox};
use contracts::events::{RefundIssued, RefundLine};
use kernel::id::{OrderId, RefundId, ReturnId};

use super::book::GoingBack;
use super::caller::Caller;
use super::exchange::credit;
use super::move_return::Opened;
use super::pay_back::{PayBack, RefundCause, pay_back};
use super::refusal::Refusal;
use crate::domain::give_back::{Beyond, Given, give_back};
use crate::domain::line::Line;
use crate::domain::return_reason::{Fault, ReturnReason};
use crate::settings::Rules;
use crate::store::returns;

/// Refunds it: its order gives back what its units are worth, to its payments or to the order of its exchange.
pub(super) fn refund(tx: &mut Tx<'_>, opened: &mut Opened, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let refund_id = RefundId::at(tx.now());
    let lines = match opened.book {
        Some(_) => give_back_units(tx, opened, rules)?,
        None => {
            opened.row.refund_amount =
                opened.lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.refund_amount.unwrap_or_default()));
            Vec::new()
        }
    };
    let wanted = opened.exchange.as_ref().map_or(0, |order| order.order.due_amount);
    opened.row.exchange_amount = wanted.min(opened.row.refund_amount);
    let exchange_amount = opened.row.exchange_amount;
    opened.row.refund_id = Some(refund_id.uuid());
    let (return_id, order_id) = (ReturnId(opened.row.return_id), opened.row.order_id.map(OrderId));
    let refund = PayBack {
        refund_id,
        order_id,
        cause: RefundCause::Return,
        return_id: Some(return_id),
        freight_amount: opened.row.freight_amount,
        total_amount: opened.row.refund_amount,
        exchange_amount,
        reason: Some(opened.row.reason.clone()),
    };
    let parts = pay_back(tx, &[refund])?.pop().unwrap_or_default();
    let event = RefundIssued {
        refund_id,
        return_id: Some(return_id),
        order_id,
        lines,
        freight_amount: opened.row.freight_amount,
        total_amount: opened.row.refund_amount,
        currency: opened.row.currency()?,
        adjustments: Vec::new(),
        parts,
        exchange_amount,
        exchange_order_id: opened.row.exchange_order_id.filter(|_| exchange_amount > 0).map(OrderId),
        reason_code: Some(opened.row.reason_code.clone()),
        refunded_at: tx.now(),
    };
    outbox::append(tx, &event, &caller.cause)?;
    match &mut opened.exchange {
        Some(order) => credit(tx, order, &opened.row, caller, rules),
        None => Ok(()),
    }
}

/// Gives back what the units are worth, in memory but for the return's lines; answers what of each order line.
fn give_back_units(tx: &mut Tx<'_>, opened: &mut Opened, rules: Rules) -> Result<Vec<RefundLine>, Error> {
    let Some(book) = &mut opened.book else { return Ok(Vec::new()) };
    let steps: Vec<(i32, i64)> =
        opened.lines.iter().filter_map(|line| line.line_no.map(|line_no| (line_no, line.quantity))).collect();
    let given = worth(&book.lines, &steps, opened.row.reason_code()?, rules)
        .map_err(|_| Error::Broken("a return claims units that were paid for"))?
        .within(book.order.freight_left());
    for line in &mut book.lines {
        let units = steps.iter().find(|(line_no, _)| *line_no == line.line_no).map_or(0, |(_, units)| *units);
        line.refunded = line.refunded.saturating_add(units);
    }
    book.give_back(&given)?;
    // Noted below, with the return. What was not paid yet is no longer due, and not refunded.
    let GoingBack { freight_amount, total_amount } = std::mem::take(&mut book.going_back);
    for line in &mut opened.lines {
        let amount = given.lines.iter().find(|given| Some(given.line_no) == line.line_no).map(|given| given.amount);
        line.refund_amount = amount;
    }
    returns::save_lines(tx, &opened.lines)?;
    opened.row.freight_amount = freight_amount;
    opened.row.refund_amount = total_amount;
    Ok(given.lines)
}

/// What goes back for units that come back: where the seller is at fault, with the freight of the rule for that, if it is more.
fn worth(lines: &[Line], steps: &[(i32, i64)], reason: ReturnReason, rules: Rules) -> Result<Given, Beyond> {
    let usual = give_back(lines, steps, rules.freight_refund)?;
    match reason.fault() {
        Fault::Buyer => Ok(usual),
        Fault::Seller => Ok(usual.or_more_freight(give_back(lines, steps, rules.freight_refund_at_fault)?)),
    }
}
