//! `return.inspected`: the units are back on the shelf, kept apart or gone.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::receive_returns::inspect_returns;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    inspect_returns(tx, &payloads(events)?)
}
