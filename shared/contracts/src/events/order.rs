//! What the order service tells.

use kernel::id::{FulfilmentId, OrderId, ReservationId};
use kernel::{ChannelCode, Currency, GeoPoint, LocationCode, PayeeCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::returning::RefundLine;

/// One identity of a person: a phone, a WeChat unionid, a till card.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// What it is: `phone`, `wechat_unionid`, `wechat_openid`, `wecom_external_id`, `tmall_union_id`, `douyin_open_id`,
    /// `jd_pin`, `till_card`, `payment_account`, `shipping_contact`, `customer_no`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value as the channel gives it.
    pub value: String,
    /// Who issued it, where that matters (an app id, a shop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Within what it is unique, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Who bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Buyer {
    /// Everything the channel knows them by; empty for an anonymous sale.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How the goods reach the buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentKind {
    /// Shipped to an address.
    Ship,
    /// Collected at a location.
    Pickup,
}

/// As much of an address as sourcing needs; the rest stays in the order book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Where it is on the map, if known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::open::optional_point")]
    pub point: Option<GeoPoint>,
}

/// How an order is to be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentRequest {
    /// Ship or pickup.
    pub kind: FulfilmentKind,
    /// Where to ship to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Where it is collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationCode>,
}

/// Who pays for a coupon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CouponFunder {
    /// The merchant.
    #[default]
    Merchant,
    /// The channel's platform.
    Platform,
    /// The maker of the goods.
    Supplier,
}

/// A coupon that the buyer used. Amounts are minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCoupon {
    /// Its code.
    pub code: String,
    /// What it took off.
    pub amount: i64,
    /// Who pays for it.
    #[serde(default)]
    pub funded_by: CouponFunder,
}

/// What a coupon took off a line, in minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponShare {
    /// Its code.
    pub code: String,
    /// What it took off the line.
    pub amount: i64,
}

/// A line of an order, with everything its readers need. Amounts are minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Its number within the order.
    pub line_no: i32,
    /// What was bought.
    pub sku: SkuCode,
    /// The SKU's category when it was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How many units.
    pub quantity: Quantity,
    /// Unit price × quantity before any discount, rounded once.
    pub list_amount: i64,
    /// The line's own discount and its shares of the order's discount and of coupons.
    pub discount_amount: i64,
    /// What is paid for the line, without freight: list − discount, and its tax where that comes on top of prices.
    pub paid_amount: i64,
    /// The line's share of the freight.
    pub freight_amount: i64,
    /// What coupons took off it; the discount holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponShare>,
    /// The tax in what is paid for it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_amount: Option<i64>,
    /// Whether it is a gift: nothing is paid for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
}

/// What an order adds up to, in minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderTotals {
    /// Σ list amounts.
    pub list_amount: i64,
    /// Σ discounts.
    pub discount_amount: i64,
    /// Freight.
    pub freight_amount: i64,
    /// What the buyer pays: list − discount + freight, and the tax that comes on top of prices.
    pub total_amount: i64,
}

/// A new order is in the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Its channel.
    pub channel: ChannelCode,
    /// The channel's own number for it.
    pub channel_order_no: String,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// The currency of every amount.
    pub currency: Currency,
    /// Who bought.
    pub buyer: Buyer,
    /// How it is to be fulfilled.
    pub fulfilment: FulfilmentRequest,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What it adds up to.
    pub totals: OrderTotals,
    /// The channel's number for the purchase that it was split from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_order_no: Option<String>,
    /// Coupons that the buyer used; the discounts hold them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<OrderCoupon>,
    /// The hold it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<ReservationId>,
    /// The guide credited with the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// The store credited with the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<LocationCode>,
}

/// So many units of an order line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuantityOfLine {
    /// The order line.
    pub line_no: i32,
    /// How many units.
    pub quantity: Quantity,
}

/// Something of an order changed that is not told otherwise. With a destination, everything of it that has not been picked
/// was taken back from its locations and is sourced anew; the answer names the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChanged {
    /// The order.
    pub order_id: OrderId,
    /// Its version with the change.
    pub version: i64,
    /// What changed: `ship_to`, `lines` where there are more of them, `note`, `guide`, `store`.
    pub fields: Vec<String>,
    /// Where it goes now, if sourcing can tell the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Whom it names to be credited now, if that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credited: Option<Credited>,
    /// What was bought beyond what the order had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<AddedLines>,
    /// When.
    pub changed_at: Timestamp,
}

/// Lines that an order did not have when it was placed: all that a reader of `order.placed` needs of them. Lines never grow:
/// more units of a line are a line of their own. What is added is sourced by itself, unless the order goes elsewhere with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedLines {
    /// The order's channel.
    pub channel: ChannelCode,
    /// When the buyer placed the order.
    pub placed_at: Timestamp,
    /// The currency of every amount.
    pub currency: Currency,
    /// What was added.
    pub lines: Vec<OrderLine>,
    /// What it adds up to; the freight is what it raised the order's by.
    pub totals: OrderTotals,
}

/// Whom an order names to be credited with the sale.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    /// The guide; none if it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<PayeeCode>,
    /// The store; none if it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<LocationCode>,
}

/// An order, or a part of it, was cancelled before it shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// What is cancelled, in units.
    pub lines: Vec<RefundLine>,
    /// The reserved units that are no longer needed, at the locations whose fulfilment orders lost them. Cancelled units
    /// beyond these had no fulfilment order yet: they come off what still waits for stock, then off the newest sourcing
    /// attempt, at the highest location code (by bytes) first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<super::Allocation>,
    /// Whether nothing of the order is left.
    pub whole: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub cancelled_at: Timestamp,
}

/// The return window has passed: what is left of the order is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCompleted {
    /// The order.
    pub order_id: OrderId,
    /// When.
    pub completed_at: Timestamp,
}

/// So many units of an order line within a fulfilment order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FulfilmentLine {
    /// The order line.
    pub line_no: i32,
    /// Its SKU; for a bundle, the component.
    pub sku: SkuCode,
    /// How many units.
    pub quantity: Quantity,
}

/// A parcel on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parcel {
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number for it.
    pub tracking_no: String,
    /// What is in it; everything, when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<QuantityOfLine>,
}

/// A fulfilment order was offered to a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentOffered {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Who is to fulfil it.
    pub location: LocationCode,
    /// What.
    pub lines: Vec<FulfilmentLine>,
    /// When it was offered.
    pub offered_at: Timestamp,
}

/// A location took a fulfilment order on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentAccepted {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Who took it.
    pub location: LocationCode,
    /// When.
    pub accepted_at: Timestamp,
}

/// A location refused a fulfilment order, or it was recalled: it is to be sourced anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentRejected {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Who refused.
    pub location: LocationCode,
    /// What needs another location.
    pub lines: Vec<FulfilmentLine>,
    /// Why.
    pub reason: String,
    /// Whether the order book took it back, because nearer stock was found or a till has sold it: the location has refused
    /// nothing, and may get it again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recalled: bool,
    /// What was recalled together with it, on the first event of a recall: all of it is sourced as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recalled_with: Vec<RecalledPart>,
    /// On the other events of a recall: the fulfilment order whose event names this one too, so that nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourced_with: Option<FulfilmentId>,
    /// When.
    pub rejected_at: Timestamp,
}

impl FulfilmentRejected {
    /// The reason where nearer stock was found.
    pub const RECALLED: &str = "recalled";
    /// The reason where the order goes somewhere else.
    pub const READDRESSED: &str = "readdressed";
    /// The reason where a till has sold the goods.
    pub const SHORTED: &str = "shorted";
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A fulfilment order that was recalled together with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecalledPart {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Who had it.
    pub location: LocationCode,
    /// What needs a location.
    pub lines: Vec<FulfilmentLine>,
}

/// A fulfilment order left its location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentShipped {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Where it left.
    pub location: LocationCode,
    /// What left.
    pub lines: Vec<FulfilmentLine>,
    /// The parcels.
    pub parcels: Vec<Parcel>,
    /// When.
    pub shipped_at: Timestamp,
}

/// A fulfilment order reached the buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentDelivered {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Where it came from.
    pub location: LocationCode,
    /// When.
    pub delivered_at: Timestamp,
}

/// Goods for a pickup left another location for the one where they are collected. They are on nobody's shelf, and promised to
/// the order all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentSent {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Where they left.
    pub location: LocationCode,
    /// Where they go.
    pub to: LocationCode,
    /// What left.
    pub lines: Vec<FulfilmentLine>,
    /// The parcels.
    pub parcels: Vec<Parcel>,
    /// When.
    pub sent_at: Timestamp,
}

/// Goods for a pickup came from another location to the one where they are collected: they lie on its shelf, promised to the
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentArrived {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Where they are.
    pub location: LocationCode,
    /// Where they had left.
    pub from: LocationCode,
    /// What came.
    pub lines: Vec<FulfilmentLine>,
    /// What had left and did not come: it is lost, and the order needs it from elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<FulfilmentLine>,
    /// When.
    pub arrived_at: Timestamp,
}

/// A buyer should collect goods that wait at the counter: their time is nearly up. Told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfilmentPickupDue {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// Where the goods wait.
    pub location: LocationCode,
    /// Until when.
    pub collect_by: Timestamp,
}

payload!(OrderPlaced, "order.placed", |it| it.order_id.to_string());
payload!(OrderChanged, "order.changed", |it| it.order_id.to_string());
payload!(OrderCancelled, "order.cancelled", |it| it.order_id.to_string());
payload!(OrderCompleted, "order.completed", |it| it.order_id.to_string());
payload!(FulfilmentOffered, "fulfilment.offered", |it| it.order_id.to_string());
payload!(FulfilmentAccepted, "fulfilment.accepted", |it| it.order_id.to_string());
payload!(FulfilmentRejected, "fulfilment.rejected", |it| it.order_id.to_string());
payload!(FulfilmentShipped, "fulfilment.shipped", |it| it.order_id.to_string());
payload!(FulfilmentDelivered, "fulfilment.delivered", |it| it.order_id.to_string());
payload!(FulfilmentSent, "fulfilment.sent", |it| it.order_id.to_string());
payload!(FulfilmentArrived, "fulfilment.arrived", |it| it.order_id.to_string());
payload!(FulfilmentPickupDue, "fulfilment.pickup_due", |it| it.order_id.to_string());
