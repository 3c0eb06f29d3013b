//! Shelves: what each location can still promise of a SKU, as one plan after the other sees it.

use std::collections::HashMap;

use kernel::SkuCode;

use super::atlas::Slot;

/// What the locations can promise of one SKU: on hand − reserved − quarantined − safety. Below 0 where the safety stock
/// is not covered; nothing can be promised there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Sorted by slot.
    places: Vec<(Slot, i64)>,
}

impl Shelf {
    /// A shelf from balances in any order.
    pub fn new(mut places: Vec<(Slot, i64)>) -> Self {
        places.sort_unstable();
        Self { places }
    }

    /// How many units a location can promise.
    pub fn available(&self, slot: Slot) -> i64 {
        self.balance(slot).unwrap_or(0).max(0)
    }

    /// The balance of a location, if it has one.
    pub fn balance(&self, slot: Slot) -> Option<i64> {
        let index = self.places.binary_search_by_key(&slot, |(place, _)| *place).ok()?;
        self.places.get(index).map(|(_, balance)| *balance)
    }

    /// Sets the balance of a location; says what it was.
    pub fn set(&mut self, slot: Slot, balance: i64) -> Option<i64> {
        match self.places.binary_search_by_key(&slot, |(place, _)| *place) {
            Ok(index) => self.places.get_mut(index).map(|(_, was)| std::mem::replace(was, balance)),
            Err(index) => {
                self.places.insert(index, (slot, balance));
                None
            }
        }
    }

    /// The locations that can promise something, in the order of their slots.
    pub fn stocked(&self) -> impl Iterator<Item = (Slot, i64)> {
        self.places.iter().copied().filter(|(_, balance)| *balance > 0)
    }

    /// How many locations have a balance.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no location has a balance.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The shelves of many SKUs.
pub type Shelves = HashMap<SkuCode, Shelf>;
