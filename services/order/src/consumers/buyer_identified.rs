//! `buyer.identified`: orders get their members.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::identify_buyers::identify_buyers;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    Ok(identify_buyers(tx, &payloads(events)?)?)
}
