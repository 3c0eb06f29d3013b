//! `stock.better_found`: what nobody has picked yet is recalled.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use crate::app::recall_orders::recall_orders;
use crate::settings::Rules;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], rules: Rules) -> Result<(), ConsumeError> {
    let mut requests = Vec::with_capacity(events.len());
    for event in events {
        requests.push((event.payload()?, event.as_cause()));
    }
    Ok(recall_orders(tx, &requests, rules)?)
}
