//! A line of an order in the book, and what has become of its units.

use contracts::events::BundleComponent;
use kernel::SkuCode;

/// An order line. Its units are counted in the order's own terms: for a bundle, whole bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number within the order.
    pub line_no: i32,
    /// What was bought.
    pub sku: SkuCode,
    /// What it is made of, when it is a bundle.
    pub components: Vec<BundleComponent>,
    /// Units ordered.
    pub quantity: i64,
    /// Units cancelled before they shipped.
    pub cancelled: i64,
    /// Units that left.
    pub shipped: i64,
    /// Units that returns have claimed.
    pub returned: i64,
    /// Units whose money went back after a return.
    pub refunded: i64,
    /// What is paid for all units, in minor units.
    pub paid_amount: i64,
    /// The line's share of the freight.
    pub freight_amount: i64,
    /// The line that it comes with as a gift.
    pub gift_with: Option<i32>,
}

impl Line {
    /// The SKUs that leave the shelf for one unit, and how many of each: the SKU itself, or a bundle's components.
    pub fn parts(&self) -> Vec<(&SkuCode, i64)> {
        if self.components.is_empty() {
            return vec![(&self.sku, 1)];
        }
        self.components.iter().map(|part| (&part.sku, part.quantity.get())).collect()
    }

    /// Units still wanted.
    pub fn live(&self) -> i64 {
        self.quantity.saturating_sub(self.cancelled)
    }

    /// Units whose money went back, by cancelling or by returning.
    pub fn given_back(&self) -> i64 {
        self.cancelled.saturating_add(self.refunded)
    }

    /// Units that may still be returned.
    pub fn returnable(&self) -> i64 {
        self.shipped.saturating_sub(self.returned)
    }
}
