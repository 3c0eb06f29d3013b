//! Tells the inventory again where orders stand: those that it has not answered for long, each cancelled one once, and those
//! that it asks about because it has long promised something to them. So no order waits for a lost event, and no promise
//! outlives its order.

use std::collections::HashMap;

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{
    FulfilmentKind, FulfilmentRequest, OrderRestated, RestatedFulfilment, RestatedLine, StockPromisedLong,
};
use kernel::Quantity;
use uuid::Uuid;

use super::book::Book;
use super::place_orders::{Document, destination};
use crate::domain::cover;
use crate::domain::state::{FulfilmentStatus, OrderStatus};
use crate::settings::Rules;
use crate::store::fulfilments::Fulfilment;
use crate::store::locks::Unanswered;
use crate::store::orders::OrderRow;
use crate::store::{code, locks, orders, stays};

/// Orders told of in one step, so that no step holds locks for long, nor keeps the inventory from what is new.
pub const ORDERS_PER_STEP: i64 = 200;

/// After how long it is said again that an order is cancelled: whatever was on its way has arrived by then.
const CANCELLED_AGAIN_SECONDS: i64 = 3_600;

/// How often orders are looked over of which something is under way or waits: seldom do units of them lack an answer.
const LOOKED_OVER_SECONDS: i64 = 24 * 3_600;

/// Asks again for up to [`ORDERS_PER_STEP`] orders; answers how many. Each is asked for once in its longest stay.
pub fn ask_again(tx: &mut Tx<'_>, rules: Rules) -> Result<usize, Error> {
    let seconds = i64::from(rules.longest_stay.sourcing);
    if seconds == 0 {
        return Ok(0);
    }
    let asked_until = tx.now().plus_seconds(seconds.saturating_neg());
    let due = locks::take_unanswered(tx, Unanswered::Sourcing, asked_until, ORDERS_PER_STEP)?;
    restate(tx, &due, |_, status| status == OrderStatus::Sourcing, &Cause::default())?;
    Ok(due.len())
}

/// Looks over up to [`ORDERS_PER_STEP`] orders of which something is under way, or waits, and asks for those of which units have
/// no location: that some wait does not say that the inventory knows of all. Answers how many it has looked over.
pub fn look_over(tx: &mut Tx<'_>, rules: Rules) -> Result<usize, Error> {
    if rules.longest_stay.sourcing == 0 {
        return Ok(0);
    }
    let until = tx.now().plus_seconds(LOOKED_OVER_SECONDS.saturating_neg());
    let due = locks::take_unanswered(tx, Unanswered::Others, until, ORDERS_PER_STEP)?;
    let is_over = |status| matches!(status, OrderStatus::Cancelled | OrderStatus::Delivered | OrderStatus::Completed);
    let lacks = |book: &Book, status| !is_over(status) && !cover::is_covered(&book.lines, &book.pieces());
    restate(tx, &due, lacks, &Cause::default())?;
    Ok(due.len())
}

/// Says of up to [`ORDERS_PER_STEP`] orders again that they are cancelled; answers how many.
pub fn cancel_again(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let cancelled_until = tx.now().plus_seconds(CANCELLED_AGAIN_SECONDS.saturating_neg());
    let due = stays::take_cancelled(tx, cancelled_until, ORDERS_PER_STEP)?;
    restate(tx, &due, |_, status| status == OrderStatus::Cancelled, &Cause::default())?;
    Ok(due.len())
}

/// Answers the inventory, which asks where orders stand. An order that is not in the book has no answer.
pub fn answer(tx: &mut Tx<'_>, questions: &[(StockPromisedLong, Cause)]) -> Result<(), Error> {
    for (question, cause) in questions {
        let told = restate(tx, &[question.order_id.uuid()], |_, _| true, cause)?;
        if told == 0 {
            tracing::warn!(order.id = %question.order_id, "the inventory asks about an order that is not in the book, or busy");
        }
    }
    Ok(())
}

/// Tells where those of the orders stand that stand so. An order that somebody works on is left for the next time.
fn restate(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
    of: impl Fn(&Book, OrderStatus) -> bool,
    cause: &Cause,
) -> Result<usize, Error> {
    let mut told: usize = 0;
    if ids.is_empty() {
        return Ok(told);
    }
    let books = Book::open_free(tx, ids)?;
    let rows: HashMap<Uuid, OrderRow> = orders::with_ids(tx, ids)?.into_iter().map(|row| (row.order_id, row)).collect();
    for (id, book) in &books {
        let Some(row) = rows.get(id) else { continue };
        if of(book, row.status()?) {
            let event = restated(tx, book, row)?;
            outbox::append(tx, &event, cause)?;
            told = told.saturating_add(1);
        }
    }
    Ok(told)
}

fn restated(tx: &Tx<'_>, book: &Book, row: &OrderRow) -> Result<OrderRestated, Error> {
    let document: Document = serde_json::from_str(&row.document)?;
    let mut lines = Vec::with_capacity(book.lines.len());
    for line in &book.lines {
        let quantity = Quantity::try_from(line.quantity).map_err(|_| Error::Broken("a line has units"))?;
        lines.push(RestatedLine { line_no: line.line_no, sku: line.sku.clone(), quantity });
    }
    Ok(OrderRestated {
        order_id: row.id(),
        version: row.version,
        cancelled: row.status()? == OrderStatus::Cancelled,
        channel: code(&row.channel)?,
        placed_at: row.placed_at.into(),
        fulfilment: FulfilmentRequest {
            kind: document.fulfilment.kind,
            destination: document.fulfilment.ship_to.as_ref().map(destination),
            location: document.fulfilment.location.clone(),
        },
        lines,
        total_amount: row.total_amount,
        reservation_id: document.reservation_id,
        unanswered_version: row.changing,
        uncovered: Some(cover::missing(&book.lines, &book.pieces())),
        fulfilments: book.fulfilments.iter().map(fulfilment).collect(),
        restated_at: tx.now(),
    })
}

fn fulfilment(it: &Fulfilment) -> RestatedFulfilment {
    // Goods that nobody collected are cancelled, not sourced elsewhere.
    let lapsed = it.status == FulfilmentStatus::Lapsed && it.kind == FulfilmentKind::Ship;
    RestatedFulfilment {
        fulfilment_id: it.id,
        attempt: it.attempt,
        location: it.location.clone(),
        open: it.status.is_open(),
        shipped: it.status.has_left(),
        refused: lapsed || it.status == FulfilmentStatus::Rejected,
        recalled: it.recalled,
        sent_from: it.sent_from.clone(),
        lines: it.lines.clone(),
    }
}
