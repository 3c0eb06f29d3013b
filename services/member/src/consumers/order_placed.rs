//! `order.placed`: who bought, and what it will earn.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::record_purchases::record_purchases;

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    Ok(record_purchases(tx, desk, &payloads(events)?)?)
}
