//! What the order service tells of holds on orders.

use kernel::id::{HoldId, OrderId};
use kernel::{ChannelCode, Code, Timestamp};
use serde::{Deserialize, Serialize};

/// What holds an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHold {
    /// Its id.
    pub hold_id: HoldId,
    /// Why.
    pub reason: Code,
    /// The rule that holds it; none where a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Code>,
}

/// An order waits for a person: until it is released, nothing of it moves on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHeld {
    /// The order.
    pub order_id: OrderId,
    /// Its channel.
    pub channel: ChannelCode,
    /// The channel's own number for it.
    pub channel_order_no: String,
    /// What holds it from now on; there may be others that were told before.
    pub holds: Vec<OrderHold>,
    /// Whether nobody was told of the order yet: `order.placed` comes with its release, or never if it is cancelled.
    pub before_placed: bool,
    /// When.
    pub held_at: Timestamp,
}

/// Nothing holds an order any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReleased {
    /// The order.
    pub order_id: OrderId,
    /// The holds that ended last.
    pub holds: Vec<HoldId>,
    /// Whether nothing of it was left to hold: it does not go on, because the rest was cancelled.
    pub ended: bool,
    /// When.
    pub released_at: Timestamp,
}

payload!(OrderHeld, "order.held", |it| it.order_id.to_string());
payload!(OrderReleased, "order.released", |it| it.order_id.to_string());
