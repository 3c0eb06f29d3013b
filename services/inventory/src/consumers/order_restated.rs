//! `order.restated`: what was missed of the order is made up for, and what was decided is answered again.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::with_causes;
use crate::app::Pool;
use crate::app::answer_again::answer_again;

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    answer_again(tx, pool, &with_causes(events)?)
}
