//! Gives a part of what an order costs back for units that the buyer keeps: for damage, for a price that fell, as a favour.

use ::store::{Tx, outbox};
use contracts::events::{LineAmount, RefundIssued};
use kernel::Money;
use kernel::id::{OrderId, RefundId};

use super::book::{Book, write_back};
use super::caller::Caller;
use super::pay_back::{PayBack, RefundCause, pay_back};
use super::refusal::Refusal;
use crate::domain::give_back::Given;
use crate::settings::Rules;
use crate::store::lines;

/// What is to go back.
#[derive(Clone, Debug)]
pub struct Adjust {
    /// The order.
    pub order_id: OrderId,
    /// Of the price of which lines, each named once, how much.
    pub lines: Vec<(i32, Money)>,
    /// Freight.
    pub freight: Option<Money>,
    /// Why.
    pub reason: String,
}

/// Gives a part of the price back, all that is asked for or nothing.
pub fn adjust_price(tx: &mut Tx<'_>, command: &Adjust, caller: &Caller, rules: Rules) -> Result<(), Refusal> {
    let id = command.order_id;
    let mut book = caller.open(tx, id)?;
    if book.is_untold()? {
        return Err(Refusal::State("the order is held: its price stays until it is released".to_owned()));
    }
    let adjustments = reprice(&mut book, command)?;
    let freight_amount = freight(&book, command)?;
    let goods = adjustments.iter().fold(0_i64, |sum, it| sum.saturating_add(it.amount));
    let total_amount = goods.saturating_add(freight_amount);
    book.give_back(&Given { lines: Vec::new(), freight_amount, total_amount })?;
    let back = std::mem::take(&mut book.going_back);
    let refund = PayBack {
        refund_id: RefundId::at(tx.now()),
        order_id: Some(id),
        cause: RefundCause::Adjustment,
        return_id: None,
        freight_amount: back.freight_amount,
        total_amount: back.total_amount,
        exchange_amount: 0,
        reason: Some(command.reason.clone()),
    };
    let event = RefundIssued {
        refund_id: refund.refund_id,
        return_id: None,
        order_id: Some(id),
        lines: Vec::new(),
        adjustments,
        freight_amount: back.freight_amount,
        total_amount: back.total_amount,
        currency: book.order.currency()?,
        parts: pay_back(tx, &[refund])?.pop().unwrap_or_default(),
        exchange_amount: 0,
        exchange_order_id: None,
        reason_code: None,
        refunded_at: tx.now(),
    };
    let concluded = book.conclude(&caller.actor(Some(command.reason.clone())), "price adjusted")?;
    lines::reprice(tx, id.uuid(), &book.lines)?;
    write_back(tx, &[&book], &[concluded], rules)?;
    Ok(outbox::append(tx, &event, &caller.cause)?)
}

/// Lowers what the lines' remaining units are worth, in memory.
fn reprice(book: &mut Book, command: &Adjust) -> Result<Vec<LineAmount>, Refusal> {
    let currency = book.order.currency()?;
    let mut adjustments = Vec::with_capacity(command.lines.len());
    for (index, (line_no, money)) in command.lines.iter().enumerate() {
        let field = |name: &str| format!("lines[{index}].{name}");
        let line = book.lines.iter_mut().find(|line| line.line_no == *line_no);
        let line =
            line.ok_or_else(|| Refusal::invalid(field("line_no"), format!("the order has no line {line_no}")))?;
        let left = Money::new(line.worth_left(), currency);
        if money.currency != currency || money.amount < 1 || line.reprice(money.amount).is_none() {
            let detail = format!("is more than 0 and at most the {left} that the units of the line are still worth");
            return Err(Refusal::invalid(field("amount"), detail));
        }
        adjustments.push(LineAmount { line_no: *line_no, sku: line.sku.clone(), amount: money.amount });
    }
    Ok(adjustments)
}

fn freight(book: &Book, command: &Adjust) -> Result<i64, Refusal> {
    let Some(money) = command.freight else { return Ok(0) };
    let left = Money::new(book.order.freight_left(), book.order.currency()?);
    if money.currency != left.currency || !(1..=left.amount).contains(&money.amount) {
        return Err(Refusal::invalid("freight", format!("is more than 0 and at most the {left} that are left of it")));
    }
    Ok(money.amount)
}
