//! The waterfall: every term from what is on hand to what a channel may sell, from the balances themselves and not from
//! what is kept, so that the one can be held against the other.

use std::collections::{BTreeSet, HashMap};

use kernel::{ChannelCode, Code, LocationCode, SkuCode};
use serde::Serialize;
use store::{Error, Tx};
use utoipa::ToSchema;

use super::availability::{self, Kept, Rules};
use crate::domain::share::{Mode, Rule};
use crate::store::stock::{self, Balance, Filter};
use crate::store::{catalog, code, shares};

/// How a channel's availability comes about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waterfall {
    /// The SKU.
    pub sku: SkuCode,
    /// The channel.
    pub channel: ChannelCode,
    /// The sharing rule that applies, if there is one.
    pub rule: Option<Code>,
    /// The terms; they add up to `available`.
    pub terms: Vec<Term>,
    /// What the channel may sell.
    pub available: i64,
    /// The version that `GET /v1/availability` tells this state by.
    pub version: i64,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Term {
    /// Its name.
    pub term: TermName,
    /// Units: what is taken away is below 0.
    pub units: i64,
    /// For `exclusive_to_others`: the rules that keep something back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Code>,
}

/// What a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TermName {
    /// Units there, over all locations.
    OnHand,
    /// Of these, at locations that take no part.
    Inactive,
    /// At locations from which the channel may not sell.
    OutOfReach,
    /// Promised to orders and holds.
    Reserved,
    /// Kept apart.
    Quarantined,
    /// Sold by tills and still on the books.
    Owed,
    /// Safety stock.
    Safety,
    /// Safety stock, or units owed, that are not there; it takes nothing away elsewhere.
    Uncovered,
    /// Kept for other channels alone.
    ExclusiveToOthers,
    /// Beyond the channel's percentage.
    BeyondPercentage,
    /// Beyond what is left of its quota.
    BeyondQuota,
    /// Beyond what is left of what is kept for it.
    BeyondExclusive,
    /// Everything: the channel is excluded.
    Excluded,
    /// The channel's buffer.
    Buffer,
}

/// The waterfall of a channel and a SKU; none when the SKU is not known.
pub fn waterfall(tx: &mut Tx<'_>, channel: &ChannelCode, sku: &SkuCode) -> Result<Option<Waterfall>, Error> {
    if !catalog::knows(tx, sku.as_str())? {
        return Ok(None);
    }
    let rules = Rules::read(tx)?;
    let mut kept = availability::read(tx, &rules, std::slice::from_ref(sku))?.remove(sku).unwrap_or_default();
    let stock = Stock::read(tx, sku)?;
    // What holds keep that have run out but are not swept yet is free already.
    for (count, units) in shares::lapsed(tx, sku.as_str())? {
        let used = kept.used.entry(count).or_default();
        *used = used.saturating_sub(units);
    }
    stock.correct(&rules, &mut kept)?;
    let share = kept.share(&rules, Some(channel), sku);
    let rule = kept.rule(&rules, Some(channel), sku);
    let mut terms = stock.terms(rule);
    let mut term = |term, units: i64, rules| {
        if units != 0 {
            terms.push(Term { term, units: units.saturating_neg(), rules });
        }
    };
    let fences = kept.fences(&rules, Some(channel), sku);
    let keeping = fences.iter().filter(|fence| fence.left > 0).map(|fence| fence.rule.id.clone()).collect();
    term(TermName::ExclusiveToOthers, share.fenced, keeping);
    term(beyond(rule), share.beyond, Vec::new());
    term(TermName::Buffer, share.buffer, Vec::new());
    Ok(Some(Waterfall {
        sku: sku.clone(),
        channel: channel.clone(),
        rule: rule.map(|rule| rule.id.clone()),
        terms,
        available: share.available,
        version: kept.version(&rules),
    }))
}

fn beyond(rule: Option<&Rule>) -> TermName {
    match rule.map_or(Mode::Shared, |rule| rule.mode) {
        Mode::Shared | Mode::Percentage(_) => TermName::BeyondPercentage,
        Mode::Quota(_) => TermName::BeyondQuota,
        Mode::Exclusive(_) => TermName::BeyondExclusive,
        Mode::Excluded => TermName::Excluded,
    }
}

/// Every balance of a SKU, without holds that have run out, and the locations that take no part.
struct Stock {
    balances: Vec<Balance>,
    inactive: BTreeSet<String>,
}

impl Stock {
    fn read(tx: &mut Tx<'_>, sku: &SkuCode) -> Result<Self, Error> {
        let filter = Filter { sku: Some(sku.to_string()), limit: i64::MAX, ..Filter::default() };
        Ok(Self { balances: stock::list(tx, &filter)?, inactive: stock::inactive(tx, sku.as_str())? })
    }

    fn selling(&self) -> impl Iterator<Item = &Balance> {
        self.balances.iter().filter(|it| !self.inactive.contains(&it.location))
    }

    /// Puts what the balances say in the place of what is kept.
    fn correct(&self, rules: &Rules, kept: &mut Kept) -> Result<(), Error> {
        kept.total = self.selling().map(Balance::available).fold(0, i64::saturating_add);
        kept.places = HashMap::new();
        for it in self.selling() {
            let location: LocationCode = code(&it.location)?;
            if rules.binds(&location) {
                kept.places.insert(location, it.available());
            }
        }
        Ok(())
    }

    fn terms(&self, rule: Option<&Rule>) -> Vec<Term> {
        let reached = |it: &&Balance| {
            let all = rule.and_then(|rule| rule.locations.as_ref());
            all.is_none_or(|all| all.contains(it.location.as_str()))
        };
        let sum = |units: &mut dyn Iterator<Item = i64>| units.fold(0, i64::saturating_add);
        let within: Vec<&Balance> = self.selling().filter(reached).collect();
        let on_hand = sum(&mut self.balances.iter().map(|it| it.on_hand));
        let selling = sum(&mut self.selling().map(|it| it.on_hand));
        let there = sum(&mut within.iter().map(|it| it.on_hand));
        let uncovered = |it: &&Balance| it.available().saturating_sub(it.free().saturating_sub(it.safety));
        let all = [
            (TermName::OnHand, on_hand),
            (TermName::Inactive, selling.saturating_sub(on_hand)),
            (TermName::OutOfReach, there.saturating_sub(selling)),
            (TermName::Reserved, sum(&mut within.iter().map(|it| it.reserved)).saturating_neg()),
            (TermName::Quarantined, sum(&mut within.iter().map(|it| it.quarantined)).saturating_neg()),
            (TermName::Owed, sum(&mut within.iter().map(|it| it.owed)).saturating_neg()),
            (TermName::Safety, sum(&mut within.iter().map(|it| it.safety)).saturating_neg()),
            (TermName::Uncovered, sum(&mut within.iter().map(uncovered))),
        ];
        let named = |(term, units)| Term { term, units, rules: Vec::new() };
        all.into_iter().filter(|(term, units)| *units != 0 || *term == TermName::OnHand).map(named).collect()
    }
}
