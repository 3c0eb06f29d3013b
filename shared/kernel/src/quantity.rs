//! Quantities of goods: whole units, never negative.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest quantity of one SKU on a line or in a movement: a billion units.
pub const MAX_QUANTITY: i64 = 1_000_000_000;

/// A whole number of units from 1 to [`MAX_QUANTITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000, example = 2)]
pub struct Quantity(i64);

/// A number that is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a whole number from 1 to {MAX_QUANTITY}")]
pub struct QuantityError;

impl Quantity {
    /// The number of units.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = QuantityError;

    fn try_from(units: i64) -> Result<Self, QuantityError> {
        if (1..=MAX_QUANTITY).contains(&units) { Ok(Self(units)) } else { Err(QuantityError) }
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
