//! `stock.shorted`: what a till has sold is taken back from orders that nobody has picked.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::take_back_shorted::take_back_shorted;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], window_seconds: i64) -> Result<(), ConsumeError> {
    let mut requests = Vec::with_capacity(events.len());
    for event in events {
        requests.push((event.payload()?, event.as_cause()));
    }
    Ok(take_back_shorted(tx, &requests, window_seconds)?)
}
