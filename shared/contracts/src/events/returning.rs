//! Events of what comes back: returned goods, and money.

use kernel::id::{OrderId, RefundId, ReturnId};
use kernel::{Currency, LocationCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of a returned unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Back on the shelf.
    Restock,
    /// Kept apart.
    Quarantine,
    /// Destroyed.
    Scrap,
}

/// Returned units of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnLine {
    /// The order line, when the original is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_no: Option<i32>,
    /// The SKU.
    pub sku: SkuCode,
    /// How many units.
    pub quantity: Quantity,
    /// What the inspection decided; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
}

/// Returned goods arrived; they are on hand but quarantined until inspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnReceived {
    /// The return.
    pub return_id: ReturnId,
    /// The original order, when known.
    pub order_id: Option<OrderId>,
    /// Where they arrived.
    pub location: LocationCode,
    /// What arrived.
    pub lines: Vec<ReturnLine>,
    /// When.
    pub received_at: Timestamp,
}

/// Returned goods were inspected; each line names its disposition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnInspected {
    /// The return.
    pub return_id: ReturnId,
    /// The original order, when known.
    pub order_id: Option<OrderId>,
    /// Where.
    pub location: LocationCode,
    /// What became of it.
    pub lines: Vec<ReturnLine>,
    /// When.
    pub inspected_at: Timestamp,
}

/// Goods that were agreed to come back have not come in time; the return will not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnLapsed {
    /// The return.
    pub return_id: ReturnId,
    /// The original order, when known.
    pub order_id: Option<OrderId>,
    /// What has not come.
    pub lines: Vec<ReturnLine>,
    /// The order that was wanted in exchange; it is cancelled, unless the buyer has paid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_order_id: Option<OrderId>,
    /// When.
    pub lapsed_at: Timestamp,
}

/// Units of an order line that were given back, and what was paid for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundLine {
    /// The order line.
    pub line_no: i32,
    /// Its SKU.
    pub sku: SkuCode,
    /// How many units are given back now.
    pub quantity: Quantity,
    /// What of the line's paid amount goes back for them, without freight, in minor units.
    pub amount: i64,
}

/// An amount of an order line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineAmount {
    /// The order line.
    pub line_no: i32,
    /// Its SKU.
    pub sku: SkuCode,
    /// How much, in minor units.
    pub amount: i64,
}

/// What of a refund goes to which payment of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundPart {
    /// The payment's place among the order's payments, from 1.
    pub sequence: i32,
    /// How it was paid, in the channel's own words.
    pub method: String,
    /// The payment's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How much goes back to it, in minor units.
    pub amount: i64,
    /// How much of that is no money, because it pays for the order of an exchange.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub exchange_amount: i64,
}

/// Whether an amount is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
const fn is_nothing(amount: &i64) -> bool {
    *amount == 0
}

/// Money went back to the buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundIssued {
    /// The refund.
    pub refund_id: RefundId,
    /// The return it is for.
    pub return_id: Option<ReturnId>,
    /// The original order; none for a return whose original is not known.
    pub order_id: Option<OrderId>,
    /// What was given back, per line; empty when the original is not known.
    pub lines: Vec<RefundLine>,
    /// Freight that went back.
    pub freight_amount: i64,
    /// Everything that went back.
    pub total_amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// What went back of the price of units that the buyer keeps, refunded or no longer due; empty where units went back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<LineAmount>,
    /// To which payments it goes; empty where the channel settles the order, or the original is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RefundPart>,
    /// What of all that went back is no money, because it pays for the order of an exchange: whoever moves the money moves that
    /// much less.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub exchange_amount: i64,
    /// The order that it pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_order_id: Option<OrderId>,
    /// Why goods came back, as one of a list; none where none came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// When.
    pub refunded_at: Timestamp,
}

payload!(ReturnReceived, "return.received", |it| it
    .order_id
    .map_or_else(|| it.return_id.to_string(), |id| id.to_string()));
payload!(ReturnLapsed, "return.lapsed", |it| it.order_id.map_or_else(|| it.return_id.to_string(), |id| id.to_string()));
payload!(ReturnInspected, "return.inspected", |it| it
    .order_id
    .map_or_else(|| it.return_id.to_string(), |id| id.to_string()));
payload!(RefundIssued, "refund.issued", |it| it.order_id.map_or_else(|| it.refund_id.to_string(), |id| id.to_string()));
