//! `pos.recorded`: what a member bought at a till, or brought back to one.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::record_tills::record_tills;

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    Ok(record_tills(tx, desk, &payloads(events)?)?)
}
