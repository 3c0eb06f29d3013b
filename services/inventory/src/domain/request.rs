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
    /// Where it is collected.
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
    /// The version of the order that sends it where it goes; none while it goes where it went when it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirected_by: Option<i64>,
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

/// Adds what was asked for next to an order's lines as they were ordered. A line never grows: one that the order has is asked
/// for again, or a rest of it is; any other was added.
pub fn add_ordered(ordered: &mut Vec<Line>, asked: Vec<Line>) {
    let known: BTreeSet<i32> = ordered.iter().map(|line| line.line_no).collect();
    ordered.extend(asked.into_iter().filter(|line| !known.contains(&line.line_no)));
}

/// Puts the parts of bundles together again, so that a rest is planned as bundles where whole ones are left of it; what is
/// left of a torn one stays as it is.
pub fn regroup(lines: Vec<Line>, ordered: &[Line]) -> Vec<Line> {
    let mut loose: BTreeMap<(i32, &SkuCode), i64> = BTreeMap::new();
    for line in lines.iter().filter(|it| it.parts.is_empty()) {
        let units = loose.entry((line.line_no, &line.sku)).or_default();
        *units = units.saturating_add(line.quantity.get());
    }
    let mut bundles = Vec::new();
    for bundle in ordered.iter().filter(|it| !it.parts.is_empty()) {
        let mut each: BTreeMap<&SkuCode, i64> = BTreeMap::new();
        for part in &bundle.parts {
            let units = each.entry(&part.sku).or_default();
            *units = units.saturating_add(part.quantity.get());
        }
        let left = |sku| loose.get(&(bundle.line_no, sku)).copied().unwrap_or(0);
        let whole = each.iter().map(|(sku, each)| left(sku).checked_div(*each).unwrap_or(0)).min().unwrap_or(0);
        let Ok(quantity) = Quantity::try_from(whole) else { continue };
        for (sku, each) in each {
            if let Some(units) = loose.get_mut(&(bundle.line_no, sku)) {
                *units = units.saturating_sub(whole.saturating_mul(each));
            }
        }
        bundles.push(Line { quantity, ..bundle.clone() });
    }
    if bundles.is_empty() {
        return lines;
    }
    let rest = |((line_no, sku), units): (&(i32, &SkuCode), &i64)| {
        let quantity = Quantity::try_from(*units).ok()?;
        Some(Line { line_no: *line_no, sku: SkuCode::clone(sku), quantity, parts: Vec::new() })
    };
    bundles.extend(loose.iter().filter_map(rest));
    bundles.extend(lines.iter().filter(|it| !it.parts.is_empty()).cloned());
    bundles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line_no: i32, sku: &str, units: i64, parts: &[(&str, i64)]) -> Line {
        let quantity = |units: i64| Quantity::try_from(units).unwrap();
        let part = |(sku, units): &(&str, i64)| Part { sku: sku.parse().unwrap(), quantity: quantity(*units) };
        Line { line_no, sku: sku.parse().unwrap(), quantity: quantity(units), parts: parts.iter().map(part).collect() }
    }

    #[test]
    fn what_an_order_ordered_grows_by_the_lines_it_did_not_have() {
        let set = line(1, "SET", 2, &[("CUP", 2), ("POT", 1)]);
        let mut ordered = Vec::new();
        add_ordered(&mut ordered, vec![set.clone()]);
        // A torn rest of it, another line, and that one once more.
        let added = line(2, "A", 3, &[]);
        add_ordered(&mut ordered, vec![line(1, "CUP", 2, &[]), line(1, "POT", 1, &[]), added.clone()]);
        add_ordered(&mut ordered, vec![line(2, "A", 1, &[])]);
        assert_eq!(ordered, [set, added]);
    }

    #[test]
    fn whole_bundles_are_put_together_and_the_rest_stays_loose() {
        let set = |units| line(1, "SET", units, &[("CUP", 2), ("POT", 1)]);
        let ordered = [set(5), line(2, "CUP", 9, &[])];
        let loose = |cups, pots| vec![line(1, "CUP", cups, &[]), line(1, "POT", pots, &[]), line(2, "CUP", 1, &[])];
        let other = line(2, "CUP", 1, &[]);
        assert_eq!(regroup(loose(4, 2), &ordered), [set(2), other.clone()]);
        assert_eq!(regroup(loose(5, 3), &ordered), [set(2), line(1, "CUP", 1, &[]), line(1, "POT", 1, &[]), other]);
        assert_eq!(regroup(loose(1, 3), &ordered), loose(1, 3));
        assert_eq!(regroup(vec![line(1, "CUP", 4, &[])], &ordered), [line(1, "CUP", 4, &[])]);
    }
}
