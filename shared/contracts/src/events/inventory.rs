//! What the inventory service tells.

use kernel::id::{DecisionId, OrderId, ReservationId};
use kernel::{ChannelCode, GeoPoint, LocationCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a location is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocationKind {
    /// A warehouse.
    Warehouse,
    /// A shop.
    Store,
    /// A dealer's own premises.
    Dealer,
}

/// A location was created or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationChanged {
    /// The location.
    pub location: LocationCode,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LocationKind,
    /// Who owns it, when it is not headquarters.
    pub owner: Option<String>,
    /// Where it is.
    #[serde(deserialize_with = "super::open::point")]
    pub point: GeoPoint,
    /// Whether it takes part.
    pub active: bool,
    /// Whether it takes returns; not told by releases before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_returns: Option<bool>,
    /// Grows with every change.
    pub version: i64,
}

impl LocationChanged {
    /// Whether it takes returns, as far as it is told: whoever does not say takes them.
    pub fn may_take_returns(&self) -> bool {
        self.takes_returns.unwrap_or(true)
    }
}

/// So many units of an order line from one location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allocation {
    /// The order line.
    pub line_no: i32,
    /// Its SKU; for a bundle, the component.
    pub sku: SkuCode,
    /// Where it ships from.
    pub location: LocationCode,
    /// How many units.
    pub quantity: Quantity,
}

/// An order, or the rest of one after a rejection, got its locations. Every allocation is reserved. Where only a part got
/// any, `stock.backordered` of the same attempt follows for the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockSourced {
    /// The order.
    pub order_id: OrderId,
    /// The stored decision that explains it.
    pub decision_id: DecisionId,
    /// 1 for the first sourcing of an order, then counted up.
    pub attempt: i32,
    /// Where everything, or the part, ships from.
    pub allocations: Vec<Allocation>,
    /// When it was decided.
    pub sourced_at: Timestamp,
    /// The version of the order with the change of destination that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_version: Option<i64>,
}

/// How much of a SKU is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackorderedSku {
    /// The SKU.
    pub sku: SkuCode,
    /// How many units no plan could find.
    pub missing: Quantity,
}

/// An order, or the rest of one, could not be filled and waits. Nothing is reserved for what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockBackordered {
    /// The order.
    pub order_id: OrderId,
    /// The stored decision that explains it.
    pub decision_id: DecisionId,
    /// 1 for the first sourcing of an order, then counted up.
    pub attempt: i32,
    /// What is missing.
    pub missing: Vec<BackorderedSku>,
    /// Of what waits, the SKUs that no location could ever give, whatever arrives there, by the rules in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfillable: Vec<SkuCode>,
    /// As in `stock.sourced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_version: Option<i64>,
}

/// An order's reserved stock was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReleased {
    /// The order.
    pub order_id: OrderId,
    /// What was given back.
    pub allocations: Vec<Allocation>,
}

/// Units of an order could ship from better places than they are promised at. The order book recalls them if nobody has
/// picked any of them, and lets the matter rest otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockBetterFound {
    /// The order.
    pub order_id: OrderId,
    /// Its newest decision when this was found.
    pub attempt: i32,
    /// Everything of the order that is promised and has not shipped: it moves as a whole or not at all.
    pub allocations: Vec<Allocation>,
    /// From where it would ship.
    pub better: Vec<LocationCode>,
    /// By how many metres all parts together would be nearer; below 0 where fewer parts are worth a longer way.
    pub gain_metres: i64,
    /// By how many parts fewer there would be.
    pub fewer_parts: i64,
    /// When it was found.
    pub found_at: Timestamp,
}

/// Units promised to an order where a till has sold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockOwing {
    /// The order.
    pub order_id: OrderId,
    /// Units of the SKU promised to it at the location.
    pub quantity: Quantity,
}

/// A till has sold units that are promised to orders. The order book takes fulfilment orders back that nobody has picked,
/// until as many units are given back as are owed; units that are on their way back already count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockShorted {
    /// The SKU.
    pub sku: SkuCode,
    /// Where it was sold.
    pub location: LocationCode,
    /// Units owed.
    pub units: Quantity,
    /// The newest orders with units there, the newest first.
    pub promised: Vec<StockOwing>,
    /// When it was found.
    pub shorted_at: Timestamp,
}

/// Something has been promised to an order for long and has not left, once a day: the order book says where the order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockPromisedLong {
    /// The order.
    pub order_id: OrderId,
    /// When it was found.
    pub found_at: Timestamp,
}

/// The balance of one SKU at one location after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The location.
    pub location: LocationCode,
    /// Units there.
    pub on_hand: i64,
    /// Units promised.
    pub reserved: i64,
    /// Units that may be promised: on hand − reserved − safety − quarantined, at least 0.
    pub available: i64,
}

/// Balances of a SKU changed; only the newest state counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChanged {
    /// The SKU.
    pub sku: SkuCode,
    /// The balances that changed.
    pub levels: Vec<StockLevel>,
}

/// What a channel may sell of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityLevel {
    /// The channel; when there is none, every channel that no sharing rule binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelCode>,
    /// Units it may sell.
    pub available: i64,
    /// Grows with every change: a level with a smaller one is older.
    pub version: i64,
}

/// What channels may sell of a SKU changed, by enough to be told; only the newest state counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityChanged {
    /// The SKU.
    pub sku: SkuCode,
    /// The levels that changed.
    pub levels: Vec<AvailabilityLevel>,
}

/// A hold ran out before an order claimed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationExpired {
    /// The hold.
    pub reservation_id: ReservationId,
    /// When it ran out.
    pub expired_at: Timestamp,
}

payload!(LocationChanged, "location.changed", |it| it.location.to_string());
payload!(StockSourced, "stock.sourced", |it| it.order_id.to_string());
payload!(StockBackordered, "stock.backordered", |it| it.order_id.to_string());
payload!(StockReleased, "stock.released", |it| it.order_id.to_string());
payload!(StockBetterFound, "stock.better_found", |it| it.order_id.to_string());
payload!(StockShorted, "stock.shorted", |it| it.sku.to_string());
payload!(StockPromisedLong, "stock.promised_long", |it| it.order_id.to_string());
payload!(StockChanged, "stock.changed", |it| it.sku.to_string());
payload!(AvailabilityChanged, "availability.changed", |it| it.sku.to_string());
payload!(ReservationExpired, "reservation.expired", |it| it.reservation_id.to_string());
