//! What the rebate service tells.

use kernel::id::{OrderId, PosTransactionId, RebateLineId};
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

/// A payee earned on a line that a till sold; once more where a return of it was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosRebateAccrued {
    /// The rebate line.
    pub line_id: RebateLineId,
    /// The till's transaction.
    pub transaction_id: PosTransactionId,
    /// Who earned.
    pub payee: PayeeCode,
    /// How much.
    #[serde(deserialize_with = "super::open::money")]
    pub amount: Money,
}

/// What a payee had earned on a till's line was taken back, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosRebateReversed {
    /// The rebate line.
    pub line_id: RebateLineId,
    /// The transaction that had sold it.
    pub transaction_id: PosTransactionId,
    /// Who had earned.
    pub payee: PayeeCode,
    /// How much was taken back, as a positive amount.
    #[serde(deserialize_with = "super::open::money")]
    pub amount: Money,
}

payload!(RebateAccrued, "rebate.accrued", |it| it.order_id.to_string());
payload!(RebateReversed, "rebate.reversed", |it| it.order_id.to_string());
payload!(PosRebateAccrued, "pos_rebate.accrued", |it| it.transaction_id.to_string());
payload!(PosRebateReversed, "pos_rebate.reversed", |it| it.transaction_id.to_string());
