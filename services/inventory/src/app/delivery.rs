//! A receipt or a transfer as its commands see it: read under the pool's lock, changed, and written back.

use std::collections::BTreeSet;

use contracts::FieldError;
use kernel::{LocationCode, Quantity, SkuCode, Timestamp};
use store::{Error, Tx};
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::Refusal;
use crate::domain::document::{GoodsLine, ReceiptStatus, TransferStatus};
use crate::store::deliveries::{self, Delivery, Kind};
use crate::store::movements::{Movement, MovementKind};
use crate::store::{catalog, code, locations, locks};

/// So many units of a SKU, as a new document names them.
pub type Wanted = (SkuCode, Quantity);

/// A receipt or a transfer with its lines.
#[derive(Clone, Debug)]
pub struct Document {
    /// Which of the two.
    pub kind: Kind,
    /// Everything but its lines.
    pub head: Delivery,
    /// Its lines.
    pub lines: Vec<GoodsLine>,
}

impl Document {
    /// A new document.
    pub fn new(kind: Kind, head: Delivery, wanted: &[Wanted]) -> Self {
        let lines = (1..).zip(wanted).map(|(line_no, (sku, units))| GoodsLine::new(line_no, sku.clone(), units.get()));
        Self { kind, head, lines: lines.collect() }
    }

    /// The document as it is now.
    pub fn read(tx: &mut Tx<'_>, kind: Kind, id: Uuid) -> Result<Self, Refusal> {
        let missing = || Refusal::NotFound { what: kind.as_str(), id: id.to_string() };
        let head = deliveries::get(tx, kind, id)?.ok_or_else(missing)?;
        let lines = deliveries::lines(tx, &[id])?.remove(&id).unwrap_or_default();
        Ok(Self { kind, head, lines })
    }

    /// The document, to be changed by a caller who has seen this version of it.
    pub fn open(tx: &mut Tx<'_>, kind: Kind, id: Uuid, caller: &Caller) -> Result<Self, Refusal> {
        locks::pool(tx)?;
        let document = Self::read(tx, kind, id)?;
        caller.check_version(document.head.version)?;
        Ok(document)
    }

    /// Where the goods go.
    pub fn to(&self) -> Result<LocationCode, Error> {
        code(&self.head.location)
    }

    /// Where they come from; none where that is not one of ours.
    pub fn from(&self) -> Result<Option<LocationCode>, Error> {
        self.head.origin.as_deref().map(code).transpose()
    }

    /// Where the goods of a transfer come from.
    pub fn origin(&self) -> Result<LocationCode, Error> {
        self.from()?.ok_or(Error::Broken("a transfer has an origin"))
    }

    /// The receipt becomes this, if its state allows it.
    pub fn receipt_becomes(&mut self, next: ReceiptStatus, at: Timestamp) -> Result<(), Refusal> {
        let now = ReceiptStatus::parse(&self.head.status).ok_or(Error::Broken("a stored state is a state"))?;
        if !now.may_become(next) {
            return Err(Refusal::State(format!("the receipt is {now}")));
        }
        self.head.becomes(next.as_str(), at);
        Ok(())
    }

    /// The transfer becomes this, if its state allows it.
    pub fn transfer_becomes(&mut self, next: TransferStatus, at: Timestamp) -> Result<(), Refusal> {
        let now = TransferStatus::parse(&self.head.status).ok_or(Error::Broken("a stored state is a state"))?;
        if !now.may_become(next) {
            return Err(Refusal::State(format!("the transfer is {now}")));
        }
        self.head.becomes(next.as_str(), at);
        Ok(())
    }

    /// A movement that belongs to this document: of so many units on hand, so many of which go into quarantine.
    pub fn movement(
        &self,
        kind: MovementKind,
        place: (&SkuCode, &LocationCode),
        units: (i64, i64),
        caller: &Caller,
    ) -> Movement {
        Movement {
            sku: place.0.clone(),
            location: place.1.clone(),
            kind,
            on_hand: units.0,
            quarantined: units.1,
            owed: 0,
            reason: self.head.reason.clone().unwrap_or_else(|| self.kind.as_str().to_owned()),
            reference: Some(self.head.id.to_string()),
            actor: caller.name(),
        }
    }
}

/// Refuses SKUs that cannot be stocked and locations that do not exist, each by the name of its field.
pub fn check_known(
    tx: &mut Tx<'_>,
    skus: &[(String, &SkuCode)],
    places: &[(&str, &LocationCode)],
) -> Result<(), Refusal> {
    let wanted: BTreeSet<&str> = skus.iter().map(|(_, sku)| sku.as_str()).collect();
    let stockable = catalog::stockable(tx, &wanted.into_iter().collect::<Vec<_>>())?;
    let stockable: BTreeSet<&str> = stockable.iter().map(String::as_str).collect();
    let known = locations::known(tx, &places.iter().map(|(_, place)| place.as_str()).collect())?;
    let no_place = places
        .iter()
        .filter(|(_, place)| !known.contains(place.as_str()))
        .map(|(field, place)| FieldError { field: (*field).to_owned(), detail: format!("{place} is not a location") });
    let no_sku = skus.iter().filter(|(_, sku)| !stockable.contains(sku.as_str())).map(|(field, sku)| FieldError {
        field: field.clone(),
        detail: format!("{sku} is not a SKU that can be stocked"),
    });
    let faults: Vec<FieldError> = no_place.chain(no_sku).collect();
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Unknown(faults)) }
}

/// The SKUs of lines with the names of their fields.
pub fn fields<'a>(skus: impl Iterator<Item = &'a SkuCode>) -> Vec<(String, &'a SkuCode)> {
    skus.enumerate().map(|(index, sku)| (format!("lines[{index}].sku"), sku)).collect()
}
