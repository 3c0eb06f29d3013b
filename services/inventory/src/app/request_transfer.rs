//! Requests a transfer: its units are promised where they are, so that nobody else can be promised them.

use std::collections::HashMap;

use contracts::FieldError;
use kernel::LocationCode;
use store::Tx;

use super::Draft;
use super::caller::Caller;
use super::delivery::{Document, Wanted, check_known, fields};
use super::refusal::Refusal;
use super::sweep_reservations::sweep_all;
use crate::domain::document::{TransferId, TransferStatus};
use crate::store::deliveries::{self, Delivery, Kind};
use crate::store::reserved::ReservedLine;
use crate::store::{locks, stock};

/// A transfer to be written.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// Where the goods are.
    pub from: LocationCode,
    /// Where they go.
    pub to: LocationCode,
    /// Why.
    pub reason: Option<String>,
    /// The caller's own reference.
    pub reference: Option<String>,
    /// What goes there, each SKU once.
    pub lines: Vec<Wanted>,
}

/// Writes a transfer and promises its units; all of them can be promised, or it is refused.
pub fn request_transfer(tx: &mut Tx<'_>, wanted: &NewTransfer, caller: &Caller) -> Result<Document, Refusal> {
    caller.check_location(&wanted.from)?;
    if wanted.from == wanted.to {
        return Err(Refusal::invalid("to", "is another location than from"));
    }
    locks::pool(tx)?;
    sweep_all(tx)?;
    let places = [("from", &wanted.from), ("to", &wanted.to)];
    check_known(tx, &fields(wanted.lines.iter().map(|(sku, _)| sku)), &places)?;
    check_available(tx, wanted)?;
    let id = TransferId::at(tx.now()).uuid();
    let status = TransferStatus::Requested.as_str();
    let mut head = Delivery::new(id, status, wanted.to.to_string(), tx.now(), caller.name());
    head.origin = Some(wanted.from.to_string());
    head.reason.clone_from(&wanted.reason);
    head.reference.clone_from(&wanted.reference);
    let document = Document::new(Kind::Transfer, head, &wanted.lines);
    let mut draft = Draft::new();
    for line in &document.lines {
        draft.promise(ReservedLine {
            owner: id,
            line_no: line.line_no,
            sku: line.sku.clone(),
            location: wanted.from.clone(),
            quantity: line.expected,
            count_id: None,
        });
    }
    draft.write(tx)?;
    deliveries::insert(tx, document.kind, &document.head, &document.lines)?;
    Ok(document)
}

fn check_available(tx: &mut Tx<'_>, wanted: &NewTransfer) -> Result<(), Refusal> {
    let balances = stock::of_pairs(tx, wanted.lines.iter().map(|(sku, _)| (sku, &wanted.from)))?;
    let available: HashMap<&str, i64> = balances.iter().map(|it| (it.sku.as_str(), it.available())).collect();
    let mut missing = Vec::new();
    for (index, (sku, units)) in wanted.lines.iter().enumerate() {
        let available = available.get(sku.as_str()).copied().unwrap_or(0);
        let lacking = units.get().saturating_sub(available);
        if lacking > 0 {
            let detail = format!("{lacking} units of {sku} are missing at {}: {available} are available", wanted.from);
            missing.push(FieldError { field: format!("lines[{index}].quantity"), detail });
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Refusal::Insufficient(missing)) }
}
