//! Whether another plan for a promised order is so much better that moving it is worth a store's trouble.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{LocationCode, Quantity, SkuCode};

use super::Decision;
use super::request::Line;
use super::ruleset::Resourcing;

/// From how many locations an order ships, and how far they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The locations.
    pub parts: usize,
    /// The sum of their distances; none where the destination has no coordinates.
    pub metres: Option<i64>,
}

/// What a move gains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain {
    /// Metres of all parts together; below 0 where fewer parts are worth a longer way.
    pub metres: i64,
    /// Parts.
    pub fewer_parts: i64,
}

impl Way {
    /// What moving from this way to another gains, if it is enough: fewer parts, or as many that are nearer by the least
    /// gain. More parts are never worth it, however near.
    pub fn gain(self, to: Self, terms: &Resourcing) -> Option<Gain> {
        let fewer_parts = i64::try_from(self.parts.checked_sub(to.parts)?).ok()?;
        let metres = self.metres.zip(to.metres).map_or(0, |(now, then)| now.saturating_sub(then));
        let enough = fewer_parts > 0 || metres >= terms.min_gain_metres.max(1);
        enough.then_some(Gain { metres, fewer_parts })
    }
}

impl Decision {
    /// Whether every unit gets a location by it, of those that are still to be promised.
    pub fn is_whole(&self) -> bool {
        self.takes_stock() && self.rest().is_none()
    }
}

/// Whether no line comes from more locations than before: what is left of a bundle is not torn apart for being nearer.
pub fn keeps_together<'a>(
    before: impl Iterator<Item = (i32, &'a LocationCode)>,
    after: impl Iterator<Item = (i32, &'a LocationCode)>,
) -> bool {
    let before = places(before);
    places(after).iter().all(|(line_no, places)| before.get(line_no).is_none_or(|it| places.len() <= it.len()))
}

fn places<'a>(parts: impl Iterator<Item = (i32, &'a LocationCode)>) -> BTreeMap<i32, BTreeSet<&'a LocationCode>> {
    let mut places: BTreeMap<i32, BTreeSet<&LocationCode>> = BTreeMap::new();
    for (line_no, location) in parts {
        places.entry(line_no).or_default().insert(location);
    }
    places
}

/// Adds units to what is to be planned; a line's units of one SKU are planned together wherever they lay.
pub fn add_units(lines: &mut Vec<Line>, line_no: i32, sku: &SkuCode, units: Quantity) {
    match lines.iter_mut().find(|it| it.line_no == line_no && it.sku == *sku) {
        Some(line) => {
            let sum = line.quantity.get().saturating_add(units.get());
            line.quantity = Quantity::try_from(sum).unwrap_or(line.quantity);
        }
        None => lines.push(Line { line_no, sku: sku.clone(), quantity: units, parts: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Resourcing =
        Resourcing { enabled: true, min_gain_metres: 20_000, max_moves_per_order: 1, max_asked_per_hour: 1 };

    fn way(parts: usize, metres: i64) -> Way {
        Way { parts, metres: Some(metres) }
    }

    #[test]
    fn as_many_parts_must_be_nearer_by_the_least_gain() {
        let gain = |to| way(1, 50_000).gain(way(1, to), &TERMS);
        assert_eq!(gain(30_000), Some(Gain { metres: 20_000, fewer_parts: 0 }));
        assert_eq!(gain(30_001), None);
        assert_eq!(gain(50_000), None);
        assert_eq!(gain(90_000), None);
    }

    #[test]
    fn fewer_parts_are_a_gain_whatever_the_way_and_more_are_none() {
        assert_eq!(way(2, 50_000).gain(way(1, 70_000), &TERMS), Some(Gain { metres: -20_000, fewer_parts: 1 }));
        assert_eq!(way(1, 90_000).gain(way(2, 0), &TERMS), None);
    }

    #[test]
    fn without_coordinates_fewer_parts_alone_count() {
        let unknown = |parts| Way { parts, metres: None };
        assert_eq!(unknown(3).gain(unknown(1), &TERMS), Some(Gain { metres: 0, fewer_parts: 2 }));
        assert_eq!(unknown(1).gain(unknown(1), &TERMS), None);
    }

    #[test]
    fn staying_is_no_gain_even_where_the_least_gain_is_nothing() {
        let terms = Resourcing { min_gain_metres: 0, ..TERMS };
        assert_eq!(way(1, 50_000).gain(way(1, 50_000), &terms), None);
        assert_eq!(way(1, 50_000).gain(way(1, 49_999), &terms), Some(Gain { metres: 1, fewer_parts: 0 }));
    }

    #[test]
    fn a_line_is_not_torn_apart() {
        let [near, far]: [LocationCode; 2] = ["NEAR", "FAR"].map(|code| code.parse().unwrap());
        let kept = |before: &[(i32, &LocationCode)], after: &[(i32, &LocationCode)]| {
            let pair = |it: &(i32, &LocationCode)| (it.0, if *it.1 == near { &near } else { &far });
            keeps_together(before.iter().map(pair), after.iter().map(pair))
        };
        assert!(kept(&[(1, &far), (1, &far), (2, &far)], &[(1, &near), (1, &near), (2, &far)]));
        assert!(!kept(&[(1, &far), (1, &far), (2, &near)], &[(1, &near), (1, &far), (2, &near)]));
    }

    #[test]
    fn units_of_a_line_are_planned_together_wherever_they_lay() {
        let sku: SkuCode = "A".parse().unwrap();
        let mut lines = Vec::new();
        for (line_no, units) in [(1, 2), (2, 1), (1, 3)] {
            add_units(&mut lines, line_no, &sku, units.try_into().unwrap());
        }
        let units: Vec<_> = lines.iter().map(|it| (it.line_no, it.quantity.get())).collect();
        assert_eq!(units, [(1, 5), (2, 1)]);
    }
}
