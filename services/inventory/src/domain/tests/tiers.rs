//! Tiers, filters, splits and the shipped rulesets, by hand.

use super::*;
use crate::domain::hours::Schedule;
use crate::domain::ruleset::{Sort, Split};
use crate::domain::tiers::Filter;

fn by(name: &str, sites: Vec<Site>, stock: &[(&str, &str, i64)]) -> World {
    World { ruleset: example(name), ..World::new(sites, stock) }
}

/// The rulesets of the examples, changed.
fn with(world: World, change: impl FnOnce(&mut Rules)) -> World {
    let mut rules = world.ruleset.rules().clone();
    change(&mut rules);
    World { ruleset: Ruleset::new(1, rules), ..world }
}

fn warehouse(code: &str, degrees: u32) -> Site {
    Site { kind: LocationKind::Warehouse, ..place(code, degrees) }
}

fn nanjing() -> Place {
    Place { province: Some("Jiangsu".into()), city: Some("Nanjing".into()), adcode: None }
}

fn tier_of(decision: &Decision) -> usize {
    let Outcome::Sourced { tier, .. } = &decision.outcome else { panic!("{:?}", decision.outcome) };
    *tier
}

#[test]
fn a_warehouse_ships_before_a_nearer_store_unless_it_lacks_something() {
    let sites = vec![place("STORE", 1), warehouse("DEPOT", 50)];
    let world = by("warehouse-first", sites, &[("A", "STORE", 9), ("A", "DEPOT", 9), ("B", "STORE", 1)]);
    let decision = world.plan(order(vec![line(1, "A", 1)]));
    assert_eq!((shipped(&decision), tier_of(&decision)), (vec![row(1, "A", "DEPOT", 1)], 0));
    let store = decision.candidates.iter().find(|it| it.location.as_str() == "STORE").unwrap();
    assert_eq!((store.verdict, store.outside[&0]), (Verdict::Outside, Filter::Kind));
    let decision = world.plan(order(vec![line(1, "A", 1), line(2, "B", 1)]));
    let expected = vec![row(1, "A", "STORE", 1), row(2, "B", "STORE", 1)];
    assert_eq!((shipped(&decision), tier_of(&decision)), (expected, 1));
}

#[test]
fn the_fullest_shelf_of_the_clearance_stores_is_sold_first_and_small_orders_are_not_split_there() {
    let outlet = |code, degrees| Site { groups: BTreeSet::from(["clearance".to_owned()]), ..place(code, degrees) };
    let sites = vec![place("S1", 1), outlet("O5", 5), outlet("O9", 9)];
    let world = by("store-clearance", sites, &[("A", "S1", 99), ("A", "O5", 2), ("A", "O9", 3)]);
    assert_eq!(shipped(&world.plan(order(vec![line(1, "A", 2)]))), [row(1, "A", "O9", 2)]);
    let of = |amount| Request { amount, ..order(vec![line(1, "A", 5)]) };
    assert_eq!(shipped(&world.plan(of(Some(19_999)))), [row(1, "A", "S1", 5)]);
    let split = [row(1, "A", "O9", 3), row(1, "A", "O5", 2)];
    assert_eq!(shipped(&world.plan(of(Some(20_000)))), split);
    assert_eq!(shipped(&world.plan(of(None))), split);
}

#[test]
fn a_city_store_that_is_open_and_near_ships_and_the_least_busy_among_equals() {
    // A hundredth of a degree on the equator is 1,112 m.
    let store = |code: &str, longitude: f64, handling_minutes: i64| Site {
        place: nanjing(),
        schedule: Schedule { handling_minutes, ..Schedule::default() },
        daily_capacity: Some(10),
        ..site(code, 0.0, longitude)
    };
    let sites =
        vec![store("BUSY", 0.01, 30), store("IDLE", 0.01, 30), store("SLOW", 0.005, 121), store("FAR", 0.09, 30)];
    let stock: Vec<_> = ["BUSY", "IDLE", "SLOW", "FAR"].into_iter().map(|code| ("A", code, 9)).collect();
    let mut world = by("same-city-two-hours", sites, &stock);
    let day = Timestamp::EPOCH.day_in(chrono_tz::Asia::Shanghai);
    world.loads.set(world.atlas.slot("BUSY").unwrap(), day, 5);
    world.loads.set(world.atlas.slot("IDLE").unwrap(), day, 4);
    let request = Request { place: nanjing(), ..order(vec![line(1, "A", 1)]) };
    let decision = world.plan(request.clone());
    assert_eq!((shipped(&decision), tier_of(&decision)), (vec![row(1, "A", "IDLE", 1)], 0));
    // Half of the day's ten orders against four: 100,000 millionths.
    let Outcome::Sourced { runner_up: Some(second), .. } = &decision.outcome else { panic!() };
    assert_eq!((second.margin, second.by), (100_000, Some(Sort::Load)));
    assert_eq!(decision.is_late(&world.ruleset), Some(false));
    // Both full: a slow store of the province is next, and too late for the promise of two hours.
    world.loads.set(world.atlas.slot("BUSY").unwrap(), day, 10);
    world.loads.set(world.atlas.slot("IDLE").unwrap(), day, 10);
    world.loads.set(world.atlas.slot("FAR").unwrap(), day, 10);
    let decision = world.plan(request.clone());
    assert_eq!((shipped(&decision), tier_of(&decision)), (vec![row(1, "A", "SLOW", 1)], 1));
    assert_eq!(decision.is_late(&world.ruleset), Some(true));
    let why = why_not(&decision, &world.ruleset, &"IDLE".parse().unwrap(), None);
    assert_eq!(why.rule, Rule::Capacity);
    assert_eq!(why.detail, "it had 10 orders on that day already and can ship 10");
}

#[test]
fn the_cheapest_parcel_wins_not_the_nearest() {
    // Ten degrees are 1,111,951 m: 8.00 + 0.02 × 1,111.951 = 30.23 from the warehouse. One degree is 111,195 m: 8.00 +
    // 2.22 + 5.00 = 15.22 from the dealer. At twenty degrees, 2,223,902 m, the warehouse takes 52.47.
    let dealer = Site { kind: LocationKind::Dealer, ..place("DEALER", 1) };
    let stock = [("A", "DEALER", 9), ("A", "DEPOT", 9), ("A", "STORE", 9)];
    let world = by("cost-to-serve", vec![dealer, warehouse("DEPOT", 10), place("STORE", 2)], &stock);
    // The store at two degrees, 222,390 m: 8.00 + 4.44 + 3.50 = 15.94.
    let decision = world.plan(order(vec![line(1, "A", 3)]));
    let Outcome::Sourced { runner_up: Some(second), .. } = &decision.outcome else { panic!() };
    assert_eq!((second.locations[0].as_str(), second.margin, second.by), ("STORE", 72, Some(Sort::Cost)));
    // Three units at 0.50 on top of the parcel.
    assert_eq!((shipped(&decision), decision.cost(&world.ruleset)), (vec![row(1, "A", "DEALER", 3)], 1_522 + 150));
}

#[test]
fn a_franchisee_of_another_city_ships_only_what_nobody_else_has() {
    let franchisee = |code: &str, degrees, city: &str| Site {
        franchised: true,
        place: Place { city: Some(city.into()), ..nanjing() },
        ..place(code, degrees)
    };
    let sites = vec![franchisee("HERE", 9, "Nanjing"), franchisee("THERE", 1, "Suzhou"), place("OURS", 5)];
    let stock = [("A", "HERE", 1), ("A", "THERE", 3), ("A", "OURS", 2)];
    let world = by("franchise-protection", sites, &stock);
    let asks = |units| Request { place: nanjing(), ..order(vec![line(1, "A", units)]) };
    assert_eq!(shipped(&world.plan(asks(1))), [row(1, "A", "HERE", 1)]);
    assert_eq!(shipped(&world.plan(asks(2))), [row(1, "A", "OURS", 2)]);
    assert_eq!(shipped(&world.plan(asks(3))), [row(1, "A", "THERE", 3)]);
}

#[test]
fn what_there_is_ships_and_the_rest_waits_where_the_tier_says_so() {
    let world = World::new(vec![place("S1", 1), place("S2", 2)], &[("A", "S1", 2), ("A", "S2", 1), ("B", "S2", 0)]);
    let world = with(world, |rules| rules.tiers[0].split.partial = true);
    let request = order(vec![line(1, "A", 5), line(2, "B", 1)]);
    let decision = world.plan(request.clone());
    assert_eq!(shipped(&decision), [row(1, "A", "S1", 2), row(1, "A", "S2", 1)]);
    let Outcome::Sourced { how: How::Partial, missing: left, .. } = &decision.outcome else { panic!() };
    let left: Vec<_> = left.iter().map(|it| (it.sku.as_str(), it.missing.get())).collect();
    assert_eq!(left, [("A", 2), ("B", 1)]);
    let rest: Vec<_> = decision.rest().unwrap().lines.into_iter().map(|it| (it.line_no, it.quantity.get())).collect();
    assert_eq!(rest, [(1, 2), (2, 1)]);
    // A hold is granted whole or not at all, and an order nobody has anything of waits as a whole.
    assert_eq!(missing(&world.plan(Request { whole: true, ..request })), [("A".to_owned(), 2), ("B".to_owned(), 1)]);
    assert_eq!(missing(&world.plan(order(vec![line(1, "B", 4)]))), [("B".to_owned(), 4)]);
}

#[test]
fn a_share_that_is_used_up_holds_a_part_back_or_the_whole_order() {
    let world = World::new(vec![place("S1", 1)], &[("A", "S1", 9)]);
    let allowed = BTreeMap::from([("A".parse().unwrap(), 3)]);
    let request = Request { allowed, ..order(vec![line(1, "A", 5)]) };
    let decision = world.plan(request.clone());
    assert_eq!(missing(&decision), [("A".to_owned(), 2)]);
    let why = why_not(&decision, &world.ruleset, &"S1".parse().unwrap(), None);
    assert_eq!((why.rule, why.would_win.unwrap().as_str()), (Rule::Share, "2 of A more for the channel"));
    let world = with(world, |rules| rules.tiers[0].split.partial = true);
    assert_eq!(shipped(&world.plan(request)), [row(1, "A", "S1", 3)]);
}

#[test]
fn the_parts_of_a_bundle_stay_together_if_the_tier_says_so() {
    let part = |sku: &str, units: i64| Part { sku: sku.parse().unwrap(), quantity: units.try_into().unwrap() };
    let set = Line { parts: vec![part("CUP", 2), part("POT", 1)], ..line(1, "SET", 1) };
    let sites = || vec![place("S1", 1), place("S2", 2), place("S3", 3)];
    // S1 and S2 have the parts between them, S3 has the set; nobody has the tea with it.
    let stock = [("CUP", "S1", 2), ("POT", "S2", 1), ("TEA", "S1", 1), ("CUP", "S3", 2), ("POT", "S3", 1)];
    let request = order(vec![set, line(2, "TEA", 1)]);
    let apart = World::new(sites(), &stock);
    let expected = [row(1, "CUP", "S1", 2), row(1, "POT", "S2", 1), row(2, "TEA", "S1", 1)];
    assert_eq!(shipped(&apart.plan(request.clone())), expected);
    let together = with(World::new(sites(), &stock), |rules| rules.tiers[0].split.keep_bundles_together = true);
    let expected = [row(1, "CUP", "S3", 2), row(1, "POT", "S3", 1), row(2, "TEA", "S1", 1)];
    assert_eq!(shipped(&together.plan(request.clone())), expected);
    let without = with(World::new(sites(), &stock[..3]), |rules| rules.tiers[0].split.keep_bundles_together = true);
    let short = [("CUP".to_owned(), 2), ("POT".to_owned(), 1)];
    assert_eq!(missing(&without.plan(request)), short);
}

#[test]
fn a_tier_for_some_channels_is_left_out_for_the_others() {
    let world =
        by("warehouse-first", vec![place("STORE", 1), warehouse("DEPOT", 9)], &[("A", "STORE", 1), ("A", "DEPOT", 1)]);
    let world = with(world, |rules| rules.tiers[0].filters.channels = Some(vec!["douyin".parse().unwrap()]));
    assert_eq!(shipped(&world.plan(order(vec![line(1, "A", 1)]))), [row(1, "A", "STORE", 1)]);
    let douyin = Request { channel: "douyin".parse().unwrap(), ..order(vec![line(1, "A", 1)]) };
    assert_eq!(shipped(&world.plan(douyin)), [row(1, "A", "DEPOT", 1)]);
}

#[test]
fn without_a_destination_priority_decides_and_no_location_is_near_enough() {
    let sites = vec![place("S1", 1), Site { priority: 5, ..place("S9", 9) }];
    let world = World::new(sites, &[("A", "S1", 1), ("A", "S9", 1)]);
    let nowhere = Request { to: None, ..order(vec![line(1, "A", 1)]) };
    let decision = world.plan(nowhere.clone());
    assert_eq!(shipped(&decision), [row(1, "A", "S9", 1)]);
    let Outcome::Sourced { runner_up: Some(second), .. } = &decision.outcome else { panic!() };
    assert_eq!((second.margin, second.by), (95, Some(Sort::Priority)));
    let near = with(world, |rules| rules.tiers[0].filters.max_distance_metres = Some(20_000_000));
    assert_eq!(missing(&near.plan(nowhere)), [("A".to_owned(), 1)]);
}

#[test]
fn why_not_names_the_limit_of_a_tier_and_the_way_past_it() {
    let world = World::new(vec![place("NEAR", 1), place("FAR", 3)], &[("A", "NEAR", 1), ("A", "FAR", 1)]);
    let world = with(world, |rules| {
        rules.tiers[0].name = "same city".to_owned();
        rules.tiers[0].filters.max_distance_metres = Some(200_000);
        rules.tiers[0].split = Split::default();
    });
    let decision = world.plan(order(vec![line(1, "A", 1)]));
    let far = world.atlas.slot("FAR").and_then(|slot| world.atlas.site(slot));
    let why = why_not(&decision, &world.ruleset, &"FAR".parse().unwrap(), far);
    // Three degrees are 333,585 m, one is 111,195 m, and of two as near as that the code FAR comes first.
    assert_eq!((why.rule, why.behind, why.tier.as_deref()), (Rule::Distance, Some(133_585), Some("same city")));
    assert_eq!(why.detail, "it is 333585 m away, and tier 'same city' goes 200000 m far");
    let expected = "222390 m nearer, or a distance limit of at least 333585 m in tier 'same city'";
    assert_eq!(why.would_win.as_deref(), Some(expected));
}

#[test]
fn a_decision_about_one_parcel_is_stored_in_a_few_hundred_bytes() {
    let sites = (1..9).map(|n| place(&format!("STORE-{n}"), n)).collect();
    let world = World::new(sites, &[("SKU-1", "STORE-4", 5), ("SKU-1", "STORE-6", 5)]);
    let stored = serde_json::to_string(&world.plan(order(vec![line(1, "SKU-1", 2)]))).unwrap();
    assert!(stored.len() < 1_000, "{} bytes: {stored}", stored.len());
}
