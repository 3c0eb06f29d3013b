//! What the book keeps of an order beside what has columns of its own.

use contracts::events::Buyer;
use kernel::id::{ReservationId, ReturnId};
use kernel::{LocationCode, Money, PayeeCode};
use serde::{Deserialize, Serialize};

use crate::domain::coupons::CouponForm;
use crate::domain::form::{FulfilmentForm, OrderForm, PaymentForm};
use crate::domain::payment_terms::PaymentTermsForm;
use crate::domain::sent::Sent;

/// What of an order has no column of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Who bought.
    pub buyer: Buyer,
    /// How the goods reach the buyer.
    pub fulfilment: FulfilmentForm,
    /// The discount on the whole order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Money>,
    /// Coupons that the buyer used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupons: Option<Vec<CouponForm>>,
    /// When it is paid; none when it is paid already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_terms: Option<PaymentTermsForm>,
    /// How it was paid; none when the channel settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<Vec<PaymentForm>>,
    /// The return that it is the exchange of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_of: Option<ReturnId>,
    /// The purchase that it was split from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_order_no: Option<String>,
    /// The hold it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<ReservationId>,
    /// The guide credited with the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// The store credited with the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<LocationCode>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the channel said last of the lines; none while they are as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
}

impl Document {
    /// What it is of a new order.
    pub fn of(form: OrderForm) -> Self {
        Self {
            buyer: form.buyer.into(),
            fulfilment: form.fulfilment,
            discount: form.discount,
            coupons: form.coupons,
            payment_terms: form.payment_terms,
            payments: form.payments,
            exchange_of: None,
            parent_order_no: form.parent_order_no,
            reservation_id: form.reservation_id,
            guide: form.guide,
            store: form.store,
            note: form.note,
            sent: None,
        }
    }
}
