//! Events of payments.

use kernel::id::OrderId;
use kernel::{Currency, Timestamp};
use serde::{Deserialize, Serialize};

/// The buyer has paid something of an order that was in the book already. What an order comes with is not told by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReceived {
    /// The order.
    pub order_id: OrderId,
    /// Its place among the order's payments, from 1.
    pub sequence: i32,
    /// How, in the channel's own words.
    pub method: String,
    /// The payment's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How much, in minor units.
    pub amount: i64,
    /// What is still to be paid after it.
    pub due_amount: i64,
    /// The currency of the amounts.
    pub currency: Currency,
    /// When it came into the book.
    pub received_at: Timestamp,
}
payload!(PaymentReceived, "payment.received", |it| it.order_id.to_string());
