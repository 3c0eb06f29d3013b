//! `order.cancelled`: what it no longer needs is released.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::with_causes;
use crate::app::release_orders::release_orders;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    release_orders(tx, &with_causes(events)?)
}
