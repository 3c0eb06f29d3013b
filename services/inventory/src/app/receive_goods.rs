//! Takes goods in: of a receipt, perhaps in several deliveries, and of a transfer, once. More than was expected is taken in
//! as well, and a SKU that nobody expected gets a line of its own.

use std::collections::BTreeSet;

use kernel::SkuCode;
use store::Tx;
use uuid::Uuid;

use super::Draft;
use super::caller::Caller;
use super::delivery::{Document, check_known, fields};
use super::refusal::Refusal;
use crate::domain::document::{GoodsLine, MAX_LINES, TransferStatus, received_so_far};
use crate::store::deliveries::{self, Kind};
use crate::store::movements::MovementKind;
use crate::store::stock::Delta;

/// What came of one SKU.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The SKU.
    pub sku: SkuCode,
    /// Units that came, the damaged among them.
    pub received: i64,
    /// Units that came damaged.
    pub damaged: i64,
}

/// Takes in what came of a receipt or a transfer.
pub fn receive_goods(
    tx: &mut Tx<'_>,
    kind: Kind,
    id: Uuid,
    arrivals: &[Arrival],
    caller: &Caller,
) -> Result<Document, Refusal> {
    let mut document = Document::open(tx, kind, id, caller)?;
    caller.check_location(&document.to()?)?;
    let expected: BTreeSet<SkuCode> = document.lines.iter().map(|line| line.sku.clone()).collect();
    let all = fields(arrivals.iter().map(|it| &it.sku));
    let unasked: Vec<_> = all.into_iter().filter(|(_, sku)| !expected.contains(*sku)).collect();
    if expected.len().saturating_add(unasked.len()) > MAX_LINES {
        return Err(Refusal::invalid("lines", format!("a document has at most {MAX_LINES} lines")));
    }
    check_known(tx, &unasked, &[])?;
    let mut draft = Draft::opening();
    take_in(&mut document, arrivals, &mut draft, caller)?;
    match kind {
        Kind::Receipt => document.receipt_becomes(received_so_far(&document.lines), tx.now())?,
        Kind::Transfer => document.transfer_becomes(TransferStatus::Received, tx.now())?,
    }
    draft.write(tx)?;
    deliveries::update(tx, &document.head, &document.lines)?;
    Ok(document)
}

/// Notes on the lines what came, and drafts the movements of it. What is missing of a transfer is lost; of a receipt it is
/// still on its way.
pub fn take_in(
    document: &mut Document,
    arrivals: &[Arrival],
    draft: &mut Draft,
    caller: &Caller,
) -> Result<(), Refusal> {
    let (to, more_to_come) = (document.to()?, document.kind == Kind::Receipt);
    let movement_kind = if more_to_come { MovementKind::Receipt } else { MovementKind::TransferIn };
    for arrival in arrivals {
        let place = document.lines.iter().position(|line| line.sku == arrival.sku).unwrap_or_else(|| {
            let line_no = document.lines.last().map_or(1, |last| last.line_no.saturating_add(1));
            document.lines.push(GoodsLine::new(line_no, arrival.sku.clone(), 0));
            document.lines.len().saturating_sub(1)
        });
        if let Some(line) = document.lines.get_mut(place) {
            let before = line.incoming;
            line.take(arrival.received, arrival.damaged, more_to_come);
            let incoming = line.incoming.saturating_sub(before);
            draft.change(&arrival.sku, &to, Delta { incoming, ..Delta::default() });
        }
        if arrival.received > 0 {
            let units = (arrival.received, arrival.damaged);
            draft.move_units(document.movement(movement_kind, (&arrival.sku, &to), units, caller));
        }
    }
    if !more_to_come {
        no_longer_expect(document, draft)?;
    }
    Ok(())
}

/// What has not come will not come: nothing of the document is on its way any more.
pub fn no_longer_expect(document: &mut Document, draft: &mut Draft) -> Result<(), Refusal> {
    let to = document.to()?;
    for line in &mut document.lines {
        let incoming = line.incoming.saturating_neg();
        line.take(0, 0, false);
        draft.change(&line.sku, &to, Delta { incoming, ..Delta::default() });
    }
    Ok(())
}
