//! The atlas: every location as sourcing sees it, and a spatial index over those that ship.

use std::collections::BTreeSet;

use contracts::events::LocationKind;
use contracts::requests::Address;
use kernel::{GeoPoint, LocationCode};
use rstar::RTree;
use rstar::primitives::GeomWithData;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hours::Schedule;

/// A location's place in the atlas; slots are in the order of the codes, so comparing slots compares codes.
pub type Slot = usize;

/// A location as sourcing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its code.
    pub code: LocationCode,
    /// Where it is.
    pub point: GeoPoint,
    /// Lower goes first where distance cannot decide.
    pub priority: i32,
    /// Whether it ships.
    pub ships: bool,
    /// Whether buyers can collect there.
    pub hands_over: bool,
    /// Whether buyers can collect there what other locations send.
    pub takes_in: bool,
    /// Whether it takes part.
    pub active: bool,
    /// What it is.
    pub kind: LocationKind,
    /// Whether it belongs to somebody else than headquarters.
    pub franchised: bool,
    /// The region it lies in.
    pub place: Place,
    /// Its tags.
    pub groups: BTreeSet<String>,
    /// When it works.
    pub schedule: Schedule,
    /// How many orders it can ship on a day.
    pub daily_capacity: Option<i32>,
}

/// A region as an address tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Code of the administrative division (GB/T 2260).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adcode: Option<String>,
}

impl Place {
    /// The region of an address.
    pub fn of(address: Option<&Address>) -> Self {
        address.map_or_else(Self::default, |address| Self {
            province: address.province.clone(),
            city: address.city.clone(),
            adcode: address.adcode.clone(),
        })
    }

    /// Whether nothing is known of it.
    pub const fn is_unknown(&self) -> bool {
        self.province.is_none() && self.city.is_none() && self.adcode.is_none()
    }

    /// What two places have in common. Cities of one name in two provinces are two cities.
    pub fn shared_with(&self, other: &Self) -> Option<Shared> {
        let same = |one: &Option<String>, two: &Option<String>| one.is_some() && one == two;
        let apart = self.province.is_some() && other.province.is_some() && self.province != other.province;
        if same(&self.city, &other.city) && !apart {
            Some(Shared::City)
        } else {
            same(&self.province, &other.province).then_some(Shared::Province)
        }
    }
}

/// What a location has in common with the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// The city, and with it the province.
    City,
    /// The province.
    Province,
}

impl Site {
    /// Whether what lies there can be promised to anyone.
    pub const fn sells(&self) -> bool {
        self.active && (self.ships || self.hands_over)
    }
}

/// Every location. Built as a whole; a change of a location makes a new atlas.
#[derive(Debug, Default)]
pub struct Atlas {
    sites: Vec<Site>,
    shipping: RTree<GeomWithData<[f64; 3], Slot>>,
    by_priority: Vec<Slot>,
}

impl Atlas {
    /// An atlas of these locations.
    pub fn new(mut sites: Vec<Site>) -> Self {
        sites.sort_by(|a, b| a.code.cmp(&b.code));
        let shipping = |(_, site): &(Slot, &Site)| site.active && site.ships;
        let points = sites.iter().enumerate().filter(shipping);
        let shipping_points = points.map(|(slot, site)| GeomWithData::new(site.point.unit_vector(), slot)).collect();
        let mut by_priority: Vec<Slot> = sites.iter().enumerate().filter(shipping).map(|(slot, _)| slot).collect();
        by_priority.sort_by_key(|slot| (sites.get(*slot).map(|site| site.priority), *slot));
        Self { sites, shipping: RTree::bulk_load(shipping_points), by_priority }
    }

    /// The location in a slot.
    pub fn site(&self, slot: Slot) -> Option<&Site> {
        self.sites.get(slot)
    }

    /// The slot of a location.
    pub fn slot(&self, code: &str) -> Option<Slot> {
        self.sites.binary_search_by(|site| site.code.as_str().cmp(code)).ok()
    }

    /// Whether it has the same locations in the same slots, however they have changed.
    pub fn has_the_places_of(&self, other: &Self) -> bool {
        self.sites.iter().map(|site| &site.code).eq(other.sites.iter().map(|site| &site.code))
    }

    /// How many locations there are.
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether there is no location.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Active locations that ship, nearest first, ties by code: `(metres, slot)`.
    pub fn nearest(&self, to: GeoPoint) -> impl Iterator<Item = (i64, Slot)> {
        let mut ahead = self
            .shipping
            .nearest_neighbor_iter(to.unit_vector())
            .filter_map(move |leaf| Some((to.distance_metres(self.site(leaf.data)?.point), leaf.data)))
            .peekable();
        let mut ready = BTreeSet::new();
        std::iter::from_fn(move || {
            // The tree orders by straight line, which is the same order but for the rounding to a metre.
            while let Some((metres, _)) = ahead.peek() {
                if ready.first().is_some_and(|(first, _): &(i64, Slot)| *metres > first.saturating_add(1)) {
                    break;
                }
                ready.extend(ahead.next());
            }
            ready.pop_first()
        })
    }

    /// Active locations that ship, by priority, then by code.
    pub fn by_priority(&self) -> impl Iterator<Item = Slot> {
        self.by_priority.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn site(code: &str, latitude: f64, longitude: f64) -> Site {
        Site {
            code: code.parse().unwrap(),
            point: GeoPoint::new(latitude, longitude).unwrap(),
            priority: 100,
            ships: true,
            hands_over: true,
            takes_in: false,
            active: true,
            kind: LocationKind::Store,
            franchised: false,
            place: Place::default(),
            groups: BTreeSet::new(),
            schedule: Schedule::default(),
            daily_capacity: None,
        }
    }

    proptest! {
        #[test]
        fn nearest_is_the_order_of_distance_then_code(
            points in prop::collection::vec((-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000), 1..60),
            to in (-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000),
        ) {
            let place = |(lat, lon): (i32, i32)| GeoPoint::from_microdegrees(lat, lon);
            let sites = points.iter().enumerate().map(|(index, point)| {
                Site { point: place(*point), ..site(&format!("L{index:02}"), 0.0, 0.0) }
            });
            let atlas = Atlas::new(sites.collect());
            let mut expected: Vec<(i64, Slot)> =
                points.iter().enumerate().map(|(slot, point)| (place(to).distance_metres(place(*point)), slot)).collect();
            expected.sort_unstable();
            prop_assert_eq!(atlas.nearest(place(to)).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn closed_locations_and_those_that_do_not_ship_are_not_offered() {
        let closed = Site { active: false, ..site("A", 31.0, 121.0) };
        let counter = Site { ships: false, ..site("B", 31.0, 121.0) };
        let atlas = Atlas::new(vec![closed, counter, site("C", 40.0, 116.0)]);
        let slots: Vec<Slot> = atlas.nearest(GeoPoint::new(31.0, 121.0).unwrap()).map(|(_, slot)| slot).collect();
        assert_eq!(slots, vec![atlas.slot("C").unwrap()]);
    }
}
