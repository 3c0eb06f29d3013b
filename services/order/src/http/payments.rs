//! Payments and refunds of orders.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::id::{OrderId, RefundId, ReturnId};
use kernel::{Currency, Money, Timestamp};
use serde::Serialize;
use service::{Answer, write};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path};

use super::App;
use super::orders::view;
use super::views::OrderView;
use crate::app::caller::Caller;
use crate::app::read_orders::ReadRefund;
use crate::app::receive_payment::receive_payment;
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::form::PaymentForm;
use crate::store::payments::PaymentRow;

/// Take a payment of an order that is in the book
///
/// At most what is still due. The same `method` and `reference` again change nothing.
#[utoipa::path(post, path = "/v1/orders/{id}/payments", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = PaymentForm, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 422, body = Problem)))]
pub async fn receive(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Json<PaymentForm>,
) -> Result<HttpResponse, Failure> {
    let (order_id, payment) = (path.into_inner(), body.into_inner());
    let mut faults = Faults::default();
    faults.payment("", &payment, payment.amount.currency);
    faults.into_result().map_err(Refusal::Invalid)?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "receive_payment", move |tx| -> Result<Answer, Refusal> {
        receive_payment(tx, order_id, &payment, &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

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

    /// An order's payments; none where the channel settles it.
    pub fn all(rows: &[PaymentRow], currency: Currency) -> Option<Vec<Self>> {
        let money = |amount| Money::new(amount, currency);
        let view = |row: &PaymentRow| Self {
            sequence: row.sequence,
            method: row.method.clone(),
            amount: money(row.amount),
            reference: row.reference.clone(),
            refunded_amount: money(row.refunded),
        };
        (!rows.is_empty()).then(|| rows.iter().map(view).collect())
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
