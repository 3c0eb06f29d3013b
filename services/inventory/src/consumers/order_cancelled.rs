//! `order.cancelled`: what it no longer needs is released.

use bus::ConsumeError;
use contracts::events::OrderCancelled;
use contracts::{Cause, Event};
use store::Tx;

use super::with_causes;
use crate::app::answer_again::still_to_do;
use crate::app::release_orders::release_orders;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let dated = |(it, _): &(OrderCancelled, Cause)| (it.order_id.uuid(), it.cancelled_at);
    let events = still_to_do(tx, with_causes(events)?, dated)?;
    release_orders(tx, &events)
}
