//! Which set of locations fills an order together.
//!
//! [`exact`] finds the fewest parts and among those the best by the tier's sort, summed over the parts; it looks at every
//! set of a bounded number of candidates. [`greedy`] takes whoever covers most of the rest, and is what remains beyond
//! that bound.

/// A value for each sort of a tier, compared from the first; unused places are 0. Sums of keys compare as their parts do,
/// which is what lets the search leave sets out unseen.
pub type Key = [i64; 5];

/// The sum of two keys.
pub fn plus(mut one: Key, other: &Key) -> Key {
    for (sum, part) in one.iter_mut().zip(other) {
        *sum = sum.saturating_add(*part);
    }
    one
}

fn times(mut key: Key, count: usize) -> Key {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    for value in &mut key {
        *value = value.saturating_mul(count);
    }
    key
}

/// A location that could ship a part: how well it is placed, and what it has of each needed SKU.
#[derive(Clone, Debug)]
pub struct Offer {
    pub key: Key,
    pub available: Vec<i64>,
}

/// The best set and the next best one of as many parts, as indexes into the offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Best {
    pub set: Vec<usize>,
    pub key: Key,
    pub second: Option<(Vec<usize>, Key)>,
}

/// How many of the needed units an offer covers.
pub fn coverage(available: &[i64], need: &[i64]) -> i64 {
    available.iter().zip(need).map(|(has, need)| (*has).min(*need).max(0)).fold(0, i64::saturating_add)
}

/// The candidates an exact search looks at: the best placed, and those that cover most however they are placed (the
/// warehouse behind the stores). `offers` are sorted; so is the answer.
pub fn shortlist(offers: &[Offer], need: &[i64], near: usize, broad: usize) -> Vec<usize> {
    let useful: Vec<usize> = (0..offers.len())
        .filter(|index| offers.get(*index).is_some_and(|offer| coverage(&offer.available, need) > 0))
        .collect();
    let (nearest, rest) = useful.split_at(near.min(useful.len()));
    let mut rest: Vec<(i64, usize)> = rest
        .iter()
        .filter_map(|index| Some((coverage(&offers.get(*index)?.available, need).saturating_neg(), *index)))
        .collect();
    rest.sort_unstable();
    let mut list: Vec<usize> =
        nearest.iter().copied().chain(rest.into_iter().take(broad).map(|(_, index)| index)).collect();
    list.sort_unstable();
    list
}

/// The fewest parts that cover the need and fit, and of those the best; ties go to the set that comes first.
pub fn exact(offers: &[Offer], need: &[i64], max_parts: usize, fits: &dyn Fn(&[usize]) -> bool) -> Option<Best> {
    (2..=max_parts.min(offers.len())).find_map(|parts| {
        let mut search = Search { offers, fits, best: None, second: None, chosen: Vec::with_capacity(parts) };
        search.descend(0, parts, Key::default(), need);
        let (set, key) = search.best?;
        Some(Best { set, key, second: search.second })
    })
}

struct Search<'a> {
    offers: &'a [Offer],
    fits: &'a dyn Fn(&[usize]) -> bool,
    best: Option<(Vec<usize>, Key)>,
    second: Option<(Vec<usize>, Key)>,
    chosen: Vec<usize>,
}

impl Search<'_> {
    fn descend(&mut self, from: usize, parts: usize, key: Key, rest: &[i64]) {
        if parts == 0 {
            if rest.iter().all(|units| *units <= 0) && (self.fits)(&self.chosen) {
                self.keep(key);
            }
            return;
        }
        for (index, offer) in self.offers.iter().enumerate().skip(from) {
            let key = plus(key, &offer.key);
            // Offers get worse along the list, so no later one can beat what is known already.
            let floor = times(offer.key, parts.saturating_sub(1));
            if self.second.as_ref().is_some_and(|(_, second)| plus(key, &floor) >= *second) {
                return;
            }
            let left: Vec<i64> =
                rest.iter().zip(&offer.available).map(|(rest, has)| rest.saturating_sub((*has).max(0))).collect();
            self.chosen.push(index);
            self.descend(index.saturating_add(1), parts.saturating_sub(1), key, &left);
            self.chosen.pop();
        }
    }

    fn keep(&mut self, key: Key) {
        let found = (self.chosen.clone(), key);
        if self.best.as_ref().is_none_or(|(_, best)| key < *best) {
            self.second = self.best.replace(found);
        } else if self.second.as_ref().is_none_or(|(_, second)| key < *second) {
            self.second = Some(found);
        }
    }
}

/// Takes whoever covers most of what is left, ties to the first, at most `max_parts` of them.
pub fn greedy(offers: &[Offer], need: &[i64], max_parts: usize) -> Vec<usize> {
    let mut rest = need.to_vec();
    let mut set = Vec::new();
    while set.len() < max_parts && rest.iter().any(|units| *units > 0) {
        let mut best = (0, 0);
        for (index, offer) in offers.iter().enumerate() {
            let covered = coverage(&offer.available, &rest);
            if covered > best.0 && !set.contains(&index) {
                best = (covered, index);
            }
        }
        let Some(offer) = offers.get(best.1).filter(|_| best.0 > 0) else { break };
        for (rest, has) in rest.iter_mut().zip(&offer.available) {
            *rest = rest.saturating_sub((*has).max(0)).max(0);
        }
        set.push(best.1);
    }
    set.sort_unstable();
    set
}
