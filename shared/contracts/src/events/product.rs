//! What the product service tells.

use kernel::{ChannelCode, Quantity, SkuCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a SKU may be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkuStatus {
    /// It is sold.
    Active,
    /// It is kept, but not sold.
    Inactive,
}

/// One part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleComponent {
    /// The part.
    pub sku: SkuCode,
    /// How many of it one bundle holds.
    pub quantity: Quantity,
}

/// A SKU was created or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkuChanged {
    /// The SKU.
    pub sku: SkuCode,
    /// Its name.
    pub name: String,
    /// Whether it may be sold.
    pub status: SkuStatus,
    /// Its category, if it has one.
    pub category: Option<String>,
    /// Its brand, if it has one.
    pub brand: Option<String>,
    /// Its weight, if known.
    pub weight_grams: Option<i64>,
    /// What it is made of, when it is a bundle.
    #[serde(default)]
    pub bundle: Vec<BundleComponent>,
    /// Grows with every change.
    pub version: i64,
}

/// A channel's own SKU was mapped to ours, changed, or is no longer mapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingChanged {
    /// The channel.
    pub channel: ChannelCode,
    /// The channel's own SKU.
    pub channel_sku: SkuCode,
    /// Our SKU.
    pub sku: SkuCode,
    /// Whether the channel shows it.
    pub published: bool,
    /// Whether the mapping was taken away.
    #[serde(default)]
    pub removed: bool,
    /// Grows with every change.
    pub version: i64,
}

payload!(SkuChanged, "sku.changed", |it| it.sku.to_string());
payload!(ListingChanged, "listing.changed", |it| format!("{}/{}", it.channel, it.channel_sku));
