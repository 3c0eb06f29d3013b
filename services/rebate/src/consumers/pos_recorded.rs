//! `pos.recorded`: what a till sold, took back or undid is recorded, and moves what was earned on it.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::PosRecorded;
use store::Tx;

use crate::app::record_tills::record_tills;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let told = events.iter().map(|event| Ok((event.payload::<PosRecorded>()?, event.as_cause())));
    Ok(record_tills(tx, &told.collect::<Result<Vec<_>, ConsumeError>>()?)?)
}
