//! Keeps what the services tell of orders, for their timelines.

use ::store::Tx;
use bus::ConsumeError;
use contracts::Event;

use crate::domain::timeline;
use crate::store::events::{self, EventRow};

/// Keeps events, each once; an event of no known order is let pass.
pub fn note_events(tx: &mut Tx<'_>, told: &[Event]) -> Result<(), ConsumeError> {
    let mut rows = Vec::with_capacity(told.len());
    for event in told {
        let Some((order, summary)) = timeline::read(event)? else { continue };
        rows.push(EventRow {
            order_id: order.uuid(),
            event_id: event.id,
            kind: event.kind.clone(),
            at: event.time.utc(),
            source: event.source.strip_prefix("onepool/").unwrap_or(&event.source).to_owned(),
            cause_id: event.causationid,
            summary,
        });
    }
    Ok(events::add(tx, &rows)?)
}
