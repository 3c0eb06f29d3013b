//! `order.placed`: the sale is recorded.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderPlaced;
use store::Tx;

use crate::app::record_sales::record_sales;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let orders = events.iter().map(Event::payload::<OrderPlaced>).collect::<Result<Vec<_>, _>>()?;
    Ok(record_sales(tx, orders)?)
}
