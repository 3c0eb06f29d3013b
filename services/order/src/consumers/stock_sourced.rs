//! `stock.sourced`: fulfilment orders are offered.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::source_orders::sourced;
use crate::settings::Rules;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], rules: Rules) -> Result<(), ConsumeError> {
    let mut answers = Vec::with_capacity(events.len());
    for event in events {
        answers.push((event.payload()?, event.as_cause()));
    }
    Ok(sourced(tx, &answers, rules)?)
}
