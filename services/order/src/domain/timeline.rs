//! An order's timeline: what each event says in one line, and the order in which one led to another.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{
    BuyerIdentified, FulfilmentAccepted, FulfilmentArrived, FulfilmentDelivered, FulfilmentLine, FulfilmentOffered,
    FulfilmentPickupDue, FulfilmentRejected, FulfilmentSent, FulfilmentShipped, OrderCancelled, OrderChanged,
    OrderCompleted, OrderHeld, OrderPlaced, OrderReleased, PaymentReceived, RebateAccrued, RebateReversed,
    RefundIssued, ReturnInspected, ReturnLapsed, ReturnLine, ReturnReceived, StockBackordered, StockBetterFound,
    StockReleased, StockSourced,
};
use contracts::{Event, PayloadError};
use kernel::id::OrderId;
use kernel::{LocationCode, Money, Timestamp};
use uuid::Uuid;

/// The longest line: enough for a reason, and for what a few locations do.
const MAX_SUMMARY: usize = 200;

/// The order that an event happened to, and what happened in one line; none for an event of no known order.
pub fn read(event: &Event) -> Result<Option<(OrderId, String)>, PayloadError> {
    let read = match event.kind.as_str() {
        "return.received" | "return.lapsed" | "return.inspected" | "refund.issued" => of_return(event)?,
        "payment.received" => Some(of_payment(event)?),
        "buyer.identified" | "rebate.accrued" | "rebate.reversed" => Some(of_neighbour(event)?),
        kind if kind.starts_with("stock.") => Some(of_stock(event)?),
        kind if kind.starts_with("fulfilment.") => Some(of_fulfilment(event)?),
        _ => Some(of_order(event)?),
    };
    Ok(read.map(|(order, text)| (order, text.chars().take(MAX_SUMMARY).collect())))
}

fn of_order(event: &Event) -> Result<(OrderId, String), PayloadError> {
    Ok(match event.kind.as_str() {
        "order.cancelled" => {
            let it: OrderCancelled = event.payload()?;
            let units = it.lines.iter().map(|line| line.quantity.get()).sum::<i64>();
            let what = if it.whole { "cancelled".to_owned() } else { format!("{units} units cancelled") };
            (it.order_id, format!("{what}: {}", it.reason))
        }
        "order.held" => {
            let it: OrderHeld = event.payload()?;
            let reasons: BTreeSet<&str> = it.holds.iter().map(|hold| hold.reason.as_str()).collect();
            (it.order_id, format!("held: {}", reasons.into_iter().collect::<Vec<_>>().join(", ")))
        }
        "order.released" => {
            let it: OrderReleased = event.payload()?;
            let what = if it.ended { "no longer held: nothing is left to hold" } else { "released" };
            (it.order_id, what.to_owned())
        }
        "order.changed" => {
            let it: OrderChanged = event.payload()?;
            let what = match it.added.as_ref().map(|added| added.lines.as_slice()) {
                Some([line]) => format!("line {} added: {} × {}", line.line_no, line.quantity, line.sku),
                Some(lines) => format!("{} lines added", lines.len()),
                None => format!("changed: {}", it.fields.join(", ")),
            };
            (it.order_id, what)
        }
        "order.completed" => {
            let it: OrderCompleted = event.payload()?;
            (it.order_id, "final: the return window has passed".to_owned())
        }
        _ => {
            let it: OrderPlaced = event.payload()?;
            let total = Money::new(it.totals.total_amount, it.currency);
            (it.order_id, format!("placed in {} as {}: {total}", it.channel, it.channel_order_no))
        }
    })
}

fn of_fulfilment(event: &Event) -> Result<(OrderId, String), PayloadError> {
    let units = |lines: &[FulfilmentLine]| lines.iter().map(|line| line.quantity.get()).sum::<i64>();
    Ok(match event.kind.as_str() {
        "fulfilment.offered" => {
            let it: FulfilmentOffered = event.payload()?;
            (it.order_id, format!("{} is asked for {} units", it.location, units(&it.lines)))
        }
        "fulfilment.accepted" => {
            let it: FulfilmentAccepted = event.payload()?;
            (it.order_id, format!("{} accepted", it.location))
        }
        "fulfilment.rejected" => {
            let it: FulfilmentRejected = event.payload()?;
            let text = if it.recalled {
                format!("taken back from {}", it.location)
            } else {
                format!("{} rejected: {}", it.location, it.reason)
            };
            (it.order_id, text)
        }
        "fulfilment.sent" => {
            let it: FulfilmentSent = event.payload()?;
            (it.order_id, format!("{} units left {} for {}", units(&it.lines), it.location, it.to))
        }
        "fulfilment.arrived" => {
            let it: FulfilmentArrived = event.payload()?;
            let missing = units(&it.missing);
            let lost = if missing > 0 { format!(", {missing} are missing") } else { String::new() };
            (it.order_id, format!("{} units came from {} to {}{lost}", units(&it.lines), it.from, it.location))
        }
        "fulfilment.pickup_due" => {
            let it: FulfilmentPickupDue = event.payload()?;
            (it.order_id, format!("to be collected at {} by {}", it.location, it.collect_by))
        }
        "fulfilment.shipped" => {
            let it: FulfilmentShipped = event.payload()?;
            (it.order_id, format!("{} units left {}", units(&it.lines), it.location))
        }
        _ => {
            let it: FulfilmentDelivered = event.payload()?;
            (it.order_id, format!("arrived from {}", it.location))
        }
    })
}

fn of_payment(event: &Event) -> Result<(OrderId, String), PayloadError> {
    let it: PaymentReceived = event.payload()?;
    let (paid, due) = (Money::new(it.amount, it.currency), Money::new(it.due_amount, it.currency));
    Ok((it.order_id, format!("{paid} paid by {}, {due} to be paid", it.method)))
}

fn of_return(event: &Event) -> Result<Option<(OrderId, String)>, PayloadError> {
    let units = |lines: &[ReturnLine]| lines.iter().map(|line| line.quantity.get()).sum::<i64>();
    let (order, text) = match event.kind.as_str() {
        "return.received" => {
            let it: ReturnReceived = event.payload()?;
            (it.order_id, format!("{} units came back to {}", units(&it.lines), it.location))
        }
        "return.lapsed" => {
            let it: ReturnLapsed = event.payload()?;
            (it.order_id, format!("{} units have not come back in time", units(&it.lines)))
        }
        "return.inspected" => {
            let it: ReturnInspected = event.payload()?;
            (it.order_id, format!("{} units inspected at {}", units(&it.lines), it.location))
        }
        _ => {
            let it: RefundIssued = event.payload()?;
            let money = |amount| Money::new(amount, it.currency);
            let exchanged =
                it.exchange_order_id.map(|order| format!(", {} of it to order {order}", money(it.exchange_amount)));
            (it.order_id, format!("{} refunded{}", money(it.total_amount), exchanged.unwrap_or_default()))
        }
    };
    Ok(order.map(|order| (order, text)))
}

fn of_stock(event: &Event) -> Result<(OrderId, String), PayloadError> {
    Ok(match event.kind.as_str() {
        "stock.backordered" => {
            let it: StockBackordered = event.payload()?;
            let units = it.missing.iter().map(|missing| missing.missing.get()).sum::<i64>();
            let never: Vec<&str> = it.unfillable.iter().map(kernel::Code::as_str).collect();
            let never = if never.is_empty() {
                String::new()
            } else {
                format!("; no location could ever give {}", never.join(", "))
            };
            (it.order_id, format!("attempt {}: {units} units are missing{never}", it.attempt))
        }
        "stock.released" => {
            let it: StockReleased = event.payload()?;
            let units = it.allocations.iter().map(|part| (&part.location, part.quantity.get()));
            (it.order_id, format!("given back: {}", by_location(units)))
        }
        "stock.better_found" => {
            let it: StockBetterFound = event.payload()?;
            let better: Vec<&str> = it.better.iter().map(LocationCode::as_str).collect();
            (it.order_id, format!("would better ship from {}", better.join(", ")))
        }
        _ => {
            let it: StockSourced = event.payload()?;
            let units = it.allocations.iter().map(|part| (&part.location, part.quantity.get()));
            (it.order_id, format!("attempt {}: {}", it.attempt, by_location(units)))
        }
    })
}

fn by_location<'a>(units: impl Iterator<Item = (&'a LocationCode, i64)>) -> String {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (location, units) in units {
        let sum = sums.entry(location.as_str()).or_default();
        *sum = sum.saturating_add(units);
    }
    let texts: Vec<String> = sums.iter().map(|(location, units)| format!("{units} at {location}")).collect();
    texts.join(", ")
}

fn of_neighbour(event: &Event) -> Result<(OrderId, String), PayloadError> {
    Ok(match event.kind.as_str() {
        "buyer.identified" => {
            let it: BuyerIdentified = event.payload()?;
            let nobody = || "no member is known".to_owned();
            (it.order_id, it.member_id.map_or_else(nobody, |member| format!("member {member} bought")))
        }
        "rebate.reversed" => {
            let it: RebateReversed = event.payload()?;
            (it.order_id, format!("{} taken back from {}", it.amount, it.payee))
        }
        _ => {
            let it: RebateAccrued = event.payload()?;
            (it.order_id, format!("{} earns {}", it.payee, it.amount))
        }
    })
}

/// What an entry's place depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// When.
    pub at: Timestamp,
    /// The event it is; none for a change that is no event.
    pub event: Option<Uuid>,
    /// The event that led to it.
    pub cause: Option<Uuid>,
}

/// The order of entries, as indexes: nothing comes before what led to it, whatever the clocks of the services say; beyond
/// that the earlier comes first, and of the same instant the one that was given first.
pub fn in_order_of_causes(links: &[Link]) -> Vec<usize> {
    let events: BTreeSet<Uuid> = links.iter().filter_map(|link| link.event).collect();
    let mut waiting: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for (index, link) in links.iter().enumerate() {
        match link.cause.filter(|cause| events.contains(cause)) {
            Some(cause) => waiting.entry(cause).or_default().push(index),
            None => {
                ready.insert((link.at, index));
            }
        }
    }
    let mut order = Vec::with_capacity(links.len());
    while let Some((_, index)) = ready.pop_first() {
        order.push(index);
        let event = links.get(index).and_then(|link| link.event);
        let followed = event.and_then(|event| waiting.remove(&event)).unwrap_or_default();
        ready.extend(followed.into_iter().filter_map(|next| links.get(next).map(|link| (link.at, next))));
    }
    // Events that claim to have led to each other have no first.
    order.extend(waiting.into_values().flatten());
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(at: i64, event: u128, cause: u128) -> Link {
        let id = |number: u128| (number > 0).then(|| Uuid::from_u128(number));
        Link { at: Timestamp::from_unix_micros(at), event: id(event), cause: id(cause) }
    }

    #[test]
    fn nothing_comes_before_what_led_to_it() {
        // The inventory's clock is slow: its answer seems older than the order.
        let links = [link(50, 3, 2), link(20, 2, 1), link(30, 1, 0), link(40, 0, 0), link(60, 0, 2), link(5, 0, 99)];
        assert_eq!(in_order_of_causes(&links), [5, 2, 1, 3, 0, 4]);
    }

    #[test]
    fn the_same_instant_keeps_its_order_and_circles_end() {
        assert_eq!(in_order_of_causes(&[link(1, 9, 0), link(1, 4, 0), link(1, 0, 4)]), [0, 1, 2]);
        assert_eq!(in_order_of_causes(&[link(1, 1, 2), link(1, 2, 1), link(1, 3, 3)]).len(), 3);
    }
}
