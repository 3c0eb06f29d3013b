//! `order.changed`: lines that were added earn as those that were there. Whatever else changes earns nothing.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderChanged;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::extend_purchases::{Extension, extend_purchases};

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    let changed = payloads::<OrderChanged>(events)?.into_iter();
    let added: Vec<Extension> = changed.filter_map(|(event, cause)| Extension::of(event, cause)).collect();
    if added.is_empty() {
        return Ok(());
    }
    Ok(extend_purchases(tx, desk, &added)?)
}
