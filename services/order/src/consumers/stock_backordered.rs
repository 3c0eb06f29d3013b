//! `stock.backordered`: orders wait for stock.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::source_orders::backordered;
use crate::settings::Rules;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], rules: Rules) -> Result<(), ConsumeError> {
    Ok(backordered(tx, &payloads(events)?, rules)?)
}
