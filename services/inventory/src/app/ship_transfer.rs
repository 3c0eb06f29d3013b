//! Ships a transfer: its units leave the one location, and are on their way to the other.

use store::Tx;

use super::Draft;
use super::caller::Caller;
use super::delivery::Document;
use super::refusal::Refusal;
use crate::domain::document::{TransferId, TransferStatus};
use crate::store::deliveries::{self, Kind};
use crate::store::movements::MovementKind;
use crate::store::reserved;
use crate::store::stock::Delta;

/// Ships a transfer with everything it asked for.
pub fn ship_transfer(tx: &mut Tx<'_>, id: TransferId, caller: &Caller) -> Result<Document, Refusal> {
    let mut document = Document::open(tx, Kind::Transfer, id.uuid(), caller)?;
    let (from, to) = (document.origin()?, document.to()?);
    caller.check_location(&from)?;
    document.transfer_becomes(TransferStatus::InTransit, tx.now())?;
    let mut draft = Draft::opening();
    for line in reserved::of_owners(tx, &[id.uuid()])? {
        draft.release(&line);
        let units = (line.quantity.saturating_neg(), 0);
        draft.move_units(document.movement(MovementKind::TransferOut, (&line.sku, &from), units, caller));
    }
    for line in &mut document.lines {
        line.take(0, 0, true);
        draft.change(&line.sku, &to, Delta { incoming: line.incoming, ..Delta::default() });
    }
    draft.write(tx)?;
    deliveries::update(tx, &document.head, &document.lines)?;
    Ok(document)
}
