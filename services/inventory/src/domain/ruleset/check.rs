//! What no type can say of a ruleset: the limits of its numbers, lists and texts.

use std::collections::BTreeSet;

use super::{Cost, Resourcing, Rules, Tier};

/// Tiers of a ruleset: each may be searched for every order, and nobody can follow more.
const MAX_TIERS: usize = 8;
/// Locations that may share one order: every set of so many candidates is tried.
const MAX_PARTS: usize = 6;
/// Candidates by sort of an exact search, and…
const MAX_NEAR: usize = 16;
/// …the best stocked beyond those: together 24 of which 6 make 134,596 sets, some milliseconds of work.
const MAX_BROAD: usize = 8;
/// The longest name of a ruleset or a tier, in characters.
const MAX_NAME: usize = 100;
/// The longest description, in characters: a page.
const MAX_DESCRIPTION: usize = 2_000;
/// Values of one filter: as many as a person will keep in order.
const MAX_VALUES: usize = 100;
/// The longest tag of a location, in characters.
pub const MAX_TAG: usize = 64;
/// The largest amount of a cost, in minor units: ten million yuan.
const MAX_COST: i64 = 1_000_000_000;
/// The largest distance in metres: half way round the earth.
const MAX_METRES: i64 = 20_100_000;
/// The longest time in minutes: a fortnight, within which every location is open.
const MAX_MINUTES: i64 = 14 * 24 * 60;
/// Moves of one order: more and no store would believe an order it is offered.
const MAX_MOVES: i64 = 10;
/// Orders that may be asked for within an hour: some tens a second, more than stores can follow.
const MAX_ASKED: i64 = 100_000;

/// Something wrong with a ruleset, at a path such as `tiers[0].split.max_parts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub path: String,
    /// What.
    pub message: String,
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn check(&mut self, fine: bool, path: impl Into<String>, message: impl Into<String>) {
        if !fine {
            self.0.push(Fault { path: path.into(), message: message.into() });
        }
    }

    fn text(&mut self, path: String, text: &str, most: usize) {
        let fine = !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
        self.check(fine, path, format!("has 1 to {most} characters, no control characters among them"));
    }

    fn list<T>(&mut self, path: String, values: Option<&Vec<T>>) {
        let fine = values.is_none_or(|values| (1..=MAX_VALUES).contains(&values.len()));
        self.check(fine, path, format!("names 1 to {MAX_VALUES} values; leave it out not to narrow"));
    }

    fn within(&mut self, path: String, number: Option<i64>, least: i64, most: i64) {
        let fine = number.is_none_or(|number| (least..=most).contains(&number));
        self.check(fine, path, format!("lies between {least} and {most}"));
    }
}

impl Rules {
    /// Everything that is wrong with it, in the order of the document; nothing when it can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        faults.text("name".to_owned(), &self.name, MAX_NAME);
        let described = self.description.as_ref().is_none_or(|text| text.chars().count() <= MAX_DESCRIPTION);
        faults.check(described, "description", format!("has at most {MAX_DESCRIPTION} characters"));
        let near = (1..=MAX_NEAR).contains(&self.candidates.near);
        faults.check(near, "candidates.near", format!("lies between 1 and {MAX_NEAR}"));
        faults.check(self.candidates.broad <= MAX_BROAD, "candidates.broad", format!("lies between 0 and {MAX_BROAD}"));
        faults.within("promise.ship_within_minutes".to_owned(), self.promise.ship_within_minutes, 1, MAX_MINUTES);
        let Cost { per_parcel, per_kilometre, per_kind, per_unit } = self.cost;
        for (field, amount) in [
            ("per_parcel", per_parcel),
            ("per_kilometre", per_kilometre),
            ("per_kind.warehouse", per_kind.warehouse),
            ("per_kind.store", per_kind.store),
            ("per_kind.dealer", per_kind.dealer),
            ("per_unit", per_unit),
        ] {
            faults.within(format!("cost.{field}"), Some(amount), 0, MAX_COST);
        }
        let tiers = (1..=MAX_TIERS).contains(&self.tiers.len());
        faults.check(tiers, "tiers", format!("there are 1 to {MAX_TIERS} tiers"));
        let mut names = BTreeSet::new();
        for (index, tier) in self.tiers.iter().enumerate() {
            let path = format!("tiers[{index}]");
            faults.check(names.insert(tier.name.as_str()), format!("{path}.name"), "names another tier, too");
            check_tier(&mut faults, &path, tier);
        }
        let Resourcing { min_gain_metres, max_moves_per_order, max_asked_per_hour, .. } = self.resourcing;
        faults.within("resourcing.min_gain_metres".to_owned(), Some(min_gain_metres), 0, MAX_METRES);
        faults.within("resourcing.max_moves_per_order".to_owned(), Some(max_moves_per_order), 1, MAX_MOVES);
        faults.within("resourcing.max_asked_per_hour".to_owned(), Some(max_asked_per_hour), 1, MAX_ASKED);
        faults.0
    }
}

fn check_tier(faults: &mut Faults, path: &str, tier: &Tier) {
    faults.text(format!("{path}.name"), &tier.name, MAX_NAME);
    let filters = &tier.filters;
    faults.list(format!("{path}.filters.kinds"), filters.kinds.as_ref());
    faults.list(format!("{path}.filters.owners"), filters.owners.as_ref());
    faults.list(format!("{path}.filters.regions"), filters.regions.as_ref());
    faults.list(format!("{path}.filters.groups"), filters.groups.as_ref());
    faults.list(format!("{path}.filters.channels"), filters.channels.as_ref());
    for (index, tag) in filters.groups.iter().flatten().enumerate() {
        faults.text(format!("{path}.filters.groups[{index}]"), tag, MAX_TAG);
    }
    faults.within(format!("{path}.filters.max_distance_metres"), filters.max_distance_metres, 0, MAX_METRES);
    faults.within(format!("{path}.filters.ready_within_minutes"), filters.ready_within_minutes, 0, MAX_MINUTES);
    let distinct: BTreeSet<_> = tier.sort.iter().collect();
    let sorted = !tier.sort.is_empty() && distinct.len() == tier.sort.len();
    faults.check(sorted, format!("{path}.sort"), "names one or more sorts, each once");
    let parts = (1..=MAX_PARTS).contains(&tier.split.max_parts);
    faults.check(parts, format!("{path}.split.max_parts"), format!("lies between 1 and {MAX_PARTS}"));
    faults.within(format!("{path}.split.min_order_amount"), tier.split.min_order_amount, 0, i64::MAX);
}
