//! `order.completed`: what was earned becomes spendable.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::complete_purchases::complete_purchases;

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    Ok(complete_purchases(tx, desk, &payloads(events)?)?)
}
