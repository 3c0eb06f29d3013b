//! Closes a receipt: what has not come is no longer expected.

use store::Tx;

use super::Draft;
use super::caller::Caller;
use super::delivery::Document;
use super::receive_goods::no_longer_expect;
use super::refusal::Refusal;
use crate::domain::document::{ReceiptId, ReceiptStatus};
use crate::store::deliveries::{self, Kind};

/// Closes a receipt.
pub fn close_receipt(tx: &mut Tx<'_>, id: ReceiptId, caller: &Caller) -> Result<Document, Refusal> {
    let mut document = Document::open(tx, Kind::Receipt, id.uuid(), caller)?;
    caller.check_location(&document.to()?)?;
    document.receipt_becomes(ReceiptStatus::Closed, tx.now())?;
    let mut draft = Draft::new();
    no_longer_expect(&mut document, &mut draft)?;
    draft.write(tx)?;
    deliveries::update(tx, &document.head, &document.lines)?;
    Ok(document)
}
