//! Sharing: how much of the pool a channel may sell, term by term.
//!
//! One rule of a channel applies to a SKU: that for the SKU, else that for its category, else that for everything. What a
//! channel has exclusively is kept back from all others, wherever the two may sell from the same locations.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kernel::{ChannelCode, Code, LocationCode, SkuCode};

/// Ring-fences with locations of their own that are weighed against each other, set by set; any beyond are kept back in
/// full. 2^6 sets take microseconds, once the locations have been gone through.
const MAX_WEIGHED: usize = 6;

/// What a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One SKU.
    Sku(SkuCode),
    /// Every SKU of a category.
    Category(String),
    /// Every SKU.
    All,
}

/// How a channel shares in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In everything.
    Shared,
    /// In so many percent of what is available.
    Percentage(i64),
    /// In everything, but in no more than so many units of a SKU.
    Quota(i64),
    /// In so many units of a SKU that are kept for it alone.
    Exclusive(i64),
    /// In nothing.
    Excluded,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: Code,
    /// Whom it binds.
    pub channel: ChannelCode,
    /// What it speaks of.
    pub scope: Scope,
    /// How the channel shares.
    pub mode: Mode,
    /// Units kept back from the channel, for what it sells before it hears of a change.
    pub buffer: i64,
    /// From where the channel may sell; none means from everywhere.
    pub locations: Option<BTreeSet<LocationCode>>,
    /// What its use is counted by.
    pub count_id: i64,
    /// Grows with every change.
    pub version: i64,
}

impl Rule {
    /// What its use is counted by, if it is counted.
    pub const fn counted_by(&self) -> Option<i64> {
        match self.mode {
            Mode::Quota(_) | Mode::Exclusive(_) => Some(self.count_id),
            Mode::Shared | Mode::Percentage(_) | Mode::Excluded => None,
        }
    }

    /// Whether it counts on when it is replaced by another.
    pub fn counts_on_as(&self, next: &Self) -> bool {
        let kind = std::mem::discriminant;
        (&self.channel, &self.scope, kind(&self.mode)) == (&next.channel, &next.scope, kind(&next.mode))
    }

    const fn is_exclusive(&self) -> bool {
        matches!(self.mode, Mode::Exclusive(_))
    }

    /// Units of its quota or its ring-fence that are left.
    pub const fn left(&self, used: i64) -> i64 {
        match self.mode {
            Mode::Quota(most) | Mode::Exclusive(most) => {
                let left = most.saturating_sub(used);
                if left > 0 { left } else { 0 }
            }
            Mode::Shared | Mode::Percentage(_) | Mode::Excluded => 0,
        }
    }
}

#[derive(Debug, Default)]
struct OfChannel {
    skus: HashMap<SkuCode, Arc<Rule>>,
    categories: HashMap<String, Arc<Rule>>,
    all: Option<Arc<Rule>>,
}

/// Every rule, to be looked up.
#[derive(Debug, Default)]
pub struct Rulebook {
    channels: HashMap<ChannelCode, OfChannel>,
    /// Channels with a rule that keeps something for them alone, in the order of their codes.
    exclusive: BTreeSet<ChannelCode>,
}

impl Rulebook {
    /// A book of these rules; of a channel and a scope there is one.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut book = Self::default();
        for rule in rules {
            let rule = Arc::new(rule);
            if rule.is_exclusive() {
                book.exclusive.insert(rule.channel.clone());
            }
            let of = book.channels.entry(rule.channel.clone()).or_default();
            match &rule.scope {
                Scope::Sku(sku) => drop(of.skus.insert(sku.clone(), rule.clone())),
                Scope::Category(category) => drop(of.categories.insert(category.clone(), rule.clone())),
                Scope::All => of.all = Some(rule.clone()),
            }
        }
        book
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Channels with rules.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelCode> {
        self.channels.keys()
    }

    /// The rule that applies to a SKU of a category: the most specific one.
    pub fn rule(&self, channel: &ChannelCode, sku: &SkuCode, category: &str) -> Option<&Arc<Rule>> {
        let of = self.channels.get(channel)?;
        of.skus.get(sku).or_else(|| of.categories.get(category)).or(of.all.as_ref())
    }

    /// The rule of a channel for all that a scope speaks of, but for what closer rules say; `category` is that of a SKU.
    pub fn of_scope(&self, channel: &ChannelCode, scope: &Scope, category: &str) -> Option<&Arc<Rule>> {
        let of = self.channels.get(channel)?;
        match scope {
            Scope::Sku(sku) => self.rule(channel, sku, category),
            Scope::Category(category) => of.categories.get(category).or(of.all.as_ref()),
            Scope::All => of.all.as_ref(),
        }
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let all = self.channels.values();
        all.flat_map(|of| of.skus.values().chain(of.categories.values()).chain(of.all.as_ref())).map(AsRef::as_ref)
    }

    /// What is kept for other channels of a SKU.
    pub fn fences(
        &self,
        channel: Option<&ChannelCode>,
        sku: &SkuCode,
        category: &str,
    ) -> impl Iterator<Item = &Arc<Rule>> {
        let others = self.exclusive.iter().filter(move |other| Some(*other) != channel);
        others.filter_map(move |other| self.rule(other, sku, category)).filter(|rule| rule.is_exclusive())
    }
}

/// Units that are kept for another channel.
#[derive(Clone, Copy, Debug)]
pub struct Fence<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What is left of it.
    pub left: i64,
}

/// What the pool can promise of a SKU, before any sharing.
#[derive(Clone, Copy)]
pub struct Supply<'a> {
    /// Over every location.
    pub total: i64,
    /// Over the locations, by which of these rules let their channels sell from there.
    pub spread: &'a dyn Fn(&[&Rule]) -> Spread,
}

/// Units by the set of rules that let their channels sell from where they lie. Locations are gone through once, and every set
/// of rules is answered from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread(Vec<i64>);

impl Spread {
    /// Goes through places with their units.
    pub fn new<L>(
        rules: &[&Rule],
        places: impl Iterator<Item = (L, i64)>,
        reaches: impl Fn(&Rule, &L) -> bool,
    ) -> Self {
        let mut units = vec![0_i64; 1 << rules.len()];
        for (place, there) in places {
            let reached = rules.iter().enumerate().filter(|(_, rule)| reaches(rule, &place));
            let set = reached.fold(0, |set, (at, _)| set | 1 << at);
            if let Some(sum) = units.get_mut(set) {
                *sum = sum.saturating_add(there);
            }
        }
        Self(units)
    }

    /// Units where at least one of these rules does: a bit for each.
    fn of_any(&self, rules: usize) -> i64 {
        let reached = self.0.iter().enumerate().filter(|(set, _)| set & rules != 0);
        reached.map(|(_, units)| *units).fold(0, i64::saturating_add)
    }
}

/// What a channel may sell of a SKU, and what it may not: the first number is the sum of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What can be promised from where the channel may sell.
    pub in_reach: i64,
    /// Kept for other channels.
    pub fenced: i64,
    /// Beyond its percentage, quota or ring-fence, or all of it where it is excluded.
    pub beyond: i64,
    /// Its buffer.
    pub buffer: i64,
    /// What it may sell.
    pub available: i64,
}

/// What a rule, of which `used` units are used, leaves a channel.
pub fn share(rule: Option<&Rule>, used: i64, fences: &[Fence<'_>], supply: Supply<'_>) -> Share {
    let bound = rule.filter(|rule| rule.locations.is_some());
    let in_reach = bound.map_or(supply.total, |rule| (supply.spread)(&[rule]).of_any(1)).max(0);
    let mode = rule.map_or(Mode::Shared, |rule| rule.mode);
    // A ring-fence is the channel's own; what others have does not lessen it.
    let open = match mode {
        Mode::Exclusive(_) | Mode::Excluded => in_reach,
        Mode::Shared | Mode::Percentage(_) | Mode::Quota(_) => unfenced(rule, in_reach, fences, supply),
    };
    let left = rule.map_or(0, |rule| rule.left(used));
    let may = match mode {
        Mode::Shared => open,
        // Whole units, and never more than the percentage.
        Mode::Percentage(percent) => percentage(open, percent),
        Mode::Quota(_) | Mode::Exclusive(_) => open.min(left),
        Mode::Excluded => 0,
    };
    let buffer = rule.map_or(0, |rule| rule.buffer).min(may);
    Share {
        in_reach,
        fenced: in_reach.saturating_sub(open),
        beyond: open.saturating_sub(may),
        buffer,
        available: may.saturating_sub(buffer),
    }
}

fn percentage(units: i64, percent: i64) -> i64 {
    i64::try_from(i128::from(units).saturating_mul(i128::from(percent)).div_euclid(100)).unwrap_or(i64::MAX)
}

/// The most a channel can take so that every fence can still be filled from the locations it may use: over every set of
/// fences, what lies in the channel's reach and theirs less what they keep (the cut condition of a transport problem).
fn unfenced(rule: Option<&Rule>, in_reach: i64, fences: &[Fence<'_>], supply: Supply<'_>) -> i64 {
    let all: i64 = sum(fences.iter());
    let (bound, whole): (Vec<&Fence<'_>>, Vec<&Fence<'_>>) =
        fences.iter().filter(|fence| fence.left > 0).partition(|fence| fence.rule.locations.is_some());
    let everywhere = rule.is_none_or(|rule| rule.locations.is_none());
    let mut open = in_reach;
    if everywhere || !whole.is_empty() {
        open = open.min(supply.total.saturating_sub(all));
    }
    let (weighed, rest) = bound.split_at(bound.len().min(MAX_WEIGHED));
    if !everywhere {
        // The channel's own rule is the last one.
        let rules: Vec<&Rule> = weighed.iter().map(|fence| fence.rule).chain(rule).collect();
        let (spread, own) = ((supply.spread)(&rules), 1 << weighed.len());
        for set in 1..own {
            open = open.min(spread.of_any(set | own).saturating_sub(sum(members(weighed, set))));
        }
        open = open.saturating_sub(sum(rest.iter().copied()));
    }
    open.max(0)
}

fn sum<'f, 'a: 'f>(fences: impl Iterator<Item = &'f Fence<'a>>) -> i64 {
    fences.map(|fence| fence.left).fold(0, i64::saturating_add)
}

/// The fences of a set: a bit for each.
fn members<'s, 'f, 'a>(
    fences: &'s [&'f Fence<'a>],
    set: usize,
) -> impl Iterator<Item = &'f Fence<'a>> + use<'s, 'f, 'a> {
    fences.iter().enumerate().filter(move |(at, _)| set & 1 << at != 0).map(|(_, fence)| *fence)
}

/// Of the fences with locations of their own, those that would no longer be filled if units were taken where `taken` says:
/// what is taken there leaves them too little, alone or together.
pub fn broken<'f, 'a>(
    fences: &'f [Fence<'a>],
    supply: Supply<'_>,
    taken: impl Fn(&[&Rule]) -> Spread,
) -> Vec<&'f Fence<'a>> {
    let bound: Vec<&Fence<'_>> =
        fences.iter().filter(|fence| fence.left > 0 && fence.rule.locations.is_some()).collect();
    let (weighed, rest) = bound.split_at(bound.len().min(MAX_WEIGHED));
    let mut broken: Vec<&Fence<'_>> = Vec::new();
    if !weighed.is_empty() {
        let rules: Vec<&Rule> = weighed.iter().map(|fence| fence.rule).collect();
        let (there, gone) = ((supply.spread)(&rules), taken(&rules));
        for set in 1..1 << weighed.len() {
            let gone = gone.of_any(set);
            if gone > 0 && there.of_any(set).saturating_sub(gone) < sum(members(weighed, set)) {
                broken.extend(members(weighed, set));
            }
        }
    }
    broken.extend(rest.iter().copied().filter(|fence| taken(&[fence.rule]).of_any(1) > 0));
    broken.sort_by(|a, b| a.rule.id.cmp(&b.rule.id));
    broken.dedup_by(|a, b| a.rule.id == b.rule.id);
    broken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(channel: &str, mode: Mode, locations: Option<&[&str]>) -> Rule {
        Rule {
            id: channel.parse().unwrap(),
            channel: channel.parse().unwrap(),
            scope: Scope::All,
            mode,
            buffer: 0,
            locations: locations.map(|codes| codes.iter().map(|code| code.parse().unwrap()).collect()),
            count_id: 1,
            version: 1,
        }
    }

    fn units(stock: &[(&str, i64)], rules: &[&Rule]) -> i64 {
        let reached = |code: &str| {
            rules.iter().any(|rule| rule.locations.as_ref().is_none_or(|all| all.iter().any(|it| it.as_str() == code)))
        };
        stock.iter().filter(|(code, _)| reached(code)).map(|(_, units)| units).sum()
    }

    fn spread(stock: &[(&str, i64)], rules: &[&Rule]) -> Spread {
        Spread::new(rules, stock.iter().copied(), |rule, code| units(&[(*code, 1)], &[rule]) == 1)
    }

    fn shared(rule: Option<&Rule>, used: i64, fences: &[Fence<'_>], stock: &[(&str, i64)]) -> Share {
        let total = stock.iter().map(|(_, units)| units).sum();
        share(rule, used, fences, Supply { total, spread: &|rules| spread(stock, rules) })
    }

    #[test]
    fn each_mode_leaves_what_it_says() {
        let stock = [("W", 70), ("S", 30)];
        let may = |rule: &Rule, used| shared(Some(rule), used, &[], &stock).available;
        assert_eq!(shared(None, 0, &[], &stock).available, 100);
        assert_eq!(may(&rule("c", Mode::Shared, None), 0), 100);
        assert_eq!(may(&rule("c", Mode::Percentage(33), None), 0), 33);
        assert_eq!(may(&rule("c", Mode::Percentage(33), Some(&["S"])), 0), 9);
        assert_eq!(may(&rule("c", Mode::Quota(40), None), 15), 25);
        assert_eq!(may(&rule("c", Mode::Quota(40), None), 50), 0);
        assert_eq!(may(&rule("c", Mode::Quota(400), Some(&["S"])), 0), 30);
        assert_eq!(may(&rule("c", Mode::Exclusive(20), None), 5), 15);
        assert_eq!(may(&rule("c", Mode::Excluded, None), 0), 0);
        let buffered = Rule { buffer: 12, ..rule("c", Mode::Percentage(50), None) };
        let share = shared(Some(&buffered), 0, &[], &stock);
        assert_eq!(share, Share { in_reach: 100, fenced: 0, beyond: 50, buffer: 12, available: 38 });
    }

    #[test]
    fn what_others_have_exclusively_is_kept_back() {
        let stock = [("W", 70), ("S", 30)];
        let other = rule("o", Mode::Exclusive(25), None);
        let fence = [Fence { rule: &other, left: 25 }];
        assert_eq!(shared(None, 0, &fence, &stock).available, 75);
        // Whoever sells from S alone takes nothing from the fence while the rest covers it.
        let shop = rule("c", Mode::Shared, Some(&["S"]));
        assert_eq!(shared(Some(&shop), 0, &fence, &stock).available, 30);
        let near = rule("o", Mode::Exclusive(25), Some(&["S"]));
        let fence = [Fence { rule: &near, left: 25 }];
        assert_eq!(shared(None, 0, &fence, &stock).available, 75);
        assert_eq!(shared(Some(&shop), 0, &fence, &stock).available, 5);
        // More is kept than there is: nobody else gets any, the channel itself all there is.
        let greedy = rule("o", Mode::Exclusive(500), None);
        assert_eq!(shared(None, 0, &[Fence { rule: &greedy, left: 500 }], &stock).available, 0);
        assert_eq!(shared(Some(&greedy), 0, &[], &stock).available, 100);
    }

    #[test]
    fn the_most_specific_rule_applies() {
        let of = |scope| Rule { scope, ..rule("c", Mode::Shared, None) };
        let (sku, other): (SkuCode, SkuCode) = ("A".parse().unwrap(), "B".parse().unwrap());
        let channel = "c".parse().unwrap();
        let book = Rulebook::new([of(Scope::All), of(Scope::Category("tops".to_owned())), of(Scope::Sku(sku.clone()))]);
        let scope = |sku: &SkuCode, category: &str| book.rule(&channel, sku, category).unwrap().scope.clone();
        assert_eq!(scope(&sku, "tops"), Scope::Sku(sku.clone()));
        assert_eq!(scope(&other, "tops"), Scope::Category("tops".to_owned()));
        assert_eq!(scope(&other, ""), Scope::All);
        assert!(book.rule(&"d".parse().unwrap(), &sku, "tops").is_none());
    }

    /// Whether every fence can be filled from where it may be: every way to take its units is tried.
    fn can_be_filled(stock: &[(&str, i64)], fences: &[Fence<'_>]) -> bool {
        let Some((first, others)) = fences.split_first() else { return true };
        ways(first.left, stock.iter().map(|(_, units)| *units).collect()).into_iter().any(|taken| {
            let reached = stock
                .iter()
                .zip(&taken)
                .all(|((code, _), units)| *units == 0 || self::units(&[(*code, 1)], &[first.rule]) == 1);
            let left: Vec<(&str, i64)> =
                stock.iter().zip(&taken).map(|((code, has), units)| (*code, has - units)).collect();
            reached && can_be_filled(&left, others)
        })
    }

    /// Every way to take so many units out of heaps of these sizes.
    fn ways(units: i64, heaps: Vec<i64>) -> Vec<Vec<i64>> {
        let Some((first, others)) = heaps.split_first() else {
            return if units == 0 { vec![Vec::new()] } else { Vec::new() };
        };
        let with = |taken: i64| {
            let rest = ways(units - taken, others.to_vec());
            rest.into_iter().map(move |rest| std::iter::once(taken).chain(rest).collect())
        };
        (0..=units.min(*first)).flat_map(with).collect()
    }

    const PLACES: [&str; 3] = ["X", "Y", "Z"];

    fn subset(mask: u8) -> Option<BTreeSet<LocationCode>> {
        let codes = PLACES.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
        (mask < 7).then(|| codes.map(|(_, code)| code.parse().unwrap()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// A channel may have exactly so much that every fence can still be filled, wherever it is taken from best.
        #[test]
        fn a_channel_gets_all_that_leaves_every_fence_filled(
            stock in prop::array::uniform3(0i64..6),
            fences in prop::collection::vec((1u8..8, 1i64..5), 0..4),
            reach in 1u8..8,
        ) {
            let stock: Vec<(&str, i64)> = PLACES.iter().copied().zip(stock).collect();
            let rules: Vec<Rule> = fences.iter().enumerate().map(|(n, (mask, units))| {
                Rule { locations: subset(*mask), ..rule(&format!("o{n}"), Mode::Exclusive(*units), None) }
            }).collect();
            let fences: Vec<Fence<'_>> =
                rules.iter().zip(&fences).map(|(rule, (_, left))| Fence { rule, left: *left }).collect();
            let own = Rule { locations: subset(reach), ..rule("c", Mode::Shared, None) };
            prop_assume!(can_be_filled(&stock, &fences));
            let may = shared(Some(&own), 0, &fences, &stock).available;
            // Every way to take units in the channel's reach.
            let mut most = 0;
            for x in 0..=stock[0].1 { for y in 0..=stock[1].1 { for z in 0..=stock[2].1 {
                let taken = [x, y, z];
                let reached = taken.iter().zip(PLACES).all(|(units, code)| *units == 0 || super::tests::units(&[(code, 1)], &[&own]) == 1);
                let left: Vec<(&str, i64)> = stock.iter().zip(taken).map(|((code, has), units)| (*code, has - units)).collect();
                let filled = can_be_filled(&left, &fences);
                if reached {
                    let total = stock.iter().map(|(_, units)| units).sum();
                    let supply = Supply { total, spread: &|rules| spread(&stock, rules) };
                    let at: Vec<(&str, i64)> = PLACES.iter().copied().zip(taken).collect();
                    let broken = broken(&fences, supply, |rules| spread(&at, rules));
                    if x + y + z <= may {
                        prop_assert_eq!(broken.is_empty(), filled, "{:?}", taken);
                    }
                    if filled { most = most.max(x + y + z); }
                }
            } } }
            prop_assert_eq!(may, most);
        }
    }
}
