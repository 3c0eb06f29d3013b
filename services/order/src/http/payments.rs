//! Payments and refunds as they are answered.

use kernel::id::{RefundId, ReturnId};
use kernel::{Currency, Money, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::read_orders::ReadRefund;
use crate::domain::form::PaymentForm;
use crate::store::payments::PaymentRow;

/// A payment of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentView {
    /// Its place among the order's payments, from 1.
    pub sequence: i32,
    /// How, in the channel's own words.
    pub method: String,
    /// How much.
    pub amount: Money,
    /// The payment's own number.
    pub reference: Option<String>,
    /// What of it has gone back.
    pub refunded_amount: Money,
}

impl PaymentView {
    /// The payments of a new order: nothing has gone back yet.
    pub fn fresh(payments: Vec<PaymentForm>) -> Vec<Self> {
        let view = |(sequence, form): (i32, PaymentForm)| Self {
            sequence,
            refunded_amount: Money::new(0, form.amount.currency),
            method: form.method,
            amount: form.amount,
            reference: form.reference,
        };
        (1..).zip(payments).map(view).collect()
    }

    /// With what has gone back of each.
    pub fn with_refunds(views: Vec<Self>, rows: &[PaymentRow]) -> Vec<Self> {
        let refunded = |view: Self| {
            let row = rows.iter().find(|row| row.sequence == view.sequence);
            let amount = row.map_or(0, |row| row.refunded);
            Self { refunded_amount: Money::new(amount, view.amount.currency), ..view }
        };
        views.into_iter().map(refunded).collect()
    }
}

/// Money that went back to the buyer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefundView {
    /// Its id.
    pub id: RefundId,
    /// `cancellation` or `return`.
    pub cause: String,
    /// The return it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_id: Option<ReturnId>,
    /// Freight in it.
    pub freight_amount: Money,
    /// All of it.
    pub total_amount: Money,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// To which payments it goes; left out where the channel settles the order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RefundPartView>,
    /// When.
    pub refunded_at: Timestamp,
}

/// What of a refund goes to a payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefundPartView {
    /// The payment's `sequence`.
    pub sequence: i32,
    /// How much.
    pub amount: Money,
}

impl RefundView {
    /// A refund with its parts, in the order's currency.
    pub fn of(read: &ReadRefund, currency: Currency) -> Self {
        let row = &read.row;
        let money = |amount| Money::new(amount, currency);
        let part =
            |it: &crate::store::payments::PartRow| RefundPartView { sequence: it.sequence, amount: money(it.amount) };
        Self {
            id: RefundId(row.refund_id),
            cause: row.cause.clone(),
            return_id: row.return_id.map(ReturnId),
            freight_amount: money(row.freight_amount),
            total_amount: money(row.total_amount),
            reason: row.reason.clone(),
            parts: read.parts.iter().map(part).collect(),
            refunded_at: row.refunded_at.into(),
        }
    }
}
