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
    /// What for.
    pub cause: RefundCause,
    /// The return it is for, if it is for one.
    pub return_id: Option<ReturnId>,
    /// Freight in it.
    pub freight_amount: i64,
    /// All of it.
    pub total_amount: i64,
    /// What of it pays for the order of an exchange.
    pub exchange_amount: i64,
    /// Why.
    pub reason: Option<String>,
}

/// What money goes back for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundCause {
    /// Units that were cancelled.
    Cancellation,
    /// Units that came back.
    Return,
    /// A part of the price of units that the buyer keeps.
    Adjustment,
}

impl RefundCause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancellation => "cancellation",
            Self::Return => "return",
            Self::Adjustment => "adjustment",
        }
    }
}

/// Notes refunds, at most one of each order; answers of each what goes to which payment, which is nothing where the channel
/// settles the order. The orders must be locked.
pub fn pay_back(tx: &mut Tx<'_>, refunds: &[PayBack]) -> Result<Vec<Vec<RefundPart>>, Error> {
    if refunds.is_empty() {
        return Ok(Vec::new());
    }
    let refunded_at = tx.now().utc();
    let row = |refund: &PayBack| RefundRow {
        refund_id: refund.refund_id.uuid(),
        order_id: refund.order_id.map(OrderId::uuid),
        return_id: refund.return_id.map(ReturnId::uuid),
        cause: refund.cause.as_str().to_owned(),
        freight_amount: refund.freight_amount,
        total_amount: refund.total_amount,
        exchange_amount: refund.exchange_amount,
        reason: refund.reason.clone(),
        refunded_at,
    };
    let rows: Vec<RefundRow> = refunds.iter().map(row).collect();
    payments::insert_refunds(tx, &rows)?;
    let orders: Vec<Uuid> = rows.iter().filter_map(|row| row.order_id).collect();
    let paid = payments::of(tx, &orders)?;
    let mut stored = Vec::new();
    let mut told = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some((order_id, paid)) = row.order_id.and_then(|id| Some((id, paid.get(&id)?))) else {
            told.push(Vec::new());
            continue;
        };
        let mut parts = paying::share_out(&paid.iter().map(PaymentRow::paid).collect::<Vec<_>>(), row.total_amount)
            .map_err(|_| Error::Broken("payments add up to the order's total"))?;
        paying::set_aside(&mut parts, row.exchange_amount);
        told.push(parts.iter().filter_map(|part| tell(paid, part)).collect());
        stored.extend(parts.into_iter().map(|part| (row.refund_id, order_id, part)));
    }
    payments::insert_parts(tx, &stored)?;
    Ok(told)
}

fn tell(paid: &[PaymentRow], part: &paying::Part) -> Option<RefundPart> {
    let payment = paid.iter().find(|payment| payment.sequence == part.sequence)?;
    Some(RefundPart {
        sequence: part.sequence,
        method: payment.method.clone(),
        reference: payment.reference.clone(),
        amount: part.amount,
        exchange_amount: part.exchange_amount,
    })
}
