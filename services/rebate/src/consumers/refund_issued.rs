//! `refund.issued`: what was earned on the returned units is taken back.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::RefundIssued;
use store::Tx;

use crate::app::reverse::{GiveBack, reverse};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut given = Vec::with_capacity(events.len());
    for event in events {
        let refund: RefundIssued = event.payload()?;
        // A return whose original is not known has earned nobody anything that could be found.
        let Some(order_id) = refund.order_id else { continue };
        given.push(GiveBack {
            order_id,
            source_id: refund.refund_id.uuid(),
            kind: "refund",
            occurred_at: refund.refunded_at,
            lines: refund.lines,
            cause: event.as_cause(),
        });
    }
    Ok(reverse(tx, &given)?)
}
