//! `stock.backordered`: orders wait for stock.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::source_orders::backordered;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event], window_seconds: i64) -> Result<(), ConsumeError> {
    Ok(backordered(tx, &payloads(events)?, window_seconds)?)
}
