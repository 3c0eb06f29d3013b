//! `return.received`: the units are on hand again, apart.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::receive_returns::receive_returns;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    receive_returns(tx, &payloads(events)?)
}
