//! How what happened and what would have are shown side by side.

use std::collections::{BTreeMap, BTreeSet};

use kernel::LocationCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Ruleset;
use crate::domain::compare::{Comparison, Example, Figures, TierFigures};
use crate::domain::tiers::Filter;

/// Locations shown, those whose orders change most: as many as a person will look at.
const MAX_LOCATIONS: usize = 100;

/// What decisions come to, or by how much two sums differ. Metres are per parcel; costs and promises are the candidate's on
/// both sides.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WhatIfFigures {
    /// Orders: the sum of `claimed`, `whole`, `split`, `greedy`, `partial` and `backordered`.
    orders: i64,
    /// Orders that took the hold they claimed.
    claimed: i64,
    /// Orders that one location fills.
    whole: i64,
    /// Orders in the fewest parts.
    split: i64,
    /// Orders whose parts were picked one by one.
    greedy: i64,
    /// Orders of which a part ships while the rest waits.
    partial: i64,
    /// Orders that wait as a whole.
    backordered: i64,
    /// Units that wait.
    missing_units: i64,
    /// Orders in more than one parcel.
    splits: i64,
    /// Parcels.
    parcels: i64,
    /// Orders by the number of their parcels.
    orders_by_parcels: BTreeMap<usize, i64>,
    /// The mean distance of a parcel, rounded down.
    mean_metres: Option<i64>,
    /// What 95 of a hundred parcels do not exceed; less than one part in 128 too low.
    p95_metres: Option<i64>,
    /// What shipping costs, in minor units.
    cost: i64,
    /// Orders that are ready later than promised.
    late: i64,
}

/// A location's orders.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WhatIfLocation {
    /// The location.
    #[schema(value_type = String)]
    location: LocationCode,
    /// Orders that it had a part of…
    happened: i64,
    /// …and would have.
    candidate: i64,
    /// The difference.
    change: i64,
}

/// What a tier came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WhatIfTier {
    /// The version of its ruleset; absent for one that came with the request.
    ruleset: Option<i32>,
    /// Its place, counted from 0.
    place: usize,
    /// Its name.
    name: Option<String>,
    /// Orders it filled.
    orders: i64,
    /// Locations that were looked at and that it does not admit, by the filter that keeps them out.
    kept_out: BTreeMap<Filter, i64>,
}

/// What happened beside what the candidate decides.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WhatIfReport {
    /// What happened.
    happened: WhatIfFigures,
    /// What the candidate decides.
    candidate: WhatIfFigures,
    /// The candidate less what happened.
    difference: WhatIfFigures,
    /// Locations whose orders change, most first; at most 100.
    locations: Vec<WhatIfLocation>,
    /// The tiers by which orders were filled.
    tiers_happened: Vec<WhatIfTier>,
    /// The candidate's tiers.
    tiers_candidate: Vec<WhatIfTier>,
    /// Orders that would ship from elsewhere.
    moved: i64,
    /// The first 100 of them.
    examples: Vec<Example>,
}

impl WhatIfFigures {
    fn new(it: &Figures) -> Self {
        Self {
            orders: it.orders,
            claimed: it.claimed,
            whole: it.whole,
            split: it.split,
            greedy: it.greedy,
            partial: it.partial,
            backordered: it.backordered,
            missing_units: it.missing,
            splits: it.splits(),
            parcels: it.parcels(),
            orders_by_parcels: it.parts.clone(),
            mean_metres: it.metres.mean(),
            p95_metres: it.metres.percentile(95),
            cost: it.cost,
            late: it.late,
        }
    }

    fn less(&self, other: &Self) -> Self {
        let number = |pick: fn(&Self) -> i64| pick(self).saturating_sub(pick(other));
        let metres = |pick: fn(&Self) -> Option<i64>| Some(pick(self)?.saturating_sub(pick(other)?));
        let parts: BTreeSet<usize> =
            self.orders_by_parcels.keys().chain(other.orders_by_parcels.keys()).copied().collect();
        let of = |it: &Self, parts: usize| it.orders_by_parcels.get(&parts).copied().unwrap_or(0);
        Self {
            orders: number(|it| it.orders),
            claimed: number(|it| it.claimed),
            whole: number(|it| it.whole),
            split: number(|it| it.split),
            greedy: number(|it| it.greedy),
            partial: number(|it| it.partial),
            backordered: number(|it| it.backordered),
            missing_units: number(|it| it.missing_units),
            splits: number(|it| it.splits),
            parcels: number(|it| it.parcels),
            orders_by_parcels: parts.into_iter().map(|it| (it, of(self, it).saturating_sub(of(other, it)))).collect(),
            mean_metres: metres(|it| it.mean_metres),
            p95_metres: metres(|it| it.p95_metres),
            cost: number(|it| it.cost),
            late: number(|it| it.late),
        }
    }
}

impl WhatIfReport {
    /// The report, with the names of the tiers of these rulesets.
    pub(super) fn new(comparison: Comparison, rulesets: &[Ruleset]) -> Self {
        let happened = WhatIfFigures::new(&comparison.happened);
        let candidate = WhatIfFigures::new(&comparison.candidate);
        Self {
            difference: candidate.less(&happened),
            locations: locations(&comparison.happened, &comparison.candidate),
            tiers_happened: tiers(&comparison.happened, rulesets),
            tiers_candidate: tiers(&comparison.candidate, rulesets),
            moved: comparison.moved,
            examples: comparison.examples,
            happened,
            candidate,
        }
    }
}

fn locations(happened: &Figures, candidate: &Figures) -> Vec<WhatIfLocation> {
    let codes: BTreeSet<&LocationCode> = happened.locations.keys().chain(candidate.locations.keys()).collect();
    let of = |figures: &Figures, code: &LocationCode| figures.locations.get(code).copied().unwrap_or(0);
    let view = |code: &LocationCode| {
        let (before, after) = (of(happened, code), of(candidate, code));
        let change = after.saturating_sub(before);
        WhatIfLocation { location: code.clone(), happened: before, candidate: after, change }
    };
    let mut views: Vec<WhatIfLocation> = codes.into_iter().map(view).filter(|it| it.change != 0).collect();
    views.sort_by_key(|it| std::cmp::Reverse(it.change.saturating_abs()));
    views.truncate(MAX_LOCATIONS);
    views
}

fn tiers(figures: &Figures, rulesets: &[Ruleset]) -> Vec<WhatIfTier> {
    let all =
        figures.tiers.iter().flat_map(|(version, tiers)| tiers.iter().map(move |(place, it)| (*version, *place, it)));
    let view = |(version, place, it): (i32, usize, &TierFigures)| WhatIfTier {
        ruleset: Some(version).filter(|version| *version > 0),
        place,
        name: rulesets
            .iter()
            .find(|ruleset| ruleset.id().version == version)
            .and_then(|ruleset| ruleset.rules().tiers.get(place))
            .map(|tier| tier.name.clone()),
        orders: it.orders,
        kept_out: it.kept_out.clone(),
    };
    all.map(view).collect()
}
