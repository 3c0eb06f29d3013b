//! Tells of orders that were in the book before anybody heard of them, as they are now: where they go, and then what was
//! cancelled of them meanwhile.

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentRequest, OrderCancelled, OrderLine, OrderPlaced};
use kernel::{Quantity, Timestamp};
use uuid::Uuid;

use super::place_orders::{Document, destination};
use crate::domain::coupons::CouponForm;
use crate::domain::give_back::{FreightRefund, give_back};
use crate::domain::line::Line;
use crate::store::code;
use crate::store::lines::{self, LineRow};
use crate::store::orders::{self, OrderRow};

/// Why units are cancelled that nobody was told of, as their event says.
const REASON: &str = "cancelled while the order was held";

/// Tells of orders, which must be locked and written back.
pub fn tell_placed(tx: &mut Tx<'_>, ids: &[Uuid], cause: &Cause, freight: FreightRefund) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut lines = lines::of(tx, ids)?;
    for order in orders::with_ids(tx, ids)? {
        let lines = lines.remove(&order.order_id).unwrap_or_default();
        outbox::append(tx, &placed(&order, &lines)?, cause)?;
        if let Some(event) = cancelled(&order, &lines, freight, tx.now())? {
            outbox::append(tx, &event, cause)?;
        }
    }
    Ok(())
}

/// What is told of an order, with the units it was placed with.
fn placed(order: &OrderRow, lines: &[LineRow]) -> Result<OrderPlaced, Error> {
    let document: Document = serde_json::from_str(&order.document)?;
    Ok(OrderPlaced {
        order_id: order.id(),
        channel: code(&order.channel)?,
        channel_order_no: order.channel_order_no.clone(),
        placed_at: order.placed_at.into(),
        currency: order.currency()?,
        buyer: document.buyer,
        fulfilment: FulfilmentRequest {
            kind: document.fulfilment.kind,
            destination: document.fulfilment.ship_to.as_ref().map(destination),
            location: document.fulfilment.location,
        },
        lines: lines.iter().map(line).collect::<Result<_, _>>()?,
        totals: order.totals(),
        parent_order_no: document.parent_order_no,
        coupons: document.coupons.iter().flatten().map(CouponForm::told).collect(),
        reservation_id: document.reservation_id,
        guide: document.guide,
        store: document.store,
    })
}

/// A line as it is told.
pub(super) fn line(row: &LineRow) -> Result<OrderLine, Error> {
    let extras = row.extras()?;
    Ok(OrderLine {
        line_no: row.line_no,
        sku: code(&row.sku)?,
        category: row.category.clone(),
        quantity: Quantity::try_from(row.quantity).map_err(|_| Error::Broken("stored lines have units"))?,
        list_amount: row.list_amount,
        discount_amount: row.discount_amount,
        paid_amount: row.paid_amount,
        freight_amount: row.freight_amount,
        coupons: extras.coupons,
        tax_amount: extras.tax_amount,
        gift: extras.gift,
    })
}

/// What is told of the units that were cancelled since, all of them at once: their amounts walk the same telescope.
fn cancelled(
    order: &OrderRow,
    rows: &[LineRow],
    freight: FreightRefund,
    now: Timestamp,
) -> Result<Option<OrderCancelled>, Error> {
    let steps: Vec<(i32, i64)> =
        rows.iter().filter(|row| row.cancelled > 0).map(|row| (row.line_no, row.cancelled)).collect();
    if steps.is_empty() {
        return Ok(None);
    }
    let whole = |row: &LineRow| -> Result<Line, Error> { Ok(Line { cancelled: 0, ..row.line()? }) };
    let lines: Vec<Line> = rows.iter().map(whole).collect::<Result<_, _>>()?;
    let given =
        give_back(&lines, &steps, freight).map_err(|_| Error::Broken("no more is cancelled than was ordered"))?;
    Ok(Some(OrderCancelled {
        order_id: order.id(),
        lines: given.lines,
        allocations: Vec::new(),
        whole: false,
        reason: REASON.to_owned(),
        cancelled_at: now,
    }))
}
