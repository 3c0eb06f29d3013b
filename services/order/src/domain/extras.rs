//! What few lines of orders have beyond a SKU, units and a price.

use contracts::events::CouponShare;
use serde::{Deserialize, Serialize};

/// What a line has beyond the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// What coupons took off it; part of its discount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponShare>,
    /// Its rate of tax, as an exact fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<String>,
    /// The tax in what is paid for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_amount: Option<i64>,
    /// Whether it is a gift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
    /// The line that the gift comes with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gift_with: Option<i32>,
    /// The line that it holds more units of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<i32>,
}

impl Extras {
    /// Whether there is nothing beyond the usual.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What all coupons took off the line.
    pub fn coupon_amount(&self) -> i64 {
        self.coupons.iter().fold(0, |sum, share| sum.saturating_add(share.amount))
    }
}
