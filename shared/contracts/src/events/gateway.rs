//! What the gateway tells.

use kernel::{ChannelCode, Currency};
use serde::{Deserialize, Serialize};

/// A channel was created or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelChanged {
    /// The channel.
    pub channel: ChannelCode,
    /// Its name.
    pub name: String,
    /// The currency its orders are in.
    pub currency: Currency,
    /// Whether it may place orders.
    pub active: bool,
    /// Grows with every change; an older one must not overwrite a newer one.
    pub version: i64,
}

payload!(ChannelChanged, "channel.changed", |it| it.channel.to_string());
