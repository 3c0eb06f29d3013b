//! Books what tills sold and took back. It has happened, so that nothing is refused: what the books can spare leaves them
//! at once, and what they cannot is owed.

use std::collections::{BTreeMap, BTreeSet};

use bus::ConsumeError;
use contracts::events::{Disposition, PosKind, PosRecorded};
use kernel::{LocationCode, Quantity, SkuCode};
use store::Tx;
use uuid::Uuid;

use super::Draft;
use super::ask_for_owed::ask_for_owed;
use super::ship_orders::ORDER_SERVICE;
use crate::domain::Line;
use crate::store::debts::{self, Place};
use crate::store::movements::{Movement, MovementKind};
use crate::store::stock::{self, Balance};
use crate::store::{catalog, code, locations, locks};

/// Books a batch of transactions in its order. Safety stock is there to be sold.
pub fn sell_at_tills(tx: &mut Tx<'_>, recorded: &[PosRecorded]) -> Result<(), ConsumeError> {
    locks::pool(tx)?;
    let stores: BTreeSet<&str> = recorded.iter().map(|it| it.store.as_str()).collect();
    let known = locations::known(tx, &stores)?;
    if let Some(unknown) = stores.iter().find(|store| !known.contains(**store)) {
        return Err(ConsumeError::Park(format!("goods were sold at {unknown}, which is no location")));
    }
    let steps = steps(tx, recorded)?;
    let places: BTreeSet<Place> = steps.iter().map(|it| it.place.clone()).collect();
    let mut shelves = BTreeMap::new();
    for balance in stock::of_pairs(tx, places.iter().map(|(sku, location)| (sku, location)))? {
        shelves.insert((code(&balance.sku)?, code(&balance.location)?), balance);
    }
    let mut draft = if shelves.len() == places.len() { Draft::new() } else { Draft::opening() };
    draft.know_debts(tx, &places.into_iter().collect::<Vec<_>>())?;
    for step in &steps {
        let (sku, location) = &step.place;
        let empty = || Balance::empty(sku.to_string(), location.to_string());
        step.make(shelves.entry(step.place.clone()).or_insert_with(empty), &mut draft);
    }
    let balances = draft.write(tx)?;
    let owing = balances.iter().filter(|it| it.owed > 0 && it.reserved > 0);
    let owing: Vec<(&str, &str)> = owing.map(|it| (it.sku.as_str(), it.location.as_str())).collect();
    debts::ask_at_once(tx, &owing)?;
    if !owing.is_empty() {
        ask_for_owed(tx)?;
    }
    Ok(())
}

/// What happened to units of a SKU in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// They left with the buyer.
    Sold,
    /// A sale was undone: they are on the shelf again.
    Unsold,
    /// They came back.
    Returned(Disposition),
    /// They had not come back after all: they leave from where they had gone.
    Unreturned(Disposition),
}

impl What {
    const fn reason(self) -> &'static str {
        match self {
            Self::Sold => "sold at a till",
            Self::Unsold => "sale undone at a till",
            Self::Returned(Disposition::Restock) => "returned at a till: restocked",
            Self::Returned(Disposition::Quarantine) => "returned at a till: quarantined",
            Self::Returned(Disposition::Scrap) => "returned at a till: scrapped",
            Self::Unreturned(_) => "return undone at a till",
        }
    }

    const fn kind(self) -> MovementKind {
        match self {
            Self::Sold | Self::Unsold => MovementKind::PosSale,
            Self::Returned(_) | Self::Unreturned(_) => MovementKind::Return,
        }
    }
}

struct Step {
    transaction: Uuid,
    place: Place,
    what: What,
    units: i64,
}

/// Every line of a batch in its order, bundles taken apart as they are sold today.
fn steps(tx: &mut Tx<'_>, recorded: &[PosRecorded]) -> Result<Vec<Step>, ConsumeError> {
    let skus: BTreeSet<&SkuCode> = recorded.iter().flat_map(|it| it.lines.iter().map(|line| &line.sku)).collect();
    let entries = catalog::entries(tx, skus.into_iter())?;
    let mut steps = Vec::new();
    for it in recorded {
        for line in &it.lines {
            let entry = entries.get(&line.sku);
            let entry = entry.ok_or_else(|| ConsumeError::Retry(format!("{} is not in the catalogue", line.sku)))?;
            let what = match (line.quantity > 0, line.disposition) {
                (true, None) => What::Sold,
                (true, Some(disposition)) => What::Unreturned(disposition),
                (false, _) if it.kind == PosKind::Void => What::Unsold,
                (false, disposition) => What::Returned(disposition.unwrap_or(Disposition::Restock)),
            };
            let Ok(quantity) = Quantity::try_from(line.quantity.saturating_abs()) else { continue };
            let whole = Line { line_no: line.line_no, sku: line.sku.clone(), quantity, parts: entry.parts.clone() };
            steps.extend(whole.demands().map(|demand| Step {
                transaction: it.transaction_id.uuid(),
                place: (demand.sku, it.store.clone()),
                what,
                units: demand.units,
            }));
        }
    }
    Ok(steps)
}

impl Step {
    fn make(&self, shelf: &mut Balance, draft: &mut Draft) {
        let n = self.units;
        match self.what {
            What::Sold => self.take(shelf, n, draft),
            What::Unsold | What::Returned(Disposition::Restock) => self.put(shelf, (n, 0), draft),
            What::Returned(Disposition::Quarantine) => self.put(shelf, (n, n), draft),
            What::Returned(Disposition::Scrap) => {
                self.put(shelf, (n, n), draft);
                self.scrap(shelf, n.saturating_neg(), draft);
            }
            What::Unreturned(Disposition::Restock) => self.take(shelf, n, draft),
            What::Unreturned(Disposition::Quarantine) => {
                // Some of them may have been sorted out since.
                let apart = n.min(shelf.quarantined);
                if apart > 0 {
                    self.put(shelf, (apart.saturating_neg(), apart.saturating_neg()), draft);
                }
                self.take(shelf, n.saturating_sub(apart), draft);
            }
            What::Unreturned(Disposition::Scrap) => {
                self.scrap(shelf, n, draft);
                self.put(shelf, (n.saturating_neg(), n.saturating_neg()), draft);
            }
        }
    }

    /// Takes what is free off the shelf; the rest is owed.
    fn take(&self, shelf: &mut Balance, units: i64, draft: &mut Draft) {
        let taken = shelf.free().clamp(0, units);
        let owed = units.saturating_sub(taken);
        shelf.on_hand = shelf.on_hand.saturating_sub(taken);
        shelf.owed = shelf.owed.saturating_add(owed);
        if units > 0 {
            draft.move_units(self.movement(self.what.kind(), (taken.saturating_neg(), 0, owed)));
        }
        if owed > 0 {
            draft.owe(&self.place, self.transaction, owed);
        }
    }

    /// Changes what is there and what of it is kept apart; what becomes free goes to what is owed.
    fn put(&self, shelf: &mut Balance, (on_hand, quarantined): (i64, i64), draft: &mut Draft) {
        shelf.on_hand = shelf.on_hand.saturating_add(on_hand);
        shelf.quarantined = shelf.quarantined.saturating_add(quarantined);
        draft.move_units(self.movement(self.what.kind(), (on_hand, quarantined, 0)));
        let settled = shelf.settle();
        if settled > 0 {
            draft.settle(&self.place, settled);
        }
    }

    fn scrap(&self, shelf: &mut Balance, units: i64, draft: &mut Draft) {
        shelf.on_hand = shelf.on_hand.saturating_add(units);
        shelf.quarantined = shelf.quarantined.saturating_add(units);
        draft.move_units(self.movement(MovementKind::Damage, (units, units, 0)));
    }

    fn movement(&self, kind: MovementKind, (on_hand, quarantined, owed): (i64, i64, i64)) -> Movement {
        let (sku, location): (SkuCode, LocationCode) = self.place.clone();
        Movement {
            sku,
            location,
            kind,
            on_hand,
            quarantined,
            owed,
            reason: self.what.reason().to_owned(),
            reference: Some(self.transaction.to_string()),
            actor: ORDER_SERVICE.to_owned(),
        }
    }
}
