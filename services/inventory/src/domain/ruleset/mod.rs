//! The ruleset: how locations are chosen, as a document that retailers write.
//!
//! Hard constraints come first (capability, the channel's reach, rejections, capacity left, stock after safety). Then the
//! tiers are tried in their order; each stands by itself: its filters say which locations it looks at, its sort says which
//! of them is best, its split says what may be done when none of them has everything. The document is strict, so that a
//! misspelt rule is refused instead of ignored.

mod check;
pub mod lint;
mod region;
pub mod state;

use std::collections::BTreeSet;

use contracts::events::LocationKind;
use kernel::ChannelCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

pub use check::Fault;
pub use region::Region;

/// What may be written where a tier takes locations of one owner only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulesetOwner)]
pub enum Owner {
    /// Locations without an owner of their own.
    Headquarters,
    /// Locations that name an owner.
    Franchisee,
}

/// What decides between locations that could ship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulesetSort)]
pub enum Sort {
    /// The nearest to the destination first, along the great circle in whole metres; where the destination has no
    /// coordinates, by priority.
    Distance,
    /// The lowest priority number first.
    Priority,
    /// Who has most units of the ordered SKUs to promise first.
    Stock,
    /// The cheapest first, by the ruleset's cost.
    Cost,
    /// The least used share of the daily capacity first; a location without one counts as unused.
    Load,
}

/// How many candidates an exact search for a split looks at; every set of them is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RulesetBounds)]
pub struct Bounds {
    /// The best by the tier's sort, 1 to 16.
    #[schema(minimum = 1, maximum = 16)]
    pub near: usize,
    /// The best stocked beyond those, 0 to 8.
    #[schema(minimum = 0, maximum = 8)]
    pub broad: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { near: 12, broad: 4 }
    }
}

/// What buyers are promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RulesetPromise)]
pub struct Promise {
    /// An order that is ready later than so many minutes after it was placed is late. It ships all the same; decisions and
    /// comparisons say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 20160)]
    pub ship_within_minutes: Option<i64>,
}

/// What a parcel costs, in minor units of the retailer's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetCost)]
pub struct Cost {
    /// Each parcel.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub per_parcel: i64,
    /// Each kilometre to the destination, counted in metres and rounded down once.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub per_kilometre: i64,
    /// Each parcel by what ships it, on top.
    #[serde(skip_serializing_if = "KindCost::is_zero")]
    pub per_kind: KindCost,
    /// Each unit. The same wherever it ships from, so it decides nothing and counts in totals only.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub per_unit: i64,
}

/// What a parcel costs by what ships it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetKindCost)]
pub struct KindCost {
    /// A warehouse.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub warehouse: i64,
    /// A store.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub store: i64,
    /// A dealer.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub dealer: i64,
}

impl KindCost {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Which facts of a location count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetRespect)]
pub struct Respect {
    /// Opening hours: work on an order begins when the location is open.
    pub hours: bool,
    /// The cut-off: after it, work on an order begins the next day it is open.
    pub cutoff: bool,
    /// The daily capacity: a location whose day is full gets no more orders.
    pub capacity: bool,
}

impl Default for Respect {
    fn default() -> Self {
        Self { hours: true, cutoff: true, capacity: true }
    }
}

/// Which locations a tier looks at: those that fit every filter; what is left out does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetFilters)]
pub struct Filters {
    /// What they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<LocationKind>>,
    /// Whose they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owners: Option<Vec<Owner>>,
    /// Where they are: `same_city` or `same_province` as the destination, or the first two to six digits of the code of
    /// a division (GB/T 2260) that they lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub regions: Option<Vec<Region>>,
    /// Locations with one of these tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The farthest they may be from the destination. Where it has no coordinates, none is near enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 20_100_000)]
    pub max_distance_metres: Option<i64>,
    /// The latest they may be ready, in minutes from the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 20160)]
    pub ready_within_minutes: Option<i64>,
    /// The tier is for orders of these channels only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub channels: Option<Vec<ChannelCode>>,
}

/// What may be done when no location of a tier has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetSplit)]
pub struct Split {
    /// From how many locations one order may ship, 1 to 6; 1 is no split.
    #[schema(minimum = 1, maximum = 6)]
    pub max_parts: usize,
    /// Orders of a smaller amount are not split, in minor units. An amount that is not known does not forbid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub min_order_amount: Option<i64>,
    /// Whether all parts of a bundle line ship from one location.
    #[serde(skip_serializing_if = "is_false")]
    pub keep_bundles_together: bool,
    /// Whether what there is ships and the rest waits, when the order cannot be filled. Holds are granted whole or not at
    /// all.
    #[serde(skip_serializing_if = "is_false")]
    pub partial: bool,
}

impl Default for Split {
    fn default() -> Self {
        Self { max_parts: 1, min_order_amount: None, keep_bundles_together: false, partial: false }
    }
}

/// A step: which locations are looked at, which is best, and whether the order may be split between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RulesetTier)]
pub struct Tier {
    /// Its name, at most 100 characters.
    pub name: String,
    /// Which locations it looks at.
    #[serde(default)]
    pub filters: Filters,
    /// What decides between them: the first that tells them apart; then the location's code.
    #[serde(default = "nearest_first")]
    pub sort: Vec<Sort>,
    /// What may be done when none of them has everything.
    #[serde(default)]
    pub split: Split,
}

/// What becomes of an order that no tier fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulesetOtherwise)]
pub enum Otherwise {
    /// It waits for stock.
    #[default]
    Backorder,
}

/// Whether promised orders that nobody has picked move when nearer stock arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RulesetResourcing)]
pub struct Resourcing {
    /// Whether they do. Left out, they do not: it takes work from stores that have accepted it, which is theirs to agree to.
    pub enabled: bool,
    /// An order from as many parts moves only if they are nearer by so many metres together.
    #[schema(minimum = 0, maximum = 20_100_000)]
    pub min_gain_metres: i64,
    /// An order is moved at most so many times.
    #[schema(minimum = 1, maximum = 10)]
    pub max_moves_per_order: i64,
    /// The order book is asked to move at most so many orders within an hour.
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_asked_per_hour: i64,
}

impl Default for Resourcing {
    fn default() -> Self {
        Self { enabled: false, min_gain_metres: 20_000, max_moves_per_order: 1, max_asked_per_hour: 1_000 }
    }
}

impl Resourcing {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How locations are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RulesetDocument)]
pub struct Rules {
    /// Its name, at most 100 characters.
    pub name: String,
    /// What it is for, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Bounds of the exact search for a split.
    #[serde(default)]
    pub candidates: Bounds,
    /// What buyers are promised.
    #[serde(default)]
    pub promise: Promise,
    /// What a parcel costs.
    #[serde(default)]
    pub cost: Cost,
    /// Which facts of a location count.
    #[serde(default)]
    pub respect: Respect,
    /// The steps, tried in their order; 1 to 8.
    #[schema(min_items = 1, max_items = 8)]
    pub tiers: Vec<Tier>,
    /// What becomes of an order that no tier fills.
    #[serde(default)]
    pub otherwise: Otherwise,
    /// Whether promised orders move when nearer stock arrives.
    #[serde(default, skip_serializing_if = "Resourcing::is_default")]
    pub resourcing: Resourcing,
}

/// Which ruleset a decision was made by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesetId {
    /// Its version.
    pub version: i32,
    /// Its content hash: the first eight bytes of SHA-256 over its document, in hexadecimal.
    pub hash: String,
}

/// A ruleset, ready to decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    id: RulesetId,
    rules: Rules,
    /// What a pickup goes by: it is pinned to its location, so no tier applies.
    pickup: Tier,
    /// Tags that some tier asks for.
    groups: BTreeSet<String>,
    /// Whether some tier asks for divisions by their codes.
    divisions: bool,
    /// Whether some tier compares regions with the destination's.
    regions: bool,
    /// Whether it matters when a location is ready.
    readiness: bool,
    /// Whether some tier sorts by load.
    load: bool,
}

impl Default for Ruleset {
    /// A ruleset without tiers, by which everything waits.
    fn default() -> Self {
        Self::new(0, Rules::default())
    }
}

impl Ruleset {
    /// The ruleset of a document.
    pub fn new(version: i32, rules: Rules) -> Self {
        let filters = || rules.tiers.iter().map(|tier| &tier.filters);
        let regions: Vec<&Region> = filters().filter_map(|it| it.regions.as_ref()).flatten().collect();
        Self {
            id: RulesetId { version, hash: hash_of(&rules) },
            pickup: Tier {
                name: "pickup".to_owned(),
                filters: Filters::default(),
                sort: nearest_first(),
                split: Split::default(),
            },
            groups: filters().filter_map(|it| it.groups.as_ref()).flatten().cloned().collect(),
            divisions: regions.iter().any(|region| matches!(region, Region::Division(_))),
            regions: regions.iter().any(|region| !matches!(region, Region::Division(_))),
            readiness: rules.promise.ship_within_minutes.is_some()
                || filters().any(|it| it.ready_within_minutes.is_some()),
            load: rules.tiers.iter().any(|tier| tier.sort.contains(&Sort::Load)),
            rules,
        }
    }

    /// Which one it is.
    pub const fn id(&self) -> &RulesetId {
        &self.id
    }

    /// Its document.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a pickup goes by.
    pub const fn pickup(&self) -> &Tier {
        &self.pickup
    }

    /// Tags that some tier asks for.
    pub const fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// Whether some tier asks for divisions by their codes.
    pub const fn asks_for_divisions(&self) -> bool {
        self.divisions
    }

    /// Whether some tier compares regions with the destination's.
    pub const fn compares_regions(&self) -> bool {
        self.regions
    }

    /// Whether it matters when a location is ready.
    pub const fn asks_for_readiness(&self) -> bool {
        self.readiness
    }

    /// Whether the orders of a day matter at a location that has a daily capacity.
    pub const fn asks_for_load(&self) -> bool {
        self.load || self.rules.respect.capacity
    }
}

impl Rules {
    /// What a parcel from a location costs.
    pub fn parcel_cost(&self, metres: Option<i64>, kind: LocationKind) -> i64 {
        let kind = match kind {
            LocationKind::Warehouse => self.cost.per_kind.warehouse,
            LocationKind::Store => self.cost.per_kind.store,
            LocationKind::Dealer => self.cost.per_kind.dealer,
        };
        let way = metres.unwrap_or(0).saturating_mul(self.cost.per_kilometre).checked_div(1_000).unwrap_or(0);
        self.cost.per_parcel.saturating_add(kind).saturating_add(way)
    }

    /// The least that a parcel costs over so many metres, whoever ships it.
    pub fn least_cost(&self, metres: i64) -> i64 {
        let kinds = [LocationKind::Warehouse, LocationKind::Store, LocationKind::Dealer];
        kinds.into_iter().map(|kind| self.parcel_cost(Some(metres), kind)).min().unwrap_or(0)
    }

    /// Whether a parcel costs anything.
    pub fn has_cost(&self) -> bool {
        self.cost != Cost::default()
    }

    /// The document as it is stored: compact JSON, its fields in the order of the type.
    pub fn document(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

fn hash_of(rules: &Rules) -> String {
    let document = rules.document().unwrap_or_default();
    Sha256::digest(document.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn nearest_first() -> Vec<Sort> {
    vec![Sort::Distance]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The rulesets that are shipped, by name: the first is in force until another is activated.
pub const EXAMPLES: [(&str, &str); 6] = [
    ("nearest", include_str!("../../../rulesets/nearest.json")),
    ("warehouse-first", include_str!("../../../rulesets/warehouse-first.json")),
    ("store-clearance", include_str!("../../../rulesets/store-clearance.json")),
    ("same-city-two-hours", include_str!("../../../rulesets/same-city-two-hours.json")),
    ("cost-to-serve", include_str!("../../../rulesets/cost-to-serve.json")),
    ("franchise-protection", include_str!("../../../rulesets/franchise-protection.json")),
];

#[cfg(test)]
mod tests;
