//! Every event of an order, from whichever service: it is kept for the order's timeline.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::note_events::note_events;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    note_events(tx, events)
}
