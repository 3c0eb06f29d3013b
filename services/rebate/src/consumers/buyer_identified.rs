//! `buyer.identified`: the order is credited and its rebates accrue.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::BuyerIdentified;
use store::Tx;

use crate::app::accrue::{AccrueOrder, accrue};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut orders = Vec::with_capacity(events.len());
    for event in events {
        let buyer: BuyerIdentified = event.payload()?;
        orders.push(AccrueOrder {
            order_id: buyer.order_id,
            member_id: buyer.member_id,
            at_till: false,
            cause: event.as_cause(),
        });
    }
    Ok(accrue(tx, &orders)?)
}
