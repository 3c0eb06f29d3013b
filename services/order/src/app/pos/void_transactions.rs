//! Lets voids take effect: once for each transaction, on the voids' own business days, whichever of the two comes first.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{PosKind, PosRecorded};
use kernel::Timestamp;
use kernel::id::PosTransactionId;

use super::record_transactions::add;
use crate::domain::pos::receipt::Receipt;
use crate::store::code;
use crate::store::pos::days::TenderKey;
use crate::store::pos::transactions::PosRow;
use crate::store::pos::voids::{self, Met};
use crate::store::pos::{Day, Till};

/// Notes new voids, and lets those take effect whose originals are there: of these and of those that `waiting` tills had
/// before. What they turn around is added to `sums`.
pub(super) fn void_transactions(
    tx: &mut Tx<'_>,
    new: &[&PosRow],
    waiting: &[Till],
    (sums, cause): (&mut BTreeMap<TenderKey, i64>, &Cause),
) -> Result<(), Error> {
    let claimed = !new.is_empty() && voids::claim(tx, new)?;
    if !claimed && waiting.is_empty() {
        return Ok(());
    }
    let mut tills: BTreeSet<Till> = waiting.iter().cloned().collect();
    tills.extend(new.iter().map(|row| row.till()));
    let met = voids::met(tx, &tills.iter().collect::<Vec<_>>())?;
    let mut settled = Vec::with_capacity(met.len());
    for met in &met {
        // What a void undid stays undone: it can only be sold anew.
        let done = met.original.kind()? != PosKind::Void;
        if done {
            let day = Day { till: met.original.till(), business_date: met.void_date };
            let receipt = met.original.receipt()?;
            let (_, tenders) = receipt.turned_around();
            add(sums, &day, &met.original.currency, &tenders);
            outbox::append(tx, &turned_around(met, receipt)?, cause)?;
        }
        settled.push((met.void_id, done));
    }
    if !settled.is_empty() {
        voids::settle(tx, &settled)?;
    }
    voids::recount(tx, &tills.iter().collect::<HashSet<_>>())
}

fn turned_around(met: &Met, receipt: Receipt) -> Result<PosRecorded, Error> {
    let original = &met.original;
    let (lines, _) = receipt.turned_around();
    Ok(PosRecorded {
        transaction_id: PosTransactionId(met.void_id),
        store: code(&original.store)?,
        terminal: original.terminal.clone(),
        business_date: met.void_date,
        sequence: met.void_sequence,
        kind: PosKind::Void,
        voids: Some(original.id()),
        channel: code(&original.channel)?,
        occurred_at: Timestamp::from(met.void_occurred_at),
        currency: original.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?,
        buyer: receipt.buyer,
        guide: receipt.guide,
        total_amount: Receipt::paid(&lines),
        lines: Receipt::told(&lines),
    })
}
