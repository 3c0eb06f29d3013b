//! `stock.shorted`: what a till has sold is taken back from orders that nobody has picked.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::take_back_shorted::take_back_shorted;
use crate::settings::Rules;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], rules: Rules) -> Result<(), ConsumeError> {
    let mut requests = Vec::with_capacity(events.len());
    for event in events {
        requests.push((event.payload()?, event.as_cause()));
    }
    Ok(take_back_shorted(tx, &requests, rules)?)
}
