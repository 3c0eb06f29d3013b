//! What a channel is.

use kernel::{ChannelCode, Currency};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name, in characters.
pub const MAX_NAME: usize = 200;

/// What kind of shop a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A platform that sells for many: Tmall, JD, Douyin.
    Marketplace,
    /// A shop of the retailer's own: a mini program, a web shop.
    OwnShop,
    /// Tills.
    Pos,
    /// Sales to dealers.
    Wholesale,
}

impl ChannelKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marketplace => "marketplace",
            Self::OwnShop => "own_shop",
            Self::Pos => "pos",
            Self::Wholesale => "wholesale",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Marketplace, Self::OwnShop, Self::Pos, Self::Wholesale].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whether a channel may place orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelStatus {
    /// It may.
    Active,
    /// It may not.
    Inactive,
}

/// A channel as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its code.
    pub channel: ChannelCode,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// The currency of its orders.
    pub currency: Currency,
    /// Whether it may place orders.
    pub status: ChannelStatus,
}

impl Channel {
    /// What is wrong with the name, if anything.
    pub fn name_fault(&self) -> Option<String> {
        let length = self.name.chars().count();
        if self.name.trim().is_empty() || length > MAX_NAME || self.name.contains('\0') {
            return Some(format!("has 1 to {MAX_NAME} characters"));
        }
        None
    }
}
