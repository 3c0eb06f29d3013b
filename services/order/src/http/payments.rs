//! Payments and refunds of orders.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::id::{OrderId, RefundId, ReturnId};
use kernel::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path};

use super::App;
use super::optional::Optional;
use super::orders::view;
use super::views::OrderView;
use crate::app::adjust_price::{Adjust, adjust_price};
use crate::app::caller::Caller;
use crate::app::capture_payment::{Settle, settle_payment};
use crate::app::read_orders::ReadRefund;
use crate::app::receive_payment::receive_payment;
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::form::PaymentForm;
use crate::domain::intake::{MAX_LINES, MAX_NOTE_LENGTH};
use crate::store::payments::{PartRow, PaymentRow};

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

/// What is to go back of the price of units that the buyer keeps.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundBody {
    /// Of the price of which lines.
    #[serde(default)]
    #[schema(max_items = 2000)]
    lines: Vec<LineAmountForm>,
    /// Of the freight.
    #[serde(default)]
    freight: Option<Money>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// How much of the price of an order line.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineAmountForm {
    /// The order line.
    line_no: i32,
    /// How much.
    amount: Money,
}

/// Give a part of the price back for units that the buyer keeps
///
/// What the line's units are worth falls by it, so that they and this together never give back more than was paid.
#[utoipa::path(post, path = "/v1/orders/{id}/refunds", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = RefundBody, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 422, body = Problem)))]
pub async fn refund(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Json<RefundBody>,
) -> Result<HttpResponse, Failure> {
    let order_id = path.into_inner();
    let command = adjustment(order_id, body.into_inner())?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "adjust_price", move |tx| -> Result<Answer, Refusal> {
        adjust_price(tx, &command, &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

fn adjustment(order_id: OrderId, body: RefundBody) -> Result<Adjust, Refusal> {
    let mut faults = Faults::default();
    faults.text("reason", &body.reason, MAX_NOTE_LENGTH);
    if body.lines.len() > MAX_LINES || (body.lines.is_empty() && body.freight.is_none()) {
        faults.add("lines", format!("has 1 to {MAX_LINES} entries, or freight is given back"));
    }
    let mut seen = BTreeSet::new();
    for (index, line) in body.lines.iter().enumerate().take(MAX_LINES) {
        if !seen.insert(line.line_no) {
            faults.add(format!("lines[{index}].line_no"), "is named twice");
        }
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    let lines = body.lines.iter().map(|line| (line.line_no, line.amount)).collect();
    Ok(Adjust { order_id, lines, freight: body.freight, reason: body.reason })
}

/// How much of an authorised payment is taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureBody {
    /// How much; all of it, when left out. The rest is given up, and due again.
    #[serde(default)]
    amount: Option<Money>,
}

/// Take the money of an authorised payment
///
/// The same again changes nothing.
#[utoipa::path(post, path = "/v1/orders/{id}/payments/{sequence}/capture", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id"), ("sequence" = i32, Path, description = "The payment")),
    request_body = Option<CaptureBody>, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 422, body = Problem)))]
pub async fn capture(
    app: Data<App>,
    meta: Meta,
    path: Path<(OrderId, i32)>,
    body: Optional<CaptureBody>,
) -> Result<HttpResponse, Failure> {
    settle(app, meta, path.into_inner(), Settle::Capture(body.0.amount)).await
}

/// Give an authorised payment up
///
/// What it promised is due again. The same again changes nothing.
#[utoipa::path(post, path = "/v1/orders/{id}/payments/{sequence}/void", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id"), ("sequence" = i32, Path, description = "The payment")),
    responses((status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn void(app: Data<App>, meta: Meta, path: Path<(OrderId, i32)>) -> Result<HttpResponse, Failure> {
    settle(app, meta, path.into_inner(), Settle::Void).await
}

async fn settle(app: Data<App>, meta: Meta, payment: (OrderId, i32), how: Settle) -> Result<HttpResponse, Failure> {
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "settle_payment", move |tx| -> Result<Answer, Refusal> {
        settle_payment(tx, payment, how, &caller, rules)?;
        let view = view(tx, payment.0)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

const AUTHORISED: &str = "authorised";
const CAPTURED: &str = "captured";

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
    /// `captured`; `authorised` as long as any of it is promised and not taken, `voided` when nothing was or will be.
    pub status: &'static str,
    /// What of it was taken.
    pub captured_amount: Money,
    /// What of that has gone back.
    pub refunded_amount: Money,
}

impl PaymentView {
    /// The payments of a new order: nothing has gone back yet.
    pub fn fresh(payments: Vec<PaymentForm>) -> Vec<Self> {
        let view = |(sequence, form): (i32, PaymentForm)| Self {
            sequence,
            refunded_amount: Money::new(0, form.amount.currency),
            status: if form.status.is_captured() { CAPTURED } else { AUTHORISED },
            captured_amount: if form.status.is_captured() { form.amount } else { Money::new(0, form.amount.currency) },
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
            status: match row {
                row if row.authorised > 0 => AUTHORISED,
                row if row.captured() == 0 && row.voided > 0 => "voided",
                _ => CAPTURED,
            },
            captured_amount: money(row.captured()),
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
    /// `cancellation`, `return` or `adjustment`.
    pub cause: String,
    /// The return it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_id: Option<ReturnId>,
    /// Freight in it.
    pub freight_amount: Money,
    /// All of it.
    pub total_amount: Money,
    /// What of it is no money, because it paid for the order of an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_amount: Option<Money>,
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
    /// How much of that is no money, because it paid for the order of an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_amount: Option<Money>,
}

impl RefundView {
    /// A refund with its parts, in the order's currency.
    pub fn of(read: &ReadRefund, currency: Currency) -> Self {
        let row = &read.row;
        let money = |amount| Money::new(amount, currency);
        let exchanged = |amount| (amount > 0).then(|| money(amount));
        let part = |it: &PartRow| RefundPartView {
            sequence: it.sequence,
            amount: money(it.amount),
            exchange_amount: exchanged(it.exchange_amount),
        };
        Self {
            id: RefundId(row.refund_id),
            cause: row.cause.clone(),
            return_id: row.return_id.map(ReturnId),
            freight_amount: money(row.freight_amount),
            total_amount: money(row.total_amount),
            exchange_amount: exchanged(row.exchange_amount),
            reason: row.reason.clone(),
            parts: read.parts.iter().map(part).collect(),
            refunded_at: row.refunded_at.into(),
        }
    }
}
