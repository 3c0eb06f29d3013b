//! `stock.promised_long`: the inventory hears where the order stands.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::restate_orders::answer;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut questions = Vec::with_capacity(events.len());
    for event in events {
        questions.push((event.payload()?, event.as_cause()));
    }
    Ok(answer(tx, &questions)?)
}
