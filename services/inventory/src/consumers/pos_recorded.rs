//! `pos.recorded`: what tills sold and took back is booked.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::sell_at_tills::sell_at_tills;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    sell_at_tills(tx, &payloads(events)?)
}
