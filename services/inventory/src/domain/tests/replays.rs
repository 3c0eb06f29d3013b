//! Replays against playing everything again naively, and against what the live plan decided.

use std::collections::HashMap;

use kernel::SkuCode;
use kernel::id::OrderId;

use super::*;
use crate::domain::compare::Comparison;
use crate::domain::replay::{Course, Decided, Event, Ground, Moved, in_order, replay};

/// What happens: an order of so many units of a SKU, or units that come to a location or leave it.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Order(usize, i64),
    Arrival(usize, usize, i64),
}

const SKUS: [&str; 3] = ["A", "B", "C"];
const PLACES: [&str; 4] = ["S1", "S2", "S3", "S4"];

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0..SKUS.len(), 1..6_i64).prop_map(|(sku, units)| Happening::Order(sku, units)),
        1 => (0..SKUS.len(), 0..PLACES.len(), -4..8_i64).prop_map(|(sku, at, units)| Happening::Arrival(sku, at, units)),
    ]
}

fn world(stock: &[i64]) -> World {
    let sites = PLACES.iter().zip(1..).map(|(code, degrees)| place(code, degrees)).collect();
    let pairs = SKUS.iter().flat_map(|sku| PLACES.iter().map(move |place| (*sku, *place)));
    let stock: Vec<(&str, &str, i64)> = pairs.zip(stock).map(|((sku, place), units)| (sku, place, *units)).collect();
    World::new(sites, &stock)
}

fn at(minute: usize) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(i64::try_from(minute).unwrap() * 60)
}

fn id(number: usize) -> OrderId {
    OrderId(uuid::Uuid::from_u128(number.try_into().unwrap()))
}

fn put(world: &mut World, sku: &SkuCode, location: &str, units: i64) {
    let slot = world.atlas.slot(location).unwrap();
    let shelf = world.shelves.get_mut(sku).unwrap();
    shelf.set(slot, shelf.balance(slot).unwrap_or(0) + units);
}

/// Decides one after the other on a world that is changed by hand: the decisions by order.
fn naively(mut world: World, happenings: &[Happening]) -> Vec<(OrderId, Decision)> {
    let mut decisions = Vec::new();
    for (minute, it) in happenings.iter().enumerate() {
        match it {
            Happening::Arrival(sku, place, units) => {
                put(&mut world, &SKUS[*sku].parse().unwrap(), PLACES[*place], *units)
            }
            Happening::Order(sku, units) => {
                let World { atlas, shelves, loads, reach, ruleset } = &world;
                let now = Moment { at: at(minute), zone: chrono_tz::Asia::Shanghai };
                let request = order(vec![line(1, SKUS[*sku], *units)]);
                let decision = plan(request, &Snapshot { ruleset, atlas, shelves, reach, loads, now });
                for it in decision.allocations() {
                    put(&mut world, &it.sku, it.location.as_str(), -it.quantity.get());
                }
                decisions.push((id(minute), decision));
            }
        }
    }
    decisions
}

fn events(happenings: &[Happening], atlas: &Atlas, decisions: &[(OrderId, Decision)]) -> Vec<Event> {
    let moved = happenings.iter().enumerate().filter_map(|(minute, it)| match it {
        Happening::Arrival(sku, place, units) => Some(Moved {
            at: at(minute),
            sku: SKUS[*sku].parse().unwrap(),
            slot: atlas.slot(PLACES[*place]).unwrap(),
            units: *units,
        }),
        Happening::Order(..) => None,
    });
    let decided = decisions.iter().map(|(order_id, decision)| Decided {
        order_id: *order_id,
        decision: decision.clone(),
        compared: true,
    });
    in_order(moved.collect(), decided.collect()).collect()
}

/// Replays, and answers the comparison with what each location got of each SKU.
fn replayed(world: World, events: Vec<Event>) -> (Comparison, BTreeMap<(SkuCode, Slot), i64>) {
    let World { atlas, shelves, loads, reach, ruleset } = world;
    let course =
        Course { ruleset: &ruleset, atlas: &atlas, reach: &|_| reach.clone(), zone: chrono_tz::Asia::Shanghai };
    let mut ground = Ground { shelves, loads, ..Ground::default() };
    let mut comparison = Comparison::default();
    replay(&course, &mut ground, events.into_iter(), &mut comparison);
    (comparison, ground.taken)
}

proptest! {
    #[test]
    fn a_replay_is_what_a_naive_loop_decides(
        stock in prop::collection::vec(-2..9_i64, 12),
        happenings in prop::collection::vec(happening(), 1..40),
        by_priority in any::<bool>(),
    ) {
        let live = naively(world(&stock), &happenings);
        let candidate = || {
            let mut world = world(&stock);
            if by_priority {
                let document = r#"{"name": "x", "tiers": [{"name": "all", "sort": ["stock"], "split": {"max_parts": 2, "partial": true}}]}"#;
                world.ruleset = Ruleset::new(2, serde_json::from_str(document).unwrap());
            }
            world
        };
        let naive: HashMap<OrderId, Decision> = naively(candidate(), &happenings).into_iter().collect();
        let atlas = candidate().atlas;
        let (comparison, taken) = replayed(candidate(), events(&happenings, &atlas, &live));
        // Everything that the naive loop gave away, and nothing else.
        let mut given: BTreeMap<(SkuCode, Slot), i64> = BTreeMap::new();
        for it in naive.values().flat_map(Decision::allocations) {
            *given.entry((it.sku.clone(), atlas.slot(it.location.as_str()).unwrap())).or_default() += it.quantity.get();
        }
        prop_assert_eq!(taken, given);
        let moved = live.iter().filter(|(id, was)| was.locations() != naive[id].locations()).count();
        prop_assert_eq!(comparison.moved, i64::try_from(moved).unwrap());
        let waiting = naive.values().filter(|it| matches!(it.outcome, Outcome::Backordered { .. })).count();
        prop_assert_eq!(comparison.candidate.backordered, i64::try_from(waiting).unwrap());
        let metres = |them: &mut dyn Iterator<Item = &Decision>| {
            them.flat_map(|it| it.winners().map(|it| it.metres.unwrap()).collect::<Vec<_>>()).sum::<i64>()
        };
        let parcels = naive.values().map(|it| i64::try_from(it.locations().len()).unwrap()).sum::<i64>();
        prop_assert_eq!(comparison.candidate.parcels(), parcels);
        prop_assert_eq!(comparison.candidate.metres.mean(), metres(&mut naive.values()).checked_div(parcels));
        if !by_priority {
            prop_assert_eq!(&comparison.candidate, &comparison.happened);
        }
    }

    /// The ruleset that was in force decides the same again, to the byte.
    #[test]
    fn the_same_rules_make_the_same_decisions(
        stock in prop::collection::vec(0..9_i64, 12),
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let live = naively(world(&stock), &happenings);
        let World { atlas, shelves, loads, reach, ruleset } = world(&stock);
        let course = Course { ruleset: &ruleset, atlas: &atlas, reach: &|_| reach.clone(), zone: chrono_tz::Asia::Shanghai };
        let mut ground = Ground { shelves, loads, ..Ground::default() };
        for event in events(&happenings, &atlas, &live) {
            if let Event::Decided(decided) = &event {
                prop_assert_eq!(&ground.decide(&course, &decided.decision), &decided.decision);
            }
            replay(&course, &mut ground, std::iter::once(event), &mut Comparison::default());
        }
    }

    #[test]
    fn a_percentile_is_less_than_one_part_in_128_too_low(values in prop::collection::vec(0..20_100_000_i64, 1..200)) {
        let mut spread = compare::Spread::default();
        values.iter().for_each(|value| spread.add(*value));
        let mut sorted = values.clone();
        sorted.sort_unstable();
        for percent in [1_usize, 50, 95, 100] {
            let exact = sorted[(sorted.len() * percent).div_ceil(100) - 1];
            let found = spread.percentile(i64::try_from(percent).unwrap()).unwrap();
            prop_assert!(found <= exact && (exact - found) * 128 <= exact, "{found} for {exact}");
        }
        prop_assert_eq!(spread.mean(), Some(values.iter().sum::<i64>() / i64::try_from(values.len()).unwrap()));
    }
}
