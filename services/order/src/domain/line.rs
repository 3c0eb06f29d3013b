//! A line of an order in the book, and what has become of its units.

use contracts::events::BundleComponent;
use kernel::{Rounding, SkuCode, telescope};

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
    /// What its units are worth since a part of their price went back; none while they are worth what was paid.
    pub repriced: Option<Repriced>,
    /// The line that it comes with as a gift.
    pub gift_with: Option<i32>,
    /// The line that it holds more units of.
    pub extends: Option<i32>,
}

/// What the units of a line are worth that were not given back before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repriced {
    /// Units that had been given back before.
    pub after_units: i64,
    /// What all others are worth.
    pub amount: i64,
}

#[cfg(test)]
impl Line {
    /// So many units of a SKU, of which nothing has become anything yet.
    pub fn of(line_no: i32, sku: &str, quantity: i64) -> Self {
        Self {
            line_no,
            sku: sku.parse().unwrap(),
            components: Vec::new(),
            quantity,
            cancelled: 0,
            shipped: 0,
            returned: 0,
            refunded: 0,
            paid_amount: 0,
            freight_amount: 0,
            repriced: None,
            gift_with: None,
            extends: None,
        }
    }
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

    /// What goes back for so many more units: telescoping, so that all the steps end at what they are worth.
    pub fn worth_of(&self, units: i64) -> Option<i64> {
        let worth = self.repriced.unwrap_or(Repriced { after_units: 0, amount: self.paid_amount });
        let of = |units: i64| units.checked_sub(worth.after_units);
        let before = self.given_back();
        let after = before.checked_add(units).filter(|after| *after <= self.quantity)?;
        telescope(worth.amount, of(self.quantity)?, of(before)?, of(after)?, Rounding::HalfUp)
    }

    /// What the units are worth that were not given back.
    pub fn worth_left(&self) -> i64 {
        self.worth_of(self.quantity.saturating_sub(self.given_back())).unwrap_or_default()
    }

    /// Gives a part of the price of its remaining units back; none if they are not worth that much.
    pub fn reprice(&mut self, amount: i64) -> Option<()> {
        let left = self.worth_left().checked_sub(amount).filter(|left| *left >= 0)?;
        self.repriced = Some(Repriced { after_units: self.given_back(), amount: left });
        Some(())
    }

    /// Units that may still be returned.
    pub fn returnable(&self) -> i64 {
        self.shipped.saturating_sub(self.returned)
    }
}
