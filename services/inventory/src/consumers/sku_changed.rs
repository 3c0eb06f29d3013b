//! `sku.changed`: what may be stocked and what bundles are made of.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::store::{catalog, locks};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    Ok(catalog::put(tx, &payloads(events)?)?)
}
