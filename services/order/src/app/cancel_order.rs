//! Cancels an order, wholly or by units of its lines, before they ship.

use ::store::{Error, Tx, outbox};
use contracts::events::OrderCancelled;
use kernel::id::{OrderId, RefundId};

use super::book::{Book, merge};
use super::caller::Caller;
use super::pay_back::{PayBack, pay_back};
use super::refusal::Refusal;
use crate::domain::cover;
use crate::domain::give_back::give_back;
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::code;
use crate::store::fulfilments;

/// What is to be cancelled.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The order.
    pub order_id: OrderId,
    /// Units per line; everything, when left out.
    pub lines: Option<Vec<(i32, i64)>>,
    /// Why.
    pub reason: String,
}

/// Cancels; answers the order as it is then.
pub fn cancel_order(tx: &mut Tx<'_>, command: &Cancel, caller: &Caller, rules: Rules) -> Result<Book, Refusal> {
    let id = command.order_id;
    let mut book = Book::open(tx, id)?.ok_or_else(|| Refusal::NotFound { what: "order", key: id.to_string() })?;
    caller.check_channel(&code(&book.order.channel)?)?;
    caller.check_version(book.order.version)?;
    let steps = steps(&book, command)?;
    let plan = cover::plan_cancel(&book.lines, &book.pieces(), &steps).map_err(|few| {
        Refusal::State(format!(
            "the order is {}: line {} has fewer units that have not shipped",
            book.order.status, few.line_no
        ))
    })?;
    let given =
        give_back(&book.lines, &steps, rules.freight_refund).map_err(|_| Error::Broken("a plan fits its lines"))?;
    for (line_no, units) in &steps {
        if let Some(line) = book.lines.iter_mut().find(|line| line.line_no == *line_no) {
            line.cancelled = line.cancelled.saturating_add(*units);
        }
    }
    for (fulfilment_id, lines) in plan.reduced {
        let Some(mut fulfilment) = book.fulfilments.iter().find(|it| it.id == fulfilment_id).cloned() else { continue };
        if lines.is_empty() {
            // What was in it stays readable: a cancelled fulfilment order covers nothing.
            fulfilment.status = FulfilmentStatus::Cancelled;
            fulfilment.reason = Some(command.reason.clone());
        } else {
            fulfilment.lines = lines;
        }
        let changed = book.change_fulfilment(fulfilment, tx.now())?;
        fulfilments::save(tx, &[changed])?;
    }
    let whole = book.lines.iter().all(|line| line.live() == 0);
    book.order.disturbed = true;
    book.order.backordered = book.order.backordered && !cover::is_covered(&book.lines, &book.pieces());
    book.give_back(&given)?;
    if given.total_amount > 0 {
        let refund = PayBack {
            refund_id: RefundId::at(tx.now()),
            order_id: Some(id),
            return_id: None,
            freight_amount: given.freight_amount,
            total_amount: given.total_amount,
            reason: Some(command.reason.clone()),
        };
        pay_back(tx, &[refund])?;
    }
    let what = if whole { "cancelled" } else { "partly cancelled" };
    book.settle(tx, &caller.actor(Some(command.reason.clone())), what, rules.return_window_seconds)?;
    let event = OrderCancelled {
        order_id: id,
        lines: given.lines,
        allocations: plan.allocations,
        whole,
        reason: command.reason.clone(),
        cancelled_at: tx.now(),
    };
    outbox::append(tx, &event, &caller.cause)?;
    Ok(book)
}

/// The units to cancel per line, each line named once.
fn steps(book: &Book, command: &Cancel) -> Result<Vec<(i32, i64)>, Refusal> {
    let Some(wanted) = &command.lines else {
        let live: Vec<(i32, i64)> =
            book.lines.iter().filter(|line| line.live() > 0).map(|line| (line.line_no, line.live())).collect();
        if live.is_empty() {
            return Err(Refusal::State("the order is cancelled already".to_owned()));
        }
        return Ok(live);
    };
    for (index, (line_no, _)) in wanted.iter().enumerate() {
        if !book.lines.iter().any(|line| line.line_no == *line_no) {
            return Err(Refusal::invalid(
                format!("lines[{index}].line_no"),
                format!("the order has no line {line_no}"),
            ));
        }
    }
    Ok(merge(wanted.iter().copied()))
}
