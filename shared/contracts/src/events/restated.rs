//! What the order book says again where an event may be lost.

use kernel::id::{FulfilmentId, OrderId, ReservationId};
use kernel::{ChannelCode, LocationCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};

use super::order::is_false;
use super::{FulfilmentLine, FulfilmentRequest};

/// Where an order stands, told again because the inventory has not answered for long, some time after the order was
/// cancelled, or because something has been promised to it for long. It says all that sourcing needs to know, so that whatever the inventory has missed it can make up for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRestated {
    /// The order.
    pub order_id: OrderId,
    /// Its version.
    pub version: i64,
    /// Whether nothing of it is left: nothing may be promised to it.
    pub cancelled: bool,
    /// Its channel.
    pub channel: ChannelCode,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// How it is to be fulfilled, and where it goes now.
    pub fulfilment: FulfilmentRequest,
    /// What was ordered.
    pub lines: Vec<RestatedLine>,
    /// What the buyer was to pay for all of it, in minor units of the order's currency.
    pub total_amount: i64,
    /// The hold it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<ReservationId>,
    /// The version at which it got another destination, if that has not been answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered_version: Option<i64>,
    /// The units of its lines that are wanted and are in no fulfilment order, of bundles those of the components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncovered: Option<Vec<FulfilmentLine>>,
    /// Its fulfilment orders, also those that are over.
    pub fulfilments: Vec<RestatedFulfilment>,
    /// When.
    pub restated_at: Timestamp,
}

/// A line as it was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestatedLine {
    /// Its number within the order.
    pub line_no: i32,
    /// What was bought.
    pub sku: SkuCode,
    /// How many units.
    pub quantity: Quantity,
}

/// A fulfilment order that the order book knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestatedFulfilment {
    /// Its id.
    pub fulfilment_id: FulfilmentId,
    /// The sourcing attempt that made it.
    pub attempt: i32,
    /// Who has it, or had it.
    pub location: LocationCode,
    /// Whether its goods are still to leave.
    pub open: bool,
    /// Whether its goods have left.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shipped: bool,
    /// Whether what was in it needs another location: it was rejected, not answered in time, or taken back.
    pub refused: bool,
    /// Whether the order book took it back: the location has refused nothing.
    pub recalled: bool,
    /// From where its goods were sent to the location where they are collected. Neither open nor shipped they are on their
    /// way, and lie on no shelf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_from: Option<LocationCode>,
    /// What is in it, or was.
    pub lines: Vec<FulfilmentLine>,
}

payload!(OrderRestated, "order.restated", |it| it.order_id.to_string());
