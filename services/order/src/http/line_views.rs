//! Order lines as they are answered.

use contracts::events::CouponShare;
use kernel::{Currency, Money, SkuCode};
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;

use crate::store::code;
use crate::store::lines::LineRow;

/// An order line. Units are counted in the order's own terms: for a bundle, whole bundles.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OrderLineView)]
pub struct LineView {
    /// Its number within the order.
    pub line_no: i32,
    /// What was bought.
    pub sku: SkuCode,
    /// The channel's own SKU, when the channel named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_sku: Option<SkuCode>,
    /// The SKU's category when it was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Units ordered.
    pub quantity: i64,
    /// The exact price of one unit in major units.
    #[schema(example = "2.555")]
    pub unit_price_decimal: String,
    /// Unit price × quantity, rounded once.
    pub list_amount: Money,
    /// The line's own discount and its shares of the order's and of coupons.
    pub discount_amount: Money,
    /// Its tax, where that comes on top of prices; left out where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_tax_amount: Option<Money>,
    /// List − discount + added tax.
    pub paid_amount: Money,
    /// The line's share of the freight.
    pub freight_amount: Money,
    /// What coupons took off it; the discount holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon_amount: Option<Money>,
    /// Which coupon took off how much.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponShareView>,
    /// The rate of its tax, as an exact fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0.13")]
    pub tax_rate: Option<String>,
    /// The tax in what is paid for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_amount: Option<Money>,
    /// Whether it is a gift.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
    /// The line that the gift comes with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_with: Option<i32>,
    /// The line that it holds more units of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<i32>,
    /// Units cancelled.
    pub cancelled: i64,
    /// Units that left.
    pub shipped: i64,
    /// Units that returns have claimed.
    pub returned: i64,
    /// Units whose money went back after a return.
    pub refunded: i64,
}

/// What a coupon took off a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CouponShareView {
    /// Its code.
    pub code: String,
    /// What it took off the line.
    pub amount: Money,
}

impl LineView {
    /// A line as it is in the book.
    pub fn new(row: &LineRow, currency: Currency) -> Result<Self, Error> {
        let money = |amount| Money::new(amount, currency);
        let extras = row.extras()?;
        let share = |it: &CouponShare| CouponShareView { code: it.code.clone(), amount: money(it.amount) };
        Ok(Self {
            line_no: row.line_no,
            sku: code(&row.sku)?,
            channel_sku: row.channel_sku.as_deref().map(code).transpose()?,
            category: row.category.clone(),
            quantity: row.quantity,
            unit_price_decimal: row.unit_price.to_string(),
            list_amount: money(row.list_amount),
            discount_amount: money(row.discount_amount),
            added_tax_amount: Some(row.added_tax_amount).filter(|tax| *tax > 0).map(money),
            paid_amount: money(row.paid_amount),
            freight_amount: money(row.freight_amount),
            coupon_amount: (!extras.coupons.is_empty()).then(|| money(extras.coupon_amount())),
            coupons: extras.coupons.iter().map(share).collect(),
            tax_rate: extras.tax_rate,
            tax_amount: extras.tax_amount.map(money),
            gift: extras.gift,
            gift_with: extras.gift_with,
            extends: extras.extends,
            cancelled: row.cancelled,
            shipped: row.shipped,
            returned: row.returned,
            refunded: row.refunded,
        })
    }
}
