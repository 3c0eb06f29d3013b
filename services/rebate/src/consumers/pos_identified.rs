//! `pos.identified`: a till's sale is credited, and its rebates are earned.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::PosIdentified;
use store::Tx;

use crate::app::record_tills::credit_tills;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let told = events.iter().map(|event| Ok((event.payload::<PosIdentified>()?, event.as_cause())));
    Ok(credit_tills(tx, &told.collect::<Result<Vec<_>, ConsumeError>>()?)?)
}
