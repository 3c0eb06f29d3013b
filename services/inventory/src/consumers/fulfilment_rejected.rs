//! `fulfilment.rejected`: the rejected part is sourced elsewhere.

use bus::ConsumeError;
use contracts::events::FulfilmentRejected;
use contracts::{Cause, Event};
use store::Tx;

use super::with_causes;
use crate::app::Pool;
use crate::app::answer_again::still_to_do;
use crate::app::resource_orders::resource_orders;

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    let dated = |(it, _): &(FulfilmentRejected, Cause)| (it.order_id.uuid(), it.rejected_at);
    let events = still_to_do(tx, with_causes(events)?, dated)?;
    resource_orders(tx, pool, &events)
}
