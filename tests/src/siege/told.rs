//! What besiegers were told that moved: every answer they got, added up by SKU, location and kind of movement.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Units by kind of movement.
type Kinds = BTreeMap<String, i64>;

/// Units that moved, below 0 where they left: by SKU, location and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told(BTreeMap<String, BTreeMap<String, Kinds>>);

impl Told {
    /// So many units came to a place, or left it.
    pub fn add(&mut self, sku: &str, place: &str, kind: &str, units: i64) {
        let kinds = self.0.entry(sku.to_owned()).or_default().entry(place.to_owned()).or_default();
        *kinds.entry(kind.to_owned()).or_default() += units;
    }

    /// Every sum that is not 0, as `(sku, place, kind, units)`.
    pub fn sums(&self) -> impl Iterator<Item = (&str, &str, &str, i64)> {
        let places = self.0.iter().flat_map(|(sku, places)| places.iter().map(move |(place, it)| (sku, place, it)));
        places
            .flat_map(|(sku, place, it)| {
                it.iter().map(move |(kind, units)| (sku.as_str(), place.as_str(), kind.as_str(), *units))
            })
            .filter(|(.., units)| *units != 0)
    }

    /// Units over all SKUs and places, by kind.
    pub fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::new();
        for (_, _, kind, units) in self.sums() {
            *kinds.entry(kind.to_owned()).or_default() += units;
        }
        kinds
    }
}

impl AddAssign<&Self> for Told {
    fn add_assign(&mut self, other: &Self) {
        for (sku, place, kind, units) in other.sums() {
            self.add(sku, place, kind, units);
        }
    }
}
