//! What channels may sell, from terms that are kept with every change and never summed when asked for: a SKU's total, its
//! balances where rules bind channels to locations, and what was used of quotas and ring-fences.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::{ChannelCode, LocationCode, SkuCode};
use store::{Error, Tx};

use crate::domain::share::{Fence, Rule, Rulebook, Share, Spread, Supply, share};
use crate::store::{code, locations, shares, stock};

/// Balances at locations that rules name, of all SKUs that are read at once.
const MAX_PLACES: usize = 200_000;

/// The rules in force.
#[derive(Debug, Default)]
pub struct Rules {
    book: Rulebook,
    /// How often rules changed.
    version: i64,
    /// Locations that take part and that a rule binds a channel to.
    bound: BTreeSet<LocationCode>,
}

impl Rules {
    /// The rules as they are.
    pub fn read(tx: &mut Tx<'_>) -> Result<Self, Error> {
        let rules = shares::all(tx)?;
        let named: BTreeSet<&LocationCode> =
            rules.iter().filter_map(|rule| rule.locations.as_ref()).flatten().collect();
        let mut bound = BTreeSet::new();
        if !named.is_empty() {
            let named: Vec<&str> = named.into_iter().map(|code| code.as_str()).collect();
            let known = locations::of_codes(tx, &named)?;
            bound.extend(known.into_iter().filter(|(it, _)| it.site().sells()).map(|(it, _)| it.code));
        }
        Ok(Self { version: shares::changes_so_far(tx)?, book: Rulebook::new(rules), bound })
    }

    /// How many SKUs are read at once, so that a rule that names thousands of locations does not fill the memory.
    pub fn skus_at_once(&self) -> usize {
        MAX_PLACES.checked_div(self.bound.len()).unwrap_or(MAX_PLACES).max(1)
    }

    /// Whether a rule binds a channel to any location.
    pub fn binds_any(&self) -> bool {
        !self.bound.is_empty()
    }

    /// Whether a rule binds a channel to this location.
    pub fn binds(&self, location: &LocationCode) -> bool {
        self.bound.contains(location)
    }

    /// Channels whose availability of a SKU differs from the others', and what all others go by.
    pub fn channels(&self, sku: &SkuCode, category: &str) -> Vec<Option<ChannelCode>> {
        let own: BTreeSet<&ChannelCode> =
            self.book.channels().filter(|channel| self.book.rule(channel, sku, category).is_some()).collect();
        std::iter::once(None).chain(own.into_iter().cloned().map(Some)).collect()
    }
}

/// What is kept of a SKU.
#[derive(Debug, Default)]
pub struct Kept {
    /// What all locations can promise.
    pub total: i64,
    /// Grows with every change of the total or of a use.
    pub version: i64,
    /// The SKU's category.
    pub category: String,
    /// Units used by count.
    pub used: HashMap<i64, i64>,
    /// What locations can promise that rules bind channels to; below 0 where the safety stock is not covered.
    pub places: HashMap<LocationCode, i64>,
    /// What was worked out of it.
    memo: Memo,
}

/// What channels may sell, as it was worked out since anything of it changed: where rules name locations, that goes through
/// all of them.
#[derive(Debug, Default)]
struct Memo(Mutex<HashMap<ChannelCode, i64>>);

impl Memo {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelCode, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// What a channel may sell; none stands for every channel without a rule of its own.
    pub fn share(&self, rules: &Rules, channel: Option<&ChannelCode>, sku: &SkuCode) -> Share {
        let rule = self.rule(rules, channel, sku);
        let spread = |rules: &[&Rule]| {
            let there = self.places.iter().map(|(location, units)| (location, (*units).max(0)));
            Spread::new(rules, there, |rule, location| {
                rule.locations.as_ref().is_none_or(|all| all.contains(*location))
            })
        };
        let used = rule.map_or(0, |rule| self.used(rule));
        share(rule, used, &self.fences(rules, channel, sku), Supply { total: self.total, spread: &spread })
    }

    /// How many units a channel may sell; worked out once after every change.
    pub fn available(&self, rules: &Rules, channel: &ChannelCode, sku: &SkuCode) -> i64 {
        if self.places.is_empty() {
            return self.share(rules, Some(channel), sku).available;
        }
        let known = self.memo.lock().get(channel).copied();
        known.unwrap_or_else(|| {
            let available = self.share(rules, Some(channel), sku).available;
            self.memo.lock().insert(channel.clone(), available);
            available
        })
    }

    /// Forgets what was worked out: something of it changes.
    pub fn changes(&mut self) -> &mut Self {
        self.memo.lock().clear();
        self
    }

    /// The rule that applies to a channel.
    pub fn rule<'r>(&self, rules: &'r Rules, channel: Option<&ChannelCode>, sku: &SkuCode) -> Option<&'r Rule> {
        rules.book.rule(channel?, sku, &self.category).map(AsRef::as_ref)
    }

    /// What is kept for other channels.
    pub fn fences<'r>(&self, rules: &'r Rules, channel: Option<&ChannelCode>, sku: &SkuCode) -> Vec<Fence<'r>> {
        let fences = rules.book.fences(channel, sku, &self.category);
        fences.map(|rule| Fence { left: rule.left(self.used(rule)), rule }).collect()
    }

    /// Units used under a rule.
    pub fn used(&self, rule: &Rule) -> i64 {
        self.used.get(&rule.count_id).copied().unwrap_or(0)
    }

    /// Grows with every change of what any channel may sell.
    pub const fn version(&self, rules: &Rules) -> i64 {
        self.version.saturating_add(rules.version)
    }
}

/// Reads what is kept of these SKUs; one that is not known has nothing.
pub fn read(tx: &mut Tx<'_>, rules: &Rules, skus: &[SkuCode]) -> Result<HashMap<SkuCode, Kept>, Error> {
    let names: Vec<&str> = skus.iter().map(SkuCode::as_str).collect();
    let mut kept: HashMap<SkuCode, Kept> = skus.iter().map(|sku| (sku.clone(), Kept::default())).collect();
    for it in stock::totals(tx, &names)? {
        if let Some(kept) = kept.get_mut(&code(&it.sku)?) {
            (kept.total, kept.version, kept.category) = (it.available, it.version, it.category);
        }
    }
    if !rules.book.is_empty() {
        for ((sku, count), used) in shares::used(tx, names.iter().copied())? {
            if let Some(kept) = kept.get_mut(&code(&sku)?) {
                kept.used.insert(count, used);
            }
        }
    }
    if !rules.bound.is_empty() {
        let bound: Vec<&str> = rules.bound.iter().map(|it| it.as_str()).collect();
        for names in names.chunks(rules.skus_at_once()) {
            for place in stock::at_locations(tx, names, &bound)? {
                if let Some(kept) = kept.get_mut(&code(&place.sku)?) {
                    kept.places.insert(code(&place.location)?, place.balance);
                }
            }
        }
    }
    Ok(kept)
}
