//! Tells channels what they may sell: of all that changed since the last telling the newest state once, where it differs
//! enough from what was told before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::Cause;
use contracts::events::{AvailabilityChanged, AvailabilityLevel};
use kernel::{ChannelCode, SkuCode};
use store::{Error, Tx, outbox};

use super::availability::{self, Kept, Rules};
use crate::store::telling::{self, Told};
use crate::store::{changes, code};

/// The job's mark in the change log.
const JOB: &str = "tell_availability";
/// Logged transactions looked at in one step: a few thousand SKUs at most under load.
const MAX_LOOKED_AT: i64 = 200;
/// SKUs told again in one step after rules changed: some tens of milliseconds.
const MAX_AGAIN: i64 = 500;

/// What is worth telling.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Up to so many units every change is told.
    pub exact_up_to: i64,
    /// Above, what was told last may be off by so many percent.
    pub percent: i64,
}

impl Thresholds {
    /// Whether a channel that was told `told` is to hear of `now`.
    pub fn is_worth_telling(self, told: i64, now: i64) -> bool {
        let off = told.abs_diff(now);
        let tolerated = told.max(0).unsigned_abs().saturating_mul(self.percent.unsigned_abs()).div_euclid(100);
        off > 0 && (told.min(now) <= self.exact_up_to || off > tolerated)
    }
}

/// Tells of the next stretch of changes; says whether there may be more.
pub fn tell_availability(tx: &mut Tx<'_>, thresholds: Thresholds) -> Result<bool, Error> {
    let upto = changes::progress(tx, JOB)?;
    let log = changes::totals(tx, upto.saturating_add(1), MAX_LOOKED_AT)?;
    let more = i64::try_from(log.len()).is_ok_and(|rows| rows >= MAX_LOOKED_AT);
    if let Some(newest) = log.last().map(|change| change.seq) {
        let skus: BTreeSet<String> = log.into_iter().flat_map(changed_skus).collect();
        tell(tx, &skus, thresholds)?;
        changes::advance(tx, JOB, newest)?;
    }
    Ok(tell_again(tx, thresholds)? || more)
}

fn changed_skus(change: changes::Totals) -> impl Iterator<Item = String> {
    change.totalled.into_iter().chain(change.used_skus).chain(change.catalog).chain(change.skus)
}

/// Goes on telling every SKU again since rules changed; says whether there are more.
fn tell_again(tx: &mut Tx<'_>, thresholds: Thresholds) -> Result<bool, Error> {
    let Some(after) = telling::again_after(tx)? else { return Ok(false) };
    let skus = telling::stocked_after(tx, &after, MAX_AGAIN)?;
    let last = skus.last().cloned().filter(|_| i64::try_from(skus.len()).is_ok_and(|found| found >= MAX_AGAIN));
    tell(tx, &skus.into_iter().collect(), thresholds)?;
    telling::note_again(tx, last.as_deref())?;
    Ok(last.is_some())
}

fn tell(tx: &mut Tx<'_>, skus: &BTreeSet<String>, thresholds: Thresholds) -> Result<(), Error> {
    if skus.is_empty() {
        return Ok(());
    }
    let rules = Rules::read(tx)?;
    let codes: Vec<SkuCode> = skus.iter().map(|sku| code(sku)).collect::<Result<_, _>>()?;
    codes.chunks(rules.skus_at_once()).try_for_each(|codes| tell_of(tx, &rules, codes, thresholds))
}

fn tell_of(tx: &mut Tx<'_>, rules: &Rules, codes: &[SkuCode], thresholds: Thresholds) -> Result<(), Error> {
    let kept = availability::read(tx, rules, codes)?;
    let mut told: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
    for it in telling::told(tx, codes)? {
        told.entry(it.sku).or_default().insert(it.channel, it.available);
    }
    let (mut fresh, mut gone) = (Vec::new(), Vec::new());
    for sku in codes {
        let Some(kept) = kept.get(sku) else { continue };
        let before = told.remove(sku.as_str()).unwrap_or_default();
        let mut levels = worth_telling(rules, (sku, kept), &before, thresholds);
        fresh.extend(levels.iter().map(|level| Told {
            sku: sku.to_string(),
            channel: level.channel.as_ref().map(ToString::to_string).unwrap_or_default(),
            available: level.available,
            version: level.version,
        }));
        // A channel that no rule binds any more hears once what it shares in now.
        for name in before.into_keys().filter(|name| !name.is_empty()) {
            let channel: ChannelCode = code(&name)?;
            if kept.rule(rules, Some(&channel), sku).is_none() {
                levels.push(level(rules, (sku, kept), Some(channel)));
                gone.push((sku.to_string(), name));
            }
        }
        if !levels.is_empty() {
            outbox::append(tx, &AvailabilityChanged { sku: sku.clone(), levels }, &Cause::default())?;
        }
    }
    telling::forget(tx, &gone)?;
    telling::put(tx, &fresh)
}

fn level(rules: &Rules, (sku, kept): (&SkuCode, &Kept), channel: Option<ChannelCode>) -> AvailabilityLevel {
    let available = kept.share(rules, channel.as_ref(), sku).available;
    AvailabilityLevel { channel, available, version: kept.version(rules) }
}

fn worth_telling(
    rules: &Rules,
    (sku, kept): (&SkuCode, &Kept),
    before: &BTreeMap<String, i64>,
    thresholds: Thresholds,
) -> Vec<AvailabilityLevel> {
    let channels = rules.channels(sku, &kept.category).into_iter();
    let levels = channels.map(|channel| level(rules, (sku, kept), channel));
    let is_worth = |level: &AvailabilityLevel| {
        let name = level.channel.as_ref().map_or("", |channel| channel.as_str());
        // That there is nothing of what never had stock is no news.
        let news = kept.version > 0 || level.available > 0;
        before.get(name).map_or(news, |before| thresholds.is_worth_telling(*before, level.available))
    };
    levels.filter(is_worth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_told_exactly_and_large_ones_when_they_move() {
        let thresholds = Thresholds { exact_up_to: 20, percent: 5 };
        let told = |before, now| thresholds.is_worth_telling(before, now);
        assert!(!told(7, 7));
        assert!(told(7, 6) && told(20, 21) && told(1_000, 20));
        assert!(!told(1_000, 950) && !told(1_000, 1_050));
        assert!(told(1_000, 949) && told(1_000, 1_051) && told(1_000, 0) && told(0, 1_000));
    }
}
