//! Makes up for goods that were sent to where they are collected, or came there, and whose events were lost.

use std::collections::HashMap;

use bus::ConsumeError;
use contracts::Cause;
use contracts::events::{FulfilmentArrived, FulfilmentLine, FulfilmentSent, OrderRestated, RestatedFulfilment};
use kernel::Quantity;
use store::{Error, Tx};

use super::Pool;
use super::send_orders::{add_up, on_its_way, receive_sent, send_orders};
use crate::store::reserved::ReservedLine;
use crate::store::sent;

/// Makes up for goods that were sent, those of `sent`, or came, and were not heard of; says whether there were any.
pub fn make_up_for_sendings(
    tx: &mut Tx<'_>,
    pool: &Pool,
    orders: &[(OrderRestated, Cause)],
    sent: &[FulfilmentSent],
) -> Result<bool, ConsumeError> {
    if !sent.is_empty() {
        send_orders(tx, sent)?;
    }
    let there = |it: &&RestatedFulfilment| it.sent_from.is_some() && (it.open || it.shipped || it.refused);
    let ids = orders.iter().flat_map(|(it, _)| &it.fulfilments).filter(there);
    let ids: Vec<String> = ids.map(|it| it.fulfilment_id.to_string()).collect();
    let mut on_their_way = if ids.is_empty() { HashMap::new() } else { sent::of(tx, &ids)? };
    let mut arrived = Vec::new();
    for (order, cause) in orders {
        for it in order.fulfilments.iter().filter(there) {
            let Some(lines) = on_their_way.remove(&it.fulfilment_id.to_string()) else { continue };
            arrived.push((arrival(order, it, &lines)?, cause.clone()));
        }
    }
    if !arrived.is_empty() {
        receive_sent(tx, pool, &arrived)?;
    }
    Ok(!sent.is_empty() || !arrived.is_empty())
}

/// That what was on its way came, as far as the order book still has it.
fn arrival(order: &OrderRestated, it: &RestatedFulfilment, sent: &[ReservedLine]) -> Result<FulfilmentArrived, Error> {
    let (mut lines, mut missing) = (Vec::new(), Vec::new());
    for ((line_no, sku), units) in add_up(sent.iter().map(on_its_way)) {
        let here = it.lines.iter().filter(|here| here.line_no == line_no && here.sku == *sku && !it.refused);
        let came = here.fold(0_i64, |sum, here| sum.saturating_add(here.quantity.get())).min(units);
        for (units, into) in [(came, &mut lines), (units.saturating_sub(came), &mut missing)] {
            if units > 0 {
                let quantity = Quantity::try_from(units).map_err(|_| Error::Broken("what was sent are units"))?;
                into.push(FulfilmentLine { line_no, sku: sku.clone(), quantity });
            }
        }
    }
    Ok(FulfilmentArrived {
        fulfilment_id: it.fulfilment_id,
        order_id: order.order_id,
        location: it.location.clone(),
        from: it.sent_from.clone().ok_or(Error::Broken("what came was sent"))?,
        lines,
        missing,
        arrived_at: order.restated_at,
    })
}
