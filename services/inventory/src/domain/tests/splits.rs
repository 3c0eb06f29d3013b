//! Exact and greedy search against trying every set.

use proptest::prelude::*;

use crate::domain::split::{self, Key, Offer, exact, greedy};

/// Offers sorted as the search expects them.
fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let offer = ([-3i64..4, 0i64..4], [0i64..5, 0i64..5, 0i64..5]);
    prop::collection::vec(offer, 1..9).prop_map(|mut offers| {
        offers.sort_by_key(|(key, _)| *key);
        let offer = |([first, second], available): ([i64; 2], [i64; 3])| {
            let available = available.to_vec();
            Offer { key: [first, second, 0, 0, 0], available }
        };
        offers.into_iter().map(offer).collect()
    })
}

fn covers(offers: &[Offer], set: &[usize], need: &[i64; 3]) -> bool {
    (0..3).all(|sku| set.iter().map(|index| offers[*index].available[sku]).sum::<i64>() >= need[sku])
}

fn key(offers: &[Offer], set: &[usize]) -> Key {
    set.iter().fold(Key::default(), |sum, index| split::plus(sum, &offers[*index].key))
}

/// Every set of two and more, by its parts, then by its key: the best.
fn brute_force(offers: &[Offer], need: &[i64; 3], most: usize) -> Option<(usize, Key)> {
    (1u32..1 << offers.len())
        .map(|bits| (0..offers.len()).filter(|index| bits & (1 << index) != 0).collect::<Vec<_>>())
        .filter(|set| (2..=most).contains(&set.len()) && covers(offers, set, need))
        .map(|set| (set.len(), key(offers, &set)))
        .min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_set_beats_the_exact_search(offers in offers(), need in [0i64..9, 0i64..9, 1i64..9], most in 2usize..5) {
        let found = exact(&offers, &need, most, &|_| true);
        prop_assert_eq!(found.as_ref().map(|it| (it.set.len(), it.key)), brute_force(&offers, &need, most));
        if let Some(found) = found {
            prop_assert!(covers(&offers, &found.set, &need));
            prop_assert_eq!(key(&offers, &found.set), found.key);
            if let Some((second, behind)) = found.second {
                prop_assert!(covers(&offers, &second, &need) && second != found.set && behind >= found.key);
            }
        }
    }

    /// Of one SKU, whoever has most goes first, and nobody can do with fewer.
    #[test]
    fn greedy_covers_one_sku_in_the_fewest_parts(offers in offers(), need in 1i64..12, most in 1usize..6) {
        let need = [need, 0, 0];
        let set = greedy(&offers, &need, most);
        let mut units: Vec<i64> = offers.iter().map(|offer| offer.available[0]).collect();
        units.sort_unstable_by_key(|units| -units);
        let fewest = (1..=most.min(units.len())).find(|parts| units[..*parts].iter().sum::<i64>() >= need[0]);
        prop_assert_eq!(covers(&offers, &set, &need).then_some(set.len()), fewest);
    }

    /// The first is whoever covers most of all that is needed.
    #[test]
    fn greedy_begins_with_whoever_covers_most(offers in offers(), need in [0i64..9, 0i64..9, 1i64..9], most in 1usize..5) {
        let covered = |offer: &Offer| (0..3).map(|sku| offer.available[sku].min(need[sku])).sum::<i64>();
        let set = greedy(&offers, &need, most);
        let largest = offers.iter().map(covered).max().unwrap_or(0);
        prop_assert_eq!(set.iter().map(|index| covered(&offers[*index])).max().unwrap_or(0), largest);
    }

    #[test]
    fn greedy_is_never_better_than_exact(offers in offers(), need in [0i64..9, 0i64..9, 1i64..9], most in 2usize..5) {
        let set = greedy(&offers, &need, most);
        prop_assert!(set.len() <= most);
        if covers(&offers, &set, &need) && set.len() > 1 {
            let best = exact(&offers, &need, most, &|_| true).unwrap();
            prop_assert!((best.set.len(), best.key) <= (set.len(), key(&offers, &set)));
        }
    }
}
