//! What is asked of sourcing: the lines of an order or of the rest of one, and where they go.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::FulfilmentKind;
use kernel::id::ReservationId;
use kernel::{ChannelCode, GeoPoint, LocationCode, Quantity, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};

use super::atlas::Place;

/// An order, or the rest of one, as sourcing sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The order's channel.
    pub channel: ChannelCode,
    /// When the buyer placed it.
    pub placed_at: Timestamp,
    /// Ship or pickup.
    pub kind: FulfilmentKind,
    /// Where it is shipped to, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<GeoPoint>,
    /// The region it is shipped to, if that is known.
    #[serde(default, skip_serializing_if = "Place::is_unknown")]
    pub place: Place,
    /// What the buyer pays for the whole order, in minor units, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Whether a part of it is of no use, as of a hold.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whole: bool,
    /// Where it is collected; it is never sent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup: Option<LocationCode>,
    /// What is asked for.
    pub lines: Vec<Line>,
    /// Who has rejected it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded: BTreeSet<LocationCode>,
    /// The most units of a SKU that the channel's share lets it have; what is not named is not limited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub allowed: BTreeMap<SkuCode, i64>,
    /// The hold it claims, as it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number within the order.
    pub line_no: i32,
    /// What was ordered.
    pub sku: SkuCode,
    /// How many units.
    pub quantity: Quantity,
    /// What one unit is made of, when it is a bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The part.
    pub sku: SkuCode,
    /// How many of it one bundle holds.
    pub quantity: Quantity,
}

/// A hold that an order claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The hold.
    pub reservation: ReservationId,
    /// What it still holds; nothing when it has expired, was released, or is another channel's.
    pub lines: Vec<ClaimLine>,
}

/// So many held units at a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimLine {
    /// What is held.
    pub sku: SkuCode,
    /// Where.
    pub location: LocationCode,
    /// How many units.
    pub quantity: i64,
}

/// Units of one SKU that one line needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The line.
    pub line_no: i32,
    /// The SKU; for a bundle, the part.
    pub sku: SkuCode,
    /// How many units.
    pub units: i64,
}

impl Line {
    /// What the line needs, bundles taken apart.
    pub fn demands(&self) -> impl Iterator<Item = Demand> {
        let whole = self.parts.is_empty().then_some((&self.sku, 1));
        let parts = self.parts.iter().map(|part| (&part.sku, part.quantity.get()));
        whole.into_iter().chain(parts).map(|(sku, each)| Demand {
            line_no: self.line_no,
            sku: sku.clone(),
            units: self.quantity.get().saturating_mul(each),
        })
    }
}

impl Request {
    /// What the lines need, in their order, bundles taken apart.
    pub fn demands(&self) -> Vec<Demand> {
        self.lines.iter().flat_map(Line::demands).collect()
    }

    /// What is needed of each SKU, summed over the lines.
    pub fn needs(&self) -> BTreeMap<SkuCode, i64> {
        let mut needs: BTreeMap<SkuCode, i64> = BTreeMap::new();
        for demand in self.demands() {
            let need = needs.entry(demand.sku).or_default();
            *need = need.saturating_add(demand.units);
        }
        needs
    }
}
