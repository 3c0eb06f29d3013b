//! Cancels a transfer that has not left: its units can be promised again.

use store::Tx;

use super::Draft;
use super::caller::Caller;
use super::delivery::Document;
use super::refusal::Refusal;
use crate::domain::document::{TransferId, TransferStatus};
use crate::store::deliveries::{self, Kind};
use crate::store::reserved;

/// Cancels a transfer.
pub fn cancel_transfer(tx: &mut Tx<'_>, id: TransferId, caller: &Caller) -> Result<Document, Refusal> {
    let mut document = Document::open(tx, Kind::Transfer, id.uuid(), caller)?;
    caller.check_location(&document.origin()?)?;
    document.transfer_becomes(TransferStatus::Cancelled, tx.now())?;
    let mut draft = Draft::new();
    for line in reserved::of_owners(tx, &[id.uuid()])? {
        draft.release(&line);
    }
    draft.write(tx)?;
    deliveries::update(tx, &document.head, &document.lines)?;
    Ok(document)
}
