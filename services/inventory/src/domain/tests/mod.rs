//! The plan against expectations derived by hand, and against trying every set of locations.

use std::collections::{BTreeMap, BTreeSet};

use contracts::events::{FulfilmentKind, LocationKind};
use kernel::{GeoPoint, Timestamp};
use proptest::prelude::*;

use super::why::{Rule, why_not};
use super::*;

mod replays;
mod splits;
mod tiers;
mod whys;
mod worlds;

/// A shipped ruleset.
fn example(name: &str) -> Ruleset {
    let (_, document) = ruleset::EXAMPLES.iter().find(|(it, _)| *it == name).unwrap();
    Ruleset::new(1, serde_json::from_str(document).unwrap())
}

fn site(code: &str, latitude: f64, longitude: f64) -> Site {
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
        schedule: hours::Schedule::default(),
        daily_capacity: None,
    }
}

/// Locations on the equator: `place("A", 3)` lies three degrees east of the destination.
fn place(code: &str, degrees: u32) -> Site {
    site(code, 0.0, f64::from(degrees))
}

struct World {
    atlas: Atlas,
    shelves: Shelves,
    loads: Loads,
    reach: Reach,
    ruleset: Ruleset,
}

impl World {
    fn new(sites: Vec<Site>, stock: &[(&str, &str, i64)]) -> Self {
        let atlas = Atlas::new(sites);
        let mut shelves = Shelves::new();
        for (sku, location, units) in stock {
            let slot = atlas.slot(location).unwrap();
            shelves.entry(sku.parse().unwrap()).or_default().set(slot, *units);
        }
        Self { atlas, shelves, loads: Loads::default(), reach: Reach::new(), ruleset: example("nearest") }
    }

    fn plan(&self, request: Request) -> Decision {
        let Self { atlas, shelves, loads, reach, ruleset } = self;
        let now = Moment { at: Timestamp::EPOCH, zone: chrono_tz::Asia::Shanghai };
        plan(request, &Snapshot { ruleset, atlas, shelves, reach, loads, now })
    }
}

fn line(line_no: i32, sku: &str, units: i64) -> Line {
    Line { line_no, sku: sku.parse().unwrap(), quantity: units.try_into().unwrap(), parts: Vec::new() }
}

/// Shipped to 0° north, 0° east.
fn order(lines: Vec<Line>) -> Request {
    Request {
        channel: "tmall".parse().unwrap(),
        placed_at: Timestamp::EPOCH,
        kind: FulfilmentKind::Ship,
        to: Some(GeoPoint::new(0.0, 0.0).unwrap()),
        place: Place::default(),
        amount: None,
        whole: false,
        pickup: None,
        lines,
        excluded: BTreeSet::new(),
        allowed: BTreeMap::new(),
        claim: None,
        redirected_by: None,
    }
}

/// `(line, sku, location, units)` of each allocation.
fn shipped(decision: &Decision) -> Vec<(i32, String, String, i64)> {
    let all = decision.allocations().iter();
    all.map(|it| (it.line_no, it.sku.to_string(), it.location.to_string(), it.quantity.get())).collect()
}

fn row(line_no: i32, sku: &str, location: &str, units: i64) -> (i32, String, String, i64) {
    (line_no, sku.to_owned(), location.to_owned(), units)
}

fn missing(decision: &Decision) -> Vec<(String, i64)> {
    match &decision.outcome {
        Outcome::Backordered { missing } => missing.iter().map(|it| (it.sku.to_string(), it.missing.get())).collect(),
        Outcome::Sourced { .. } => panic!("sourced"),
    }
}

#[test]
fn the_nearest_location_that_has_it_ships() {
    let world = World::new(
        vec![place("NEAR", 1), place("MID", 2), place("FAR", 3)],
        &[("A", "NEAR", 0), ("A", "MID", 5), ("A", "FAR", 5)],
    );
    let decision = world.plan(order(vec![line(1, "A", 2)]));
    assert_eq!(shipped(&decision), [row(1, "A", "MID", 2)]);
    // One degree on the equator is 111,195 m.
    let Outcome::Sourced { how: How::Whole, runner_up: Some(second), .. } = &decision.outcome else { panic!() };
    assert_eq!((second.locations[0].as_str(), second.margin), ("FAR", 111_195));
    let verdicts: Vec<_> = decision.candidates.iter().map(|it| (it.location.as_str(), it.verdict)).collect();
    assert_eq!(verdicts, [("NEAR", Verdict::Short), ("MID", Verdict::Chosen), ("FAR", Verdict::Behind)]);
}

#[test]
fn distance_is_along_the_great_circle_not_in_degrees() {
    // At 60° north, 3 degrees of longitude are 167 km and 2 degrees of latitude are 222 km.
    let world =
        World::new(vec![site("EAST", 60.0, 3.0), site("NORTH", 62.0, 0.0)], &[("A", "EAST", 1), ("A", "NORTH", 1)]);
    let request = Request { to: Some(GeoPoint::new(60.0, 0.0).unwrap()), ..order(vec![line(1, "A", 1)]) };
    assert_eq!(shipped(&world.plan(request)), [row(1, "A", "EAST", 1)]);
}

#[test]
fn equally_far_locations_are_chosen_by_code() {
    let world = World::new(vec![place("B", 1), place("A", 1)], &[("X", "A", 1), ("X", "B", 1)]);
    assert_eq!(shipped(&world.plan(order(vec![line(1, "X", 1)]))), [row(1, "X", "A", 1)]);
}

#[test]
fn one_location_for_the_whole_order_beats_a_nearer_split() {
    let world = World::new(
        vec![place("S1", 1), place("S2", 2), place("WAREHOUSE", 50)],
        &[("A", "S1", 1), ("B", "S2", 1), ("A", "WAREHOUSE", 1), ("B", "WAREHOUSE", 1)],
    );
    let decision = world.plan(order(vec![line(1, "A", 1), line(2, "B", 1)]));
    assert_eq!(shipped(&decision), [row(1, "A", "WAREHOUSE", 1), row(2, "B", "WAREHOUSE", 1)]);
}

#[test]
fn a_split_has_the_fewest_parts_and_then_the_least_distance() {
    let world = World::new(
        vec![place("S1", 1), place("S2", 2), place("S3", 3), place("S4", 4)],
        &[("A", "S1", 2), ("A", "S2", 2), ("A", "S3", 4), ("A", "S4", 3)],
    );
    // Five units: S1 + S2 have four only; of the pairs with enough, S1 + S3 (four degrees in all) is nearest.
    let decision = world.plan(order(vec![line(1, "A", 5)]));
    assert_eq!(shipped(&decision), [row(1, "A", "S1", 2), row(1, "A", "S3", 3)]);
    let Outcome::Sourced { how: How::Split, runner_up: Some(second), .. } = &decision.outcome else { panic!() };
    // S1 + S4 lie five degrees away in all, S2 + S3 as well; the former comes first by code.
    assert_eq!(second.locations.iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["S1", "S4"]);
    assert!((111_194..=111_196).contains(&second.margin));
}

#[test]
fn lines_of_the_same_sku_are_summed_before_they_are_matched() {
    let world = World::new(vec![place("S1", 1), place("S2", 2)], &[("A", "S1", 3), ("A", "S2", 4)]);
    let decision = world.plan(order(vec![line(1, "A", 2), line(2, "A", 2)]));
    assert_eq!(shipped(&decision), [row(1, "A", "S2", 2), row(2, "A", "S2", 2)]);
}

#[test]
fn a_bundle_ships_its_parts() {
    let world = World::new(vec![place("S1", 1)], &[("CUP", "S1", 4), ("POT", "S1", 2)]);
    let part = |sku: &str, units: i64| Part { sku: sku.parse().unwrap(), quantity: units.try_into().unwrap() };
    let set = Line { parts: vec![part("CUP", 2), part("POT", 1)], ..line(1, "SET", 2) };
    assert_eq!(shipped(&world.plan(order(vec![set]))), [row(1, "CUP", "S1", 4), row(1, "POT", "S1", 2)]);
}

#[test]
fn what_no_plan_fills_waits_and_says_what_is_missing() {
    let world = World::new(vec![place("S1", 1), place("S2", 2)], &[("A", "S1", 1), ("A", "S2", 1), ("B", "S1", 9)]);
    let decision = world.plan(order(vec![line(1, "A", 3), line(2, "B", 1)]));
    assert_eq!(missing(&decision), [("A".to_owned(), 1)]);
    assert!(decision.allocations().is_empty());
}

#[test]
fn more_parts_than_allowed_is_not_filled() {
    let stock: Vec<(String, i64)> = (0..5).map(|n| (format!("S{n}"), 1)).collect();
    let sites = (0..5).map(|n| place(&format!("S{n}"), n + 1)).collect();
    let stock: Vec<(&str, &str, i64)> = stock.iter().map(|(code, units)| ("A", code.as_str(), *units)).collect();
    let world = World::new(sites, &stock);
    assert_eq!(world.plan(order(vec![line(1, "A", 4)])).allocations().len(), 4);
    assert_eq!(missing(&world.plan(order(vec![line(1, "A", 5)]))), [("A".to_owned(), 1)]);
}

#[test]
fn without_a_destination_priority_decides_and_then_the_code() {
    let first = Site { priority: 10, ..place("Z", 9) };
    let world = World::new(vec![place("A", 1), first, place("B", 2)], &[("X", "A", 1), ("X", "B", 1), ("X", "Z", 1)]);
    let request = Request { to: None, ..order(vec![line(1, "X", 1)]) };
    let decision = world.plan(request.clone());
    assert_eq!(shipped(&decision), [row(1, "X", "Z", 1)]);
    assert_eq!(decision.candidates[0].metres, None);
    let excluded = Request { excluded: BTreeSet::from(["Z".parse().unwrap()]), ..request };
    assert_eq!(shipped(&world.plan(excluded)), [row(1, "X", "A", 1)]);
}

#[test]
fn who_rejected_an_order_does_not_get_it_again() {
    let world = World::new(vec![place("S1", 1), place("S2", 2)], &[("A", "S1", 9), ("A", "S2", 9)]);
    let request = Request { excluded: BTreeSet::from(["S1".parse().unwrap()]), ..order(vec![line(1, "A", 1)]) };
    let decision = world.plan(request);
    assert_eq!(shipped(&decision), [row(1, "A", "S2", 1)]);
    assert_eq!(decision.candidates[0].verdict, Verdict::Rejected);
}

#[test]
fn a_pickup_is_never_sent_elsewhere() {
    let world = World::new(vec![place("HERE", 1), place("THERE", 2)], &[("A", "HERE", 1), ("A", "THERE", 9)]);
    let pickup = |units| Request {
        kind: FulfilmentKind::Pickup,
        to: None,
        pickup: Some("HERE".parse().unwrap()),
        ..order(vec![line(1, "A", units)])
    };
    assert_eq!(shipped(&world.plan(pickup(1))), [row(1, "A", "HERE", 1)]);
    assert_eq!(missing(&world.plan(pickup(2))), [("A".to_owned(), 1)]);
    let rejected = Request { excluded: BTreeSet::from(["HERE".parse().unwrap()]), ..pickup(1) };
    assert_eq!(missing(&world.plan(rejected)), [("A".to_owned(), 1)]);
}

#[test]
fn a_claim_that_fits_is_taken_as_it_is_and_one_that_does_not_is_planned() {
    let world = World::new(vec![place("S1", 1), place("S2", 2)], &[("A", "S1", 9), ("A", "S2", 9)]);
    let claim = |units| Claim {
        reservation: kernel::id::ReservationId::at(Timestamp::EPOCH),
        lines: vec![ClaimLine { sku: "A".parse().unwrap(), location: "S2".parse().unwrap(), quantity: units }],
    };
    let request = |units| Request { claim: Some(claim(units)), ..order(vec![line(7, "A", 2)]) };
    let fits = world.plan(request(2));
    assert_eq!(shipped(&fits), [row(7, "A", "S2", 2)]);
    assert!(!fits.takes_stock());
    assert_eq!(shipped(&world.plan(request(1))), [row(7, "A", "S1", 2)]);
}

#[test]
fn why_not_names_the_rule_the_number_and_the_smallest_change() {
    let closed = Site { active: false, ..place("CLOSED", 1) };
    let world = World::new(
        vec![closed, place("POOR", 1), place("WINNER", 2), place("SECOND", 3), place("THIRD", 5)],
        &[("A", "POOR", 1), ("A", "WINNER", 3), ("A", "SECOND", 3), ("A", "THIRD", 3), ("A", "CLOSED", 3)],
    );
    let decision = world.plan(order(vec![line(1, "A", 3)]));
    let why = |code: &str| {
        let code = code.parse().unwrap();
        why_not(
            &decision,
            &world.ruleset,
            &code,
            world.atlas.slot(code.as_str()).and_then(|slot| world.atlas.site(slot)),
        )
    };
    assert_eq!(why("WINNER").rule, Rule::Chosen);
    let poor = why("POOR");
    assert_eq!((poor.rule, poor.would_win.unwrap().as_str()), (Rule::Stock, "2 of A more"));
    let second = why("SECOND");
    assert_eq!((second.rule, second.behind), (Rule::Distance, Some(111_195)));
    // It was not even listed, and is explained all the same.
    let third = why("THIRD");
    assert_eq!((third.rule, third.behind), (Rule::Distance, Some(3 * 111_195)));
    assert_eq!(why("CLOSED").rule, Rule::Capability);
}

/// A few locations around a destination, with stock of up to three SKUs, and an order of them.
fn worlds() -> impl Strategy<Value = (Vec<(u32, [i64; 3])>, [i64; 3])> {
    let location = (0u32..8, [0i64..5, 0i64..5, 0i64..5]);
    (prop::collection::vec(location, 1..9), [0i64..8, 0i64..8, 1i64..8])
}

fn world(locations: &[(u32, [i64; 3])]) -> World {
    let sites = locations.iter().enumerate().map(|(n, (degrees, _))| place(&format!("L{n}"), *degrees)).collect();
    let atlas = Atlas::new(sites);
    let mut shelves = Shelves::new();
    for (n, (_, stock)) in locations.iter().enumerate() {
        for (sku, units) in ["A", "B", "C"].iter().zip(stock) {
            let slot = atlas.slot(&format!("L{n}")).unwrap();
            shelves.entry(sku.parse().unwrap()).or_default().set(slot, *units);
        }
    }
    World { atlas, shelves, loads: Loads::default(), reach: Reach::new(), ruleset: example("nearest") }
}

fn wanted(need: &[i64; 3]) -> Request {
    let lines = ["A", "B", "C"].iter().zip(need).zip(1..).filter(|((_, units), _)| **units > 0);
    order(lines.map(|((sku, units), line_no)| line(line_no, sku, *units)).collect())
}

/// Every set of up to four locations that covers the need, by parts, then by total distance: the best cost.
fn brute_force(locations: &[(u32, [i64; 3])], need: &[i64; 3]) -> Option<(u32, i64)> {
    let metres = |degrees: u32| GeoPoint::new(0.0, 0.0).unwrap().distance_metres(place("X", degrees).point);
    (1u32..1 << locations.len())
        .filter(|set| set.count_ones() <= 4)
        .filter_map(|set| {
            let chosen: Vec<_> =
                locations.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0).map(|(_, it)| it).collect();
            let covers = (0..3).all(|sku| chosen.iter().map(|(_, stock)| stock[sku]).sum::<i64>() >= need[sku]);
            covers.then(|| (set.count_ones(), chosen.iter().map(|(degrees, _)| metres(*degrees)).sum()))
        })
        .min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_set_of_locations_beats_the_plan((locations, need) in worlds()) {
        let world = world(&locations);
        let decision = world.plan(wanted(&need));
        let used: BTreeSet<_> = decision.allocations().iter().map(|it| it.location.clone()).collect();
        let cost: i64 = decision.candidates.iter().filter(|it| used.contains(&it.location)).map(Candidate::place).sum();
        let found = (!used.is_empty()).then(|| (u32::try_from(used.len()).unwrap(), cost));
        prop_assert_eq!(found, brute_force(&locations, &need));
    }

    #[test]
    fn what_is_allocated_is_what_was_ordered_and_is_there((locations, need) in worlds()) {
        let world = world(&locations);
        let decision = world.plan(wanted(&need));
        let mut by_sku: BTreeMap<String, i64> = BTreeMap::new();
        let mut by_place: BTreeMap<(String, String), i64> = BTreeMap::new();
        for it in decision.allocations() {
            *by_sku.entry(it.sku.to_string()).or_default() += it.quantity.get();
            *by_place.entry((it.sku.to_string(), it.location.to_string())).or_default() += it.quantity.get();
        }
        if !by_sku.is_empty() {
            let ordered = decision.request.needs().into_iter().map(|(sku, units)| (sku.to_string(), units)).collect();
            prop_assert_eq!(by_sku, ordered);
        }
        for ((sku, location), units) in by_place {
            let shelf = &world.shelves[sku.as_str()];
            prop_assert!(units <= shelf.available(world.atlas.slot(&location).unwrap()));
        }
    }

    #[test]
    fn a_stored_decision_made_again_has_the_same_bytes((locations, need) in worlds(), excluded in 0usize..9) {
        let world = world(&locations);
        let mut request = wanted(&need);
        request.excluded.insert(format!("L{excluded}").parse().unwrap());
        let stored = serde_json::to_string(&world.plan(request)).unwrap();
        let again = serde_json::from_str::<Decision>(&stored).unwrap().again(&world.ruleset);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), stored);
    }
}
