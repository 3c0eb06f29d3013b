//! Findings about a ruleset that can be used and still may not do what its author wants, given the locations there are.

use std::collections::BTreeSet;

use contracts::events::LocationKind;
use kernel::{GeoPoint, LocationCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Filters, Owner, Region, Rules, Sort, Split, Tier};
use crate::domain::atlas::{Atlas, Site};

/// Locations named in one finding: enough to begin with.
const MAX_NAMED: usize = 20;

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulesetFindingCode)]
pub enum FindingCode {
    /// Whatever the tier could fill, an earlier one fills.
    UnreachableTier,
    /// The last tier does not take every location, so orders may wait although somebody has the goods.
    NoCatchAll,
    /// A filter names a kind, an owner, a group or a division that no location has.
    NothingMatches,
    /// The tier measures distances, and locations have no coordinates (0° north, 0° east).
    NoCoordinates,
    /// The tier compares regions, and locations tell none.
    NoRegion,
    /// The tier sorts by load, and locations have no daily capacity.
    NoCapacity,
    /// The tier waits only so long, and locations tell no opening hours, so that they count as always open.
    NoHours,
    /// No two locations of the tier lie within its limit of one buyer, so it never has a choice.
    NoChoice,
}

/// Something that may not be meant so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RulesetFinding)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// Where in the document.
    pub path: String,
    /// The finding in a sentence.
    pub detail: String,
    /// How many locations it is about.
    pub count: usize,
    /// The first of them.
    #[schema(value_type = Vec<String>)]
    pub locations: Vec<LocationCode>,
}

/// Everything that is found, in the order of the document.
pub fn lint(rules: &Rules, atlas: &Atlas) -> Vec<Finding> {
    let sites: Vec<&Site> = (0..atlas.len()).filter_map(|slot| atlas.site(slot)).filter(|site| site.active).collect();
    let mut findings = Vec::new();
    for (index, tier) in rules.tiers.iter().enumerate() {
        let path = format!("tiers[{index}]");
        let earlier = rules.tiers.iter().take(index).find(|earlier| replaces(earlier, tier));
        if let Some(earlier) = earlier {
            let detail = format!("whatever tier '{}' could fill, tier '{}' before it fills", tier.name, earlier.name);
            findings.push(found(FindingCode::UnreachableTier, path.clone(), detail, &[]));
        }
        unmatched(&mut findings, &path, &tier.filters, &sites);
        lacking(&mut findings, &path, tier, &sites);
        if let Some(finding) = no_choice(&path, tier, &sites) {
            findings.push(finding);
        }
    }
    let catches_all = |last: &&Tier| last.filters == Filters::default();
    if let Some(last) = rules.tiers.last().filter(|last| !catches_all(last)) {
        let path = format!("tiers[{}].filters", rules.tiers.len().saturating_sub(1));
        let detail = format!("tier '{}' is the last and does not take every location", last.name);
        findings.push(found(FindingCode::NoCatchAll, path, detail, &[]));
    }
    findings
}

fn found(code: FindingCode, path: String, detail: String, sites: &[&Site]) -> Finding {
    let locations = sites.iter().take(MAX_NAMED).map(|site| site.code.clone()).collect();
    Finding { code, path, detail, count: sites.len(), locations }
}

/// Whether a tier fills whatever a later one could.
fn replaces(earlier: &Tier, later: &Tier) -> bool {
    let Split { max_parts, min_order_amount, keep_bundles_together, partial } = earlier.split;
    earlier.filters == Filters::default()
        && max_parts >= later.split.max_parts
        && (later.split.max_parts == 1 || min_order_amount.unwrap_or(0) <= later.split.min_order_amount.unwrap_or(0))
        && (!keep_bundles_together || later.split.keep_bundles_together)
        && (partial || !later.split.partial)
}

/// Values of filters that no location has.
fn unmatched(findings: &mut Vec<Finding>, path: &str, filters: &Filters, sites: &[&Site]) {
    let mut check = |field: &str, place: usize, name: String, has: &dyn Fn(&Site) -> bool| {
        if !sites.iter().any(|site| has(site)) {
            let detail = format!("no active location is {name}");
            findings.push(found(FindingCode::NothingMatches, format!("{path}.filters.{field}[{place}]"), detail, &[]));
        }
    };
    for (place, kind) in filters.kinds.iter().flatten().enumerate() {
        let name = match kind {
            LocationKind::Warehouse => "a warehouse",
            LocationKind::Store => "a store",
            LocationKind::Dealer => "a dealer",
        };
        check("kinds", place, name.to_owned(), &|site| site.kind == *kind);
    }
    for (place, owner) in filters.owners.iter().flatten().enumerate() {
        let (name, franchised) = match owner {
            Owner::Headquarters => ("headquarters'", false),
            Owner::Franchisee => ("a franchisee's", true),
        };
        check("owners", place, name.to_owned(), &|site| site.franchised == franchised);
    }
    for (place, region) in filters.regions.iter().flatten().enumerate() {
        if let Region::Division(code) = region {
            let within = |site: &Site| site.place.adcode.as_ref().is_some_and(|adcode| adcode.starts_with(code));
            check("regions", place, format!("in division {code}"), &within);
        }
    }
    for (place, group) in filters.groups.iter().flatten().enumerate() {
        check("groups", place, format!("in group '{group}'"), &|site| site.groups.contains(group));
    }
}

/// Locations that lack what a tier goes by.
fn lacking(findings: &mut Vec<Finding>, path: &str, tier: &Tier, sites: &[&Site]) {
    let filters = &tier.filters;
    let measures = filters.max_distance_metres.is_some() || tier.sort.contains(&Sort::Distance);
    let relative = |region: &Region| matches!(region, Region::SameCity | Region::SameProvince);
    let compares = filters.regions.iter().flatten().any(relative);
    let nowhere = GeoPoint::from_microdegrees(0, 0);
    type Lacks<'a> = &'a dyn Fn(&Site) -> bool;
    let checks: [(bool, FindingCode, &str, &str, Lacks<'_>); 4] = [
        (measures, FindingCode::NoCoordinates, "", "lie at 0° north, 0° east", &|site| site.point == nowhere),
        (
            compares,
            FindingCode::NoRegion,
            ".filters.regions",
            "have no city or no province in their address",
            &|site| site.place.city.is_none() || site.place.province.is_none(),
        ),
        (tier.sort.contains(&Sort::Load), FindingCode::NoCapacity, ".sort", "have no daily capacity", &|site| {
            site.daily_capacity.is_none()
        }),
        (
            filters.ready_within_minutes.is_some(),
            FindingCode::NoHours,
            ".filters.ready_within_minutes",
            "have no opening hours",
            &|site| site.schedule.week.is_none(),
        ),
    ];
    for (asked, code, field, what, lacks) in checks {
        let them: Vec<&Site> = sites.iter().copied().filter(|site| asked && site.ships && lacks(site)).collect();
        if !them.is_empty() {
            let detail = format!("{} active locations that ship {what}", them.len());
            findings.push(found(code, format!("{path}{field}"), detail, &them));
        }
    }
}

/// Whether a tier's limit is shorter than the way between any two of its locations.
fn no_choice(path: &str, tier: &Tier, sites: &[&Site]) -> Option<Finding> {
    let limit = tier.filters.max_distance_metres?;
    let kinds = tier.filters.kinds.as_ref();
    let taken: Vec<Site> = sites
        .iter()
        .filter(|site| kinds.is_none_or(|kinds| kinds.contains(&site.kind)))
        .map(|site| Site::clone(site))
        .collect();
    let atlas = Atlas::new(taken);
    let shipping: BTreeSet<usize> = atlas.by_priority().collect();
    let nearest = |slot: &usize| {
        let point = atlas.site(*slot)?.point;
        atlas.nearest(point).find(|(_, other)| other != slot).map(|(metres, _)| metres)
    };
    let shortest = shipping.iter().filter_map(nearest).min()?;
    let detail = format!("the two nearest locations are {shortest} m apart, and the limit is {limit} m");
    // A buyer half way between them is within reach of both.
    (shortest > limit.saturating_mul(2))
        .then(|| found(FindingCode::NoChoice, format!("{path}.filters.max_distance_metres"), detail, &[]))
}
