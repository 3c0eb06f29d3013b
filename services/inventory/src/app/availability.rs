//! What channels may sell, from terms that are kept with every change and never summed when asked for: a SKU's total, its
//! balances where rules bind channels to locations, and what was used of quotas and ring-fences.

use std::collections::{BTreeSet, HashMap};

use kernel::{ChannelCode, LocationCode, SkuCode};
use store::{Error, Tx};

use crate::domain::share::{Fence, Rule, Rulebook, Share, Supply, share};
use crate::store::{code, locations, shares, stock};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

impl Kept {
    /// What a channel may sell; none stands for every channel without a rule of its own.
    pub fn share(&self, rules: &Rules, channel: Option<&ChannelCode>, sku: &SkuCode) -> Share {
        let rule = self.rule(rules, channel, sku);
        let within = |rules: &[&Rule]| {
            let reached = |location: &LocationCode| {
                rules.iter().any(|rule| rule.locations.as_ref().is_none_or(|all| all.contains(location)))
            };
            let there = self.places.iter().filter(|(location, _)| reached(location));
            there.map(|(_, units)| (*units).max(0)).fold(0, i64::saturating_add)
        };
        let used = rule.map_or(0, |rule| self.used(rule));
        share(rule, used, &self.fences(rules, channel, sku), Supply { total: self.total, within: &within })
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
        for place in stock::at_locations(tx, &names, &bound)? {
            if let Some(kept) = kept.get_mut(&code(&place.sku)?) {
                kept.places.insert(code(&place.location)?, place.balance);
            }
        }
    }
    Ok(kept)
}
