//! What was sold, as the order told it: the facts every accrual is computed from.

use contracts::events::OrderLine;
use kernel::id::OrderId;
use kernel::{Currency, Timestamp};

/// An order's sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The order.
    pub order_id: OrderId,
    /// Its channel.
    pub channel: String,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// The currency of its amounts.
    pub currency: Currency,
    /// The guide the order names.
    pub guide: Option<String>,
    /// The store the order names.
    pub store: Option<String>,
    /// What was bought, by line number.
    pub lines: Vec<SaleLine>,
}

/// A line of a sale; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleLine {
    /// Its number within the order.
    pub line_no: i32,
    /// What was bought.
    pub sku: String,
    /// Its category at that moment.
    pub category: Option<String>,
    /// How many units.
    pub quantity: i64,
    /// Before any discount.
    pub list_amount: i64,
    /// What was paid for it, without freight.
    pub paid_amount: i64,
    /// Whether the order got it after it was placed.
    pub added: bool,
}

impl SaleLine {
    /// A line as the order tells it.
    pub fn of(line: OrderLine, added: bool) -> Self {
        Self {
            line_no: line.line_no,
            sku: line.sku.into(),
            category: line.category,
            quantity: line.quantity.get(),
            list_amount: line.list_amount,
            paid_amount: line.paid_amount,
            added,
        }
    }
}
