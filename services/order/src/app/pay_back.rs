//! Notes money that goes back, and to which payments.

use ::store::{Error, Tx};
use contracts::events::RefundPart;
use kernel::id::{OrderId, RefundId, ReturnId};
use uuid::Uuid;

use crate::domain::paying;
use crate::store::payments::{self, PaymentRow, RefundRow};

/// Money that goes back.
#[derive(Clone, Debug)]
pub struct PayBack {
    /// The refund's id.
    pub refund_id: RefundId,
    /// The order; none where nobody knows it.
    pub order_id: Option<OrderId>,
    /// The return it is for; none where units were cancelled.
    pub return_id: Option<ReturnId>,
    /// Freight in it.
    pub freight_amount: i64,
    /// All of it.
    pub total_amount: i64,
    /// Why.
    pub reason: Option<String>,
}

/// Notes it; answers what goes to which payment, which is nothing where the channel settles the order. The order, if there
/// is one, must be locked.
pub fn pay_back(tx: &mut Tx<'_>, refund: PayBack) -> Result<Vec<RefundPart>, Error> {
    let row = RefundRow {
        refund_id: refund.refund_id.uuid(),
        order_id: refund.order_id.map(OrderId::uuid),
        return_id: refund.return_id.map(ReturnId::uuid),
        cause: if refund.return_id.is_some() { "return" } else { "cancellation" }.to_owned(),
        freight_amount: refund.freight_amount,
        total_amount: refund.total_amount,
        reason: refund.reason,
        refunded_at: tx.now().utc(),
    };
    payments::insert_refund(tx, &row)?;
    match row.order_id {
        Some(order_id) => to_payments(tx, &row, order_id),
        None => Ok(Vec::new()),
    }
}

fn to_payments(tx: &mut Tx<'_>, refund: &RefundRow, order_id: Uuid) -> Result<Vec<RefundPart>, Error> {
    let paid = payments::of(tx, &[order_id])?.remove(&order_id).unwrap_or_default();
    if paid.is_empty() {
        return Ok(Vec::new());
    }
    let parts = paying::share_out(&paid.iter().map(PaymentRow::paid).collect::<Vec<_>>(), refund.total_amount)
        .map_err(|_| Error::Broken("payments add up to the order's total"))?;
    payments::insert_parts(tx, refund.refund_id, order_id, &parts)?;
    let told = |part: &paying::Part| {
        let payment = paid.iter().find(|payment| payment.sequence == part.sequence)?;
        Some(RefundPart {
            sequence: part.sequence,
            method: payment.method.clone(),
            reference: payment.reference.clone(),
            amount: part.amount,
        })
    };
    Ok(parts.iter().filter_map(told).collect())
}
