//! What the rebate service tells.

use kernel::id::{OrderId, RebateLineId};
use kernel::{Money, PayeeCode};
use serde::{Deserialize, Serialize};

/// A payee earned on an order line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebateAccrued {
    /// The rebate line.
    pub line_id: RebateLineId,
    /// The order.
    pub order_id: OrderId,
    /// Who earned.
    pub payee: PayeeCode,
    /// How much.
    #[serde(deserialize_with = "super::open::money")]
    pub amount: Money,
}

/// What a payee had earned was taken back, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebateReversed {
    /// The rebate line.
    pub line_id: RebateLineId,
    /// The order.
    pub order_id: OrderId,
    /// Who had earned.
    pub payee: PayeeCode,
    /// How much was taken back, as a positive amount.
    #[serde(deserialize_with = "super::open::money")]
    pub amount: Money,
}

payload!(RebateAccrued, "rebate.accrued", |it| it.order_id.to_string());
payload!(RebateReversed, "rebate.reversed", |it| it.order_id.to_string());
