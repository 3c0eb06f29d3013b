//! Cancels an order, wholly or by units of its lines, before they ship.

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::OrderCancelled;
use kernel::Timestamp;
use kernel::id::{FulfilmentId, OrderId};

use super::book::{Actor, Book, merge};
use super::caller::Caller;
use super::hold_order::{end_holds, may_be_held};
use super::refusal::Refusal;
use crate::domain::cover::{self, CancelPlan, TooFew};
use crate::domain::gifts;
use crate::domain::give_back::{FreightRefund, give_back};
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};

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
    let mut book = caller.open(tx, id)?;
    let steps = steps(&book, command)?;
    let why = Why { actor: caller.actor(Some(command.reason.clone())), cause: &caller.cause };
    cancel_units(tx, &mut book, &steps, &why, rules)?;
    Ok(book)
}

/// Who cancels and why, and what its events carry on.
#[derive(Debug)]
pub struct Why<'a> {
    /// Who, with a reason.
    pub actor: Actor,
    /// What made it happen.
    pub cause: &'a Cause,
}

/// Cancels units per line, each line named once, of an order that is locked, and the gifts that come with them.
pub fn cancel_units(
    tx: &mut Tx<'_>,
    book: &mut Book,
    steps: &[(i32, i64)],
    why: &Why<'_>,
    rules: Rules,
) -> Result<(), Refusal> {
    let reason = why.actor.reason.clone().unwrap_or_default();
    let is_untold = book.is_untold()?;
    let (steps, plan) = plan(book, steps)?;
    let told = Cancelled { reason: &reason, lapsed: None };
    let (changed, event) = take_out(book, (&steps, plan), told, rules.freight_refund, tx.now())?;
    fulfilments::save(tx, &changed)?;
    if book.order.held && !may_be_held(cover::order_status(&book.lines, &book.pieces(), book.order.waits())) {
        end_holds(tx, book, why)?;
    }
    let what = if event.whole { "cancelled" } else { "partly cancelled" };
    book.settle(tx, &why.actor, what, rules)?;
    // Whoever was not told of an order hears of what was cancelled with its release.
    if !is_untold {
        outbox::append(tx, &event, why.cause)?;
    }
    Ok(())
}

/// How units of an order are cancelled; refused where they have shipped.
pub fn plan(book: &Book, steps: &[(i32, i64)]) -> Result<(Vec<(i32, i64)>, CancelPlan), Refusal> {
    let plan = |steps: &[(i32, i64)]| cover::plan_cancel(&book.lines, &book.pieces(), steps);
    with_gifts(book, steps, plan).map_err(|few| {
        Refusal::State(format!(
            "the order is {}: line {} has fewer units that have not shipped",
            book.order.status, few.line_no
        ))
    })
}

/// How units are cancelled, with the gifts that go with them. A gift that can no longer be stopped keeps nobody from
/// cancelling what was paid for.
pub fn with_gifts(
    book: &Book,
    steps: &[(i32, i64)],
    plan: impl Fn(&[(i32, i64)]) -> Result<CancelPlan, TooFew>,
) -> Result<(Vec<(i32, i64)>, CancelPlan), TooFew> {
    let gifts = gifts::cancelled_with(&book.lines, steps);
    let all = merge(steps.iter().chain(&gifts).copied());
    match plan(&all) {
        Err(_) if !gifts.is_empty() => Ok((steps.to_vec(), plan(steps)?)),
        planned => Ok((all, planned?)),
    }
}

/// Why units are cancelled, as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Cancelled<'a> {
    /// The reason that is told.
    pub reason: &'a str,
    /// The fulfilment order that lapses by it, when nobody came to collect.
    pub lapsed: Option<FulfilmentId>,
}

/// Takes planned units out of an order, in memory; answers the fulfilment orders to be saved and what is to be told.
pub fn take_out(
    book: &mut Book,
    (steps, plan): (&[(i32, i64)], CancelPlan),
    why: Cancelled<'_>,
    freight_refund: FreightRefund,
    now: Timestamp,
) -> Result<(Vec<Fulfilment>, OrderCancelled), Error> {
    let given = give_back(&book.lines, steps, freight_refund).map_err(|_| Error::Broken("a plan fits its lines"))?;
    let given = given.within(book.order.freight_left());
    for (line_no, units) in steps {
        if let Some(line) = book.lines.iter_mut().find(|line| line.line_no == *line_no) {
            line.cancelled = line.cancelled.saturating_add(*units);
        }
    }
    let mut changed = Vec::with_capacity(plan.reduced.len());
    for (fulfilment_id, lines) in plan.reduced {
        let Some(mut fulfilment) = book.fulfilments.iter().find(|it| it.id == fulfilment_id).cloned() else { continue };
        if lines.is_empty() {
            // What was in it stays readable: a cancelled fulfilment order covers nothing.
            let lapsed = why.lapsed == Some(fulfilment_id);
            fulfilment.status = if lapsed { FulfilmentStatus::Lapsed } else { FulfilmentStatus::Cancelled };
            fulfilment.reason = Some(why.reason.to_owned());
        } else {
            fulfilment.lines = lines;
        }
        changed.push(book.change_fulfilment(fulfilment, now)?);
    }
    book.order.disturbed = true;
    if cover::is_covered(&book.lines, &book.pieces()) {
        book.order.set_waits(None);
    }
    book.give_back(&given)?;
    let event = OrderCancelled {
        order_id: book.order.id(),
        lines: given.lines,
        allocations: plan.allocations,
        whole: book.lines.iter().all(|line| line.live() == 0),
        reason: why.reason.to_owned(),
        cancelled_at: now,
    };
    Ok((changed, event))
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
