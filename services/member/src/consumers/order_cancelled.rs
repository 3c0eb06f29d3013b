//! `order.cancelled`: what the cancelled units would have earned goes.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderCancelled;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::give_back::{GivenBack, give_back};

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    let cancelled = payloads::<OrderCancelled>(events)?.into_iter();
    let given_back: Vec<GivenBack> = cancelled.map(|(event, cause)| GivenBack::by_cancellation(event, cause)).collect();
    Ok(give_back(tx, desk, &given_back)?)
}
