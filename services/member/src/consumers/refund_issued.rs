//! `refund.issued`: what the returned units have earned goes.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::RefundIssued;
use store::Tx;

use super::payloads;
use crate::app::Desk;
use crate::app::give_back::{GivenBack, give_back};

pub(super) fn take(tx: &mut Tx<'_>, desk: &Desk, events: &[Event]) -> Result<(), ConsumeError> {
    let refunded = payloads::<RefundIssued>(events)?.into_iter();
    let given_back: Vec<GivenBack> = refunded.filter_map(|(event, cause)| GivenBack::by_refund(event, cause)).collect();
    Ok(give_back(tx, desk, &given_back)?)
}
