//! Random worlds and rulesets: the plan against trying every set of locations, and against every location on its list.

use chrono_tz::Asia::Shanghai;

use super::*;
use crate::domain::gather::gather_all;
use crate::domain::hours::Schedule;
use crate::domain::plan::decide;
use crate::domain::ruleset::{Filters, Owner, Region, Sort, Split, Tier};
use crate::domain::split::Key;

/// Numbers a case is made of; where they run out they are 0, which is always the plainest choice.
pub(super) struct Dice(std::vec::IntoIter<u8>);

impl Dice {
    pub(super) fn new(rolls: Vec<u8>) -> Self {
        Self(rolls.into_iter())
    }

    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().unwrap_or(0) % sides
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(3) == 2).then(|| make(self))
    }

    fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let first = usize::from(self.roll(u8::try_from(all.len()).unwrap()));
        all.iter().enumerate().filter(|(n, _)| *n == first || self.roll(3) == 2).map(|(_, it)| it.clone()).collect()
    }

    fn place(&mut self) -> Place {
        let city = ["Nanjing", "Suzhou", "Hefei"][usize::from(self.roll(3))];
        let (province, adcode) = if city == "Hefei" { ("Anhui", "340100") } else { ("Jiangsu", "320100") };
        Place { province: Some(province.into()), city: Some(city.into()), adcode: Some(adcode.into()) }
    }

    fn site(&mut self, code: &str) -> Site {
        let kinds = [LocationKind::Store, LocationKind::Warehouse, LocationKind::Dealer];
        Site {
            priority: i32::from(self.roll(4)),
            kind: kinds[usize::from(self.roll(3))],
            franchised: self.roll(2) == 1,
            place: self.place(),
            groups: if self.roll(2) == 1 { BTreeSet::from(["outlet".to_owned()]) } else { BTreeSet::new() },
            schedule: Schedule { handling_minutes: i64::from(self.roll(4)) * 60, ..Schedule::default() },
            daily_capacity: self.maybe(|dice| i32::from(dice.roll(3))),
            active: self.roll(9) != 8,
            ..place(code, u32::from(self.roll(6)))
        }
    }

    fn tier(&mut self, number: usize) -> Tier {
        let filters = Filters {
            kinds: self.maybe(|dice| dice.some(&[LocationKind::Store, LocationKind::Warehouse])),
            owners: self.maybe(|dice| dice.some(&[Owner::Headquarters, Owner::Franchisee])),
            regions: self
                .maybe(|dice| dice.some(&[Region::SameCity, Region::SameProvince, Region::Division("34".into())])),
            groups: self.maybe(|_| vec!["outlet".to_owned()]),
            max_distance_metres: self.maybe(|dice| i64::from(dice.roll(5)) * 111_195),
            ready_within_minutes: self.maybe(|dice| i64::from(dice.roll(4)) * 60),
            channels: None,
        };
        let mut sort = self.some(&[Sort::Distance, Sort::Priority, Sort::Stock, Sort::Cost, Sort::Load]);
        let turn = usize::from(self.roll(5)) % sort.len();
        sort.rotate_left(turn);
        let split = Split {
            max_parts: 1 + usize::from(self.roll(4)),
            min_order_amount: self.maybe(|_| 100),
            keep_bundles_together: self.roll(3) == 2,
            partial: self.roll(4) == 3,
        };
        Tier { name: format!("tier {number}"), filters, sort, split }
    }

    fn rules(&mut self) -> Rules {
        let tiers = (0..=usize::from(self.roll(3))).map(|number| self.tier(number)).collect();
        let mut rules = Rules { name: "random".to_owned(), tiers, ..Rules::default() };
        rules.cost.per_parcel = 100;
        rules.cost.per_kilometre = i64::from(self.roll(3));
        rules.cost.per_kind.store = i64::from(self.roll(3)) * 100;
        rules.respect.capacity = self.roll(3) != 2;
        rules.promise.ship_within_minutes = self.maybe(|_| 60);
        rules
    }

    fn request(&mut self) -> Request {
        let mut lines = Vec::new();
        for (line_no, sku) in (1..).zip(["A", "B", "C"]) {
            let units = self.roll(6);
            if units > 0 || (sku == "C" && lines.is_empty()) {
                lines.push(line(line_no, sku, i64::from(units.max(1))));
            }
        }
        if self.roll(3) == 2 {
            let part = |sku: &str, units: i64| Part { sku: sku.parse().unwrap(), quantity: units.try_into().unwrap() };
            lines.push(Line { parts: vec![part("A", 1), part("B", 2)], ..line(9, "SET", 1) });
        }
        let allowed = self.maybe(|dice| BTreeMap::from([("A".parse().unwrap(), i64::from(dice.roll(4)))]));
        Request {
            to: if self.roll(5) == 4 { None } else { order(Vec::new()).to },
            place: self.place(),
            amount: self.maybe(|dice| i64::from(dice.roll(2)) * 150),
            whole: self.roll(5) == 4,
            excluded: self.maybe(|_| BTreeSet::from(["L1".parse().unwrap()])).unwrap_or_default(),
            allowed: allowed.unwrap_or_default(),
            ..order(lines)
        }
    }

    pub(super) fn world(&mut self) -> (World, Request) {
        let count = 1 + self.roll(8);
        let atlas = Atlas::new((0..count).map(|n| self.site(&format!("L{n}"))).collect());
        let (mut shelves, mut loads, mut reach) = (Shelves::new(), Loads::default(), Reach::new());
        for sku in ["A", "B", "C"] {
            for slot in 0..atlas.len() {
                shelves.entry(sku.parse().unwrap()).or_default().set(slot, i64::from(self.roll(6)));
            }
        }
        let day = Timestamp::EPOCH.day_in(Shanghai);
        for slot in 0..atlas.len() {
            loads.set(slot, day, i64::from(self.roll(3)));
        }
        if let Some(slots) = self.maybe(|dice| (0..atlas.len()).filter(|_| dice.roll(2) == 1).collect::<BTreeSet<_>>())
        {
            reach.insert("B".parse().unwrap(), slots.into());
        }
        let ruleset = Ruleset::new(7, self.rules());
        (World { atlas, shelves, loads, reach, ruleset }, self.request())
    }
}

impl World {
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        let Self { atlas, shelves, loads, reach, ruleset } = self;
        Snapshot { ruleset, atlas, shelves, reach, loads, now: Moment { at: Timestamp::EPOCH, zone: Shanghai } }
    }

    /// What a location can promise of each needed SKU, in the order of their codes.
    fn stock(&self, slot: Slot, request: &Request) -> Vec<i64> {
        let reaches = |sku: &kernel::SkuCode| self.reach.get(sku).is_none_or(|slots| slots.contains(&slot));
        let units = |sku: &kernel::SkuCode| self.shelves.get(sku).map_or(0, |shelf| shelf.available(slot));
        request.needs().keys().map(|sku| if reaches(sku) { units(sku) } else { 0 }).collect()
    }

    /// Whether a tier takes a location, worked out from the world alone.
    fn takes(&self, tier: &Tier, slot: Slot, request: &Request) -> bool {
        let site = self.atlas.site(slot).unwrap();
        let filters = &tier.filters;
        let metres = request.to.map(|to| to.distance_metres(site.point));
        let owner = if site.franchised { Owner::Franchisee } else { Owner::Headquarters };
        let in_region = |region: &Region| match region {
            Region::SameCity => site.place.city == request.place.city,
            Region::SameProvince => site.place.province == request.place.province,
            Region::Division(code) => site.place.adcode.as_ref().unwrap().starts_with(code.as_str()),
        };
        let full = site.daily_capacity.is_some_and(|most| {
            let ready = site.schedule.ready(Timestamp::EPOCH, Shanghai, self.ruleset.rules().respect);
            self.loads.get(slot, ready.day) >= i64::from(most)
        });
        site.active
            && !request.excluded.contains(&site.code)
            && !(full && self.ruleset.rules().respect.capacity)
            && filters.kinds.as_ref().is_none_or(|kinds| kinds.contains(&site.kind))
            && filters.owners.as_ref().is_none_or(|owners| owners.contains(&owner))
            && filters.regions.as_ref().is_none_or(|regions| regions.iter().any(in_region))
            && (filters.groups.is_none() || site.groups.contains("outlet"))
            && filters.max_distance_metres.is_none_or(|most| metres.is_some_and(|metres| metres <= most))
            && filters.ready_within_minutes.is_none_or(|most| site.schedule.handling_minutes <= most)
    }

    /// By how many parts and how well the best of all sets of a tier fills a request.
    fn best(&self, tier: &Tier, request: &Request) -> Option<(usize, Key)> {
        let need: Vec<i64> = request.needs().into_values().collect();
        let all = gather_all(request, &self.snapshot());
        let slot = |it: &Candidate| self.atlas.slot(it.location.as_str()).unwrap();
        let taken: Vec<&Candidate> = all.iter().filter(|it| self.takes(tier, slot(it), request)).collect();
        let few = tier.split.min_order_amount.zip(request.amount).is_some_and(|(least, amount)| amount < least);
        let most = if few { 1 } else { tier.split.max_parts };
        (1u32..1 << taken.len())
            .map(|bits| (0..taken.len()).filter(|n| bits & (1 << n) != 0).map(|n| taken[n]).collect::<Vec<_>>())
            .filter(|set| set.len() <= most)
            .filter(|set| {
                let stock: Vec<Vec<i64>> = set.iter().map(|it| self.stock(slot(it), request)).collect();
                (0..need.len()).all(|sku| stock.iter().map(|it| it[sku]).sum::<i64>() >= need[sku])
            })
            .map(|set| {
                let keys = set.iter().map(|it| it.key(tier, &self.ruleset));
                (set.len(), keys.fold(Key::default(), |sum, key| split::plus(sum, &key)))
            })
            .min()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_list_decides_as_every_location_would(rolls in prop::collection::vec(any::<u8>(), 0..260)) {
        let (world, request) = Dice::new(rolls).world();
        let decision = world.plan(request.clone());
        let all = gather_all(&request, &world.snapshot());
        let expected = decide(request, all, &world.ruleset, Timestamp::EPOCH);
        prop_assert_eq!(&decision.outcome, &expected.outcome);
        for candidate in &decision.candidates {
            let known = expected.candidates.iter().find(|it| it.location == candidate.location);
            prop_assert_eq!(Some(candidate), known);
        }
    }

    #[test]
    fn any_stored_decision_made_again_has_the_same_bytes(rolls in prop::collection::vec(any::<u8>(), 0..260)) {
        let (world, request) = Dice::new(rolls).world();
        let stored = serde_json::to_string(&world.plan(request)).unwrap();
        let ruleset = Ruleset::new(7, serde_json::from_str(&world.ruleset.rules().document().unwrap()).unwrap());
        let again = serde_json::from_str::<Decision>(&stored).unwrap().again(&ruleset);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), stored);
    }

    #[test]
    fn the_first_tier_that_can_fills_the_order_and_no_set_of_its_locations_is_better(
        rolls in prop::collection::vec(any::<u8>(), 0..260),
    ) {
        let (mut world, mut request) = Dice::new(rolls).world();
        let mut rules = world.ruleset.rules().clone();
        rules.tiers.iter_mut().for_each(|tier| tier.split.keep_bundles_together = false);
        rules.tiers.iter_mut().for_each(|tier| tier.split.partial = false);
        world.ruleset = Ruleset::new(7, rules);
        request.allowed.clear();
        let tiers = &world.ruleset.rules().tiers;
        let expected = tiers.iter().enumerate().find_map(|(n, tier)| Some((n, world.best(tier, &request)?)));
        let decision = world.plan(request);
        let found = match &decision.outcome {
            Outcome::Sourced { tier, .. } => {
                let keys = decision.winners().map(|it| it.key(&tiers[*tier], &world.ruleset));
                let sum = keys.fold(Key::default(), |sum, key| split::plus(sum, &key));
                Some((*tier, (decision.winners().count(), sum)))
            }
            Outcome::Backordered { .. } => None,
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn allocated_and_missing_are_what_was_ordered_and_nothing_is_given_twice(
        rolls in prop::collection::vec(any::<u8>(), 0..260),
    ) {
        let (world, request) = Dice::new(rolls).world();
        let decision = world.plan(request.clone());
        let Outcome::Sourced { how, tier, allocations, missing, .. } = &decision.outcome else { return Ok(()) };
        prop_assert_eq!(*how == How::Partial, !missing.is_empty());
        prop_assert!(missing.is_empty() || !request.whole);
        let tier = &world.ruleset.rules().tiers[*tier];
        prop_assert!(decision.locations().len() <= tier.parts_for(&request));
        let mut sum: BTreeMap<_, i64> = missing.iter().map(|it| (it.sku.clone(), it.missing.get())).collect();
        let mut taken: BTreeMap<(String, Slot), i64> = BTreeMap::new();
        for it in allocations {
            let slot = world.atlas.slot(it.location.as_str()).unwrap();
            prop_assert!(world.takes(tier, slot, &request));
            *sum.entry(it.sku.clone()).or_default() += it.quantity.get();
            *taken.entry((it.sku.to_string(), slot)).or_default() += it.quantity.get();
        }
        prop_assert_eq!(sum, request.needs());
        for ((sku, slot), units) in taken {
            let place = request.needs().keys().position(|it| it.as_str() == sku).unwrap();
            prop_assert!(units <= world.stock(slot, &request)[place]);
        }
        for (sku, most) in &request.allowed {
            let given: i64 = allocations.iter().filter(|it| it.sku == *sku).map(|it| it.quantity.get()).sum();
            prop_assert!(given <= *most);
        }
        if tier.split.keep_bundles_together {
            let places: BTreeSet<_> = allocations.iter().filter(|it| it.line_no == 9).map(|it| &it.location).collect();
            prop_assert!(places.len() <= 1);
        }
        // What waits and what ships are the order.
        let rest = decision.rest().map(|rest| rest.needs()).unwrap_or_default();
        prop_assert_eq!(rest, missing.iter().map(|it| (it.sku.clone(), it.missing.get())).collect());
    }
}
