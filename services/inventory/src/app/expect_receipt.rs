//! Expects goods from a supplier, or takes in at once what nobody announced.

use kernel::{LocationCode, Timestamp};
use store::Tx;

use super::Draft;
use super::caller::Caller;
use super::delivery::{Document, Wanted, check_known, fields};
use super::receive_goods::{Arrival, take_in};
use super::refusal::Refusal;
use crate::domain::document::{ReceiptId, ReceiptStatus};
use crate::store::deliveries::{self, Delivery, Kind};
use crate::store::locks;
use crate::store::stock::Delta;

/// A receipt to be written.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    /// Where the goods go.
    pub location: LocationCode,
    /// Who supplies them.
    pub supplier: Option<String>,
    /// The caller's own reference.
    pub reference: Option<String>,
    /// When they are expected.
    pub expected_at: Option<Timestamp>,
    /// Whether they are there already.
    pub received: bool,
    /// What is expected, each SKU once.
    pub lines: Vec<Wanted>,
}

/// Writes a receipt: its units are on their way, or there already.
pub fn expect_receipt(tx: &mut Tx<'_>, wanted: &NewReceipt, caller: &Caller) -> Result<Document, Refusal> {
    caller.check_location(&wanted.location)?;
    locks::pool(tx)?;
    check_known(tx, &fields(wanted.lines.iter().map(|(sku, _)| sku)), &[("location", &wanted.location)])?;
    let status = if wanted.received { ReceiptStatus::Received } else { ReceiptStatus::Expected };
    let id = ReceiptId::at(tx.now()).uuid();
    let mut head = Delivery::new(id, status.as_str(), wanted.location.to_string(), tx.now(), caller.name());
    head.supplier.clone_from(&wanted.supplier);
    head.reference.clone_from(&wanted.reference);
    head.expected_at = wanted.expected_at.map(Timestamp::utc);
    let mut document = Document::new(Kind::Receipt, head, &wanted.lines);
    let mut draft = Draft::opening();
    if wanted.received {
        let all =
            wanted.lines.iter().map(|(sku, units)| Arrival { sku: sku.clone(), received: units.get(), damaged: 0 });
        take_in(&mut document, &all.collect::<Vec<_>>(), &mut draft, caller)?;
    } else {
        for line in &mut document.lines {
            line.take(0, 0, true);
            draft.change(&line.sku, &wanted.location, Delta { incoming: line.incoming, ..Delta::default() });
        }
    }
    draft.write(tx)?;
    deliveries::insert(tx, document.kind, &document.head, &document.lines)?;
    Ok(document)
}
