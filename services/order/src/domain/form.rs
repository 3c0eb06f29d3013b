//! An order as a channel hands it in, before anything is checked.

use contracts::events::{Buyer, Disposition, FulfilmentKind, Parcel, QuantityOfLine};
use contracts::requests::{Address, IdentityForm};
use kernel::id::{OrderId, ReservationId};
use kernel::{ChannelCode, Currency, LocationCode, Money, PayeeCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::coupons::CouponForm;
use super::payment_terms::PaymentTermsForm;
use super::picking::Found;
use super::return_reason::ReturnReason;

/// A new order.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderForm {
    /// The channel it comes from.
    pub channel: ChannelCode,
    /// The channel's own number for it; with the channel it names the order once and for all.
    #[schema(min_length = 1, max_length = 64)]
    pub channel_order_no: String,
    /// The channel's number for the purchase that it was split from; nothing needs to be in the book by it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub parent_order_no: Option<String>,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// When the channel last changed it.
    #[serde(default)]
    pub channel_updated_at: Option<Timestamp>,
    /// The currency of every amount; it must be the channel's own.
    pub currency: Currency,
    /// Who bought; left out for an anonymous sale.
    #[serde(default)]
    pub buyer: BuyerForm,
    /// How the goods reach the buyer.
    pub fulfilment: FulfilmentForm,
    /// What was bought: 1 to 2,000 lines.
    #[schema(min_items = 1, max_items = 2000)]
    pub lines: Vec<LineForm>,
    /// What the buyer pays for the transport.
    #[serde(default)]
    pub freight: Option<Money>,
    /// A discount on the whole order; it is shared out over the lines by what they cost.
    #[serde(default)]
    pub discount: Option<Money>,
    /// Coupons that the buyer used; each is shared out over its lines after the discounts.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub coupons: Option<Vec<CouponForm>>,
    /// Whether prices, discounts and freight hold their tax already (`true`, when left out), or the tax of prices comes on top.
    #[serde(default)]
    pub prices_include_tax: Option<bool>,
    /// The tax of all lines; it is shared out over them by what they cost. Instead of the lines' own.
    #[serde(default)]
    pub tax: Option<Money>,
    /// When it is paid; left out when it is paid already, or the channel settles it.
    #[serde(default)]
    pub payment_terms: Option<PaymentTermsForm>,
    /// How it was paid; left out when the channel settles it. They must add up to the total, or with `payment_terms` to no
    /// more than that.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub payments: Option<Vec<PaymentForm>>,
    /// A hold on stock that this order claims.
    #[serde(default)]
    pub reservation_id: Option<ReservationId>,
    /// The guide credited with the sale.
    #[serde(default)]
    pub guide: Option<PayeeCode>,
    /// The store credited with the sale.
    #[serde(default)]
    pub store: Option<LocationCode>,
    /// A remark.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// Who bought, or returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuyerForm {
    /// Everything the channel knows them by; empty for an anonymous sale.
    #[serde(default)]
    pub identities: Vec<IdentityForm>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl From<BuyerForm> for Buyer {
    fn from(form: BuyerForm) -> Self {
        Self { identities: form.identities.into_iter().map(Into::into).collect(), name: form.name }
    }
}

/// How the goods are to reach the buyer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FulfilmentForm {
    /// `ship` or `pickup`.
    #[serde(rename = "type")]
    pub kind: FulfilmentKind,
    /// Where to ship to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<Address>,
    /// Where the buyer collects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationCode>,
}

/// A line of a new order. It names its SKU by ours or by the channel's own code, and its price in minor units or as an
/// exact decimal of the major unit.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineForm {
    /// Its number within the order, from 1 to 1,000,000,000.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub line_no: i32,
    /// Our SKU.
    #[serde(default)]
    pub sku: Option<SkuCode>,
    /// The channel's own SKU, where the product service knows its listing.
    #[serde(default)]
    pub channel_sku: Option<SkuCode>,
    /// How many units.
    pub quantity: Quantity,
    /// The price of one unit.
    #[serde(default)]
    pub unit_price: Option<Money>,
    /// The price of one unit in major units, to any precision up to 12 decimals; rounded once, on the line.
    #[serde(default)]
    #[schema(example = "2.555")]
    pub unit_price_decimal: Option<String>,
    /// The line's own discount.
    #[serde(default)]
    pub discount: Option<Money>,
    /// The rate of its tax, as an exact fraction: `0.13` is 13 %.
    #[serde(default)]
    #[schema(example = "0.13")]
    pub tax_rate: Option<String>,
    /// Its tax, instead of a rate.
    #[serde(default)]
    pub tax_amount: Option<Money>,
    /// Whether it is a gift: its price is 0, or its own discount all of it.
    #[serde(default)]
    pub gift: bool,
    /// The line that the gift comes with, if it comes with one.
    #[serde(default)]
    pub gift_with: Option<i32>,
}

/// Whether the money of a payment was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It is promised, and taken or given up later.
    Authorised,
    /// It was.
    #[default]
    Captured,
}

impl Taken {
    /// Whether it was.
    pub const fn is_captured(&self) -> bool {
        matches!(self, Self::Captured)
    }
}

/// The method by which goods that came back pay, with the refund of their return; nobody else may name it.
pub const EXCHANGE: &str = "exchange";

/// A payment of an order.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentForm {
    /// How: `alipay`, `card`, `cash` and so on, in the channel's own words.
    pub method: String,
    /// How much.
    pub amount: Money,
    /// The payment's own number.
    #[serde(default)]
    pub reference: Option<String>,
    /// Whether its money was taken.
    #[serde(default, skip_serializing_if = "Taken::is_captured")]
    pub status: Taken,
}

/// A new return. It names its order by id or by the channel's number; where nobody knows the order any more, its lines
/// say what came back and what it is worth.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnForm {
    /// The original order.
    #[serde(default)]
    pub order_id: Option<OrderId>,
    /// The channel of the original order, or the one that the return came through.
    #[serde(default)]
    pub channel: Option<ChannelCode>,
    /// The original order's number in its channel.
    #[serde(default)]
    pub channel_order_no: Option<String>,
    /// The channel's own number for the return; with the channel it names the return once and for all.
    #[serde(default)]
    pub return_no: Option<String>,
    /// When the buyer asked; now, when left out.
    #[serde(default)]
    pub returned_at: Option<Timestamp>,
    /// Who returns, when the original is not known.
    #[serde(default)]
    pub buyer: Option<BuyerForm>,
    /// What comes back: 1 to 2,000 lines.
    #[schema(min_items = 1, max_items = 2000)]
    pub lines: Vec<ReturnLineForm>,
    /// Where the goods go.
    #[serde(default)]
    pub location: Option<LocationCode>,
    /// What the buyer wants instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeForm>,
    /// Why, as one of a list: it says who is at fault, and so whether the freight goes back. `other`, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<ReturnReason>,
    /// Why, in words. It may be left out where `reason_code` says it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl ReturnForm {
    /// Why, as one of the list.
    pub fn reason_code(&self) -> ReturnReason {
        self.reason_code.unwrap_or(ReturnReason::Other)
    }

    /// Why, in words, or else the word of the list.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_else(|| self.reason_code().as_str())
    }

    /// Whether the goods are there already, and somebody has looked at them.
    pub fn is_at_counter(&self) -> bool {
        self.lines.iter().any(|line| line.disposition.is_some())
    }

    /// Whether it names its original order.
    pub fn names_order(&self) -> bool {
        self.order_id.is_some() || self.channel_order_no.is_some()
    }
}

/// What a buyer wants instead of what comes back: an order of the same channel, placed when the return is approved.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeForm {
    /// The channel's own number for the new order; when left out, `EX-` and the return's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 64)]
    pub channel_order_no: Option<String>,
    /// What is wanted, as in any order.
    #[schema(min_items = 1, max_items = 2000)]
    pub lines: Vec<LineForm>,
    /// What the buyer pays for its transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freight: Option<Money>,
    /// How the goods are to reach the buyer; as those of the original order, when left out. Without a `ship_to` they are
    /// shipped to where the original was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilment: Option<FulfilmentForm>,
}

/// A line of a new return: of a known order by line number or SKU; otherwise a SKU and what it is worth.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLineForm {
    /// The order line.
    #[serde(default)]
    pub line_no: Option<i32>,
    /// The SKU.
    #[serde(default)]
    pub sku: Option<SkuCode>,
    /// How many units.
    pub quantity: Quantity,
    /// What goes back for all of them, when the original is not known.
    #[serde(default)]
    pub refund_amount: Option<Money>,
    /// The price of one unit, when the original is not known; without a refund amount it decides that, too.
    #[serde(default)]
    pub unit_price: Option<Money>,
    /// As `unit_price`, in major units to any precision up to 12 decimals.
    #[serde(default)]
    pub unit_price_decimal: Option<String>,
    /// What becomes of them, where they are at the return's location already: named on every line, or on none. Lines of an order
    /// are named by `line_no` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
}

/// So many units of an order line.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuantityOfLineForm {
    /// The order line.
    pub line_no: i32,
    /// How many units.
    pub quantity: Quantity,
}

/// So many units of a fulfilment order's line that were found.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundForm {
    /// The order line.
    pub line_no: i32,
    /// Which component of a bundle; may be left out where the fulfilment order has one SKU of the line.
    #[serde(default)]
    pub sku: Option<SkuCode>,
    /// How many units, from 0.
    #[schema(minimum = 0)]
    pub quantity: i64,
}

impl From<FoundForm> for Found {
    fn from(form: FoundForm) -> Self {
        Self { line_no: form.line_no, sku: form.sku, quantity: form.quantity }
    }
}

/// A parcel that leaves.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParcelForm {
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number for it.
    pub tracking_no: String,
    /// What is in it; everything, when left out.
    #[serde(default)]
    pub lines: Vec<QuantityOfLineForm>,
}

impl From<ParcelForm> for Parcel {
    fn from(form: ParcelForm) -> Self {
        let ParcelForm { carrier, tracking_no, lines } = form;
        let line = |line: QuantityOfLineForm| QuantityOfLine { line_no: line.line_no, quantity: line.quantity };
        Self { carrier, tracking_no, lines: lines.into_iter().map(line).collect() }
    }
}
