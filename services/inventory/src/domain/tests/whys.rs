//! Why not: the stated change, made to the world, makes the location win, and one unit less does not.

use super::worlds::Dice;
use super::*;
use crate::domain::change::Change;
use crate::domain::why::WhyNot;

/// The point on the equator that is so far from 0° east, to the metre.
fn at_metres(metres: i64) -> GeoPoint {
    let origin = GeoPoint::new(0.0, 0.0).unwrap();
    // One degree on the equator is 111,195.08 m, and a microdegree a ninth of a metre.
    let about = i32::try_from(metres * 1_000_000 / 111_195).unwrap();
    let near = (about - 60..about + 60).map(|longitude| GeoPoint::from_microdegrees(0, longitude));
    near.into_iter().find(|point| origin.distance_metres(*point) == metres).unwrap()
}

/// The changes with one unit less of the one at a place.
fn one_less(changes: &[Change], place: usize) -> Vec<Change> {
    let mut changes = changes.to_vec();
    match &mut changes[place] {
        Change::Capacity { orders: by }
        | Change::Stock { units: by, .. }
        | Change::Nearer { metres: by }
        | Change::Priority { steps: by } => *by -= 1,
        other => panic!("{other:?} has no unit"),
    }
    changes
}

/// The world after the changes of a location; nothing when they are none of a location alone.
fn changed(world: &World, code: &str, changes: &[Change]) -> Option<World> {
    let slot = world.atlas.slot(code).unwrap();
    let mut sites: Vec<Site> = (0..world.atlas.len()).map(|slot| world.atlas.site(slot).unwrap().clone()).collect();
    let mut shelves = world.shelves.clone();
    for change in changes {
        let site = &mut sites[slot];
        match change {
            Change::Capacity { orders } => {
                site.daily_capacity = Some(site.daily_capacity.unwrap() + i32::try_from(*orders).unwrap());
            }
            Change::Stock { sku, units } => {
                let reach = world.reach.get(sku);
                if reach.is_some_and(|slots| !slots.contains(&slot)) {
                    return None;
                }
                let shelf = shelves.get_mut(sku).unwrap();
                shelf.set(slot, shelf.available(slot) + units);
            }
            Change::Nearer { metres } => {
                let now = GeoPoint::new(0.0, 0.0).unwrap().distance_metres(site.point);
                site.point = at_metres(now - metres);
            }
            Change::Priority { steps } => site.priority -= i32::try_from(*steps).unwrap(),
            _ => return None,
        }
    }
    let (loads, reach, ruleset) = (world.loads.clone(), world.reach.clone(), world.ruleset.clone());
    Some(World { atlas: Atlas::new(sites), shelves, loads, reach, ruleset })
}

fn wins(world: &World, request: &Request, code: &str) -> bool {
    world.plan(request.clone()).locations().iter().any(|it| it.as_str() == code)
}

fn ask(world: &World, decision: &Decision, code: &str) -> WhyNot {
    let site = world.atlas.slot(code).and_then(|slot| world.atlas.site(slot));
    why_not(decision, &world.ruleset, &code.parse().unwrap(), site)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_smallest_change_makes_it_win_and_one_unit_less_does_not(rolls in prop::collection::vec(any::<u8>(), 0..260)) {
        let (world, request) = Dice::new(rolls).world();
        let decision = world.plan(request.clone());
        for slot in 0..world.atlas.len() {
            let code = world.atlas.site(slot).unwrap().code.to_string();
            let listed = decision.candidates.iter().any(|it| it.location.as_str() == code);
            let why = ask(&world, &decision, &code);
            if !listed || why.changes.is_empty() {
                continue;
            }
            let Some(better) = changed(&world, &code, &why.changes) else { continue };
            prop_assert!(wins(&better, &request, &code), "{code}: {why:?}");
            let all_stock = why.changes.iter().all(|it| matches!(it, Change::Stock { .. }));
            let last = why.changes.len() - 1;
            for place in if all_stock { 0..=last } else { last..=last } {
                let less = changed(&world, &code, &one_less(&why.changes, place)).unwrap();
                prop_assert!(!wins(&less, &request, &code), "{code}, {place}: {why:?}");
            }
        }
    }
}
