//! Judges new orders by the rules in force, in the transaction that takes them in. Without rules this costs one look at
//! which version is in force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::store::{Error, Tx};
use chrono::{DateTime, TimeDelta, Utc};
use kernel::Money;
use kernel::id::HoldId;
use uuid::Uuid;

use super::place_orders::{Document, Place};
use crate::domain::buyer_facts::{BuyerFacts, Lookups, MAX_ORDERS};
use crate::domain::hold_rule::{Facts, HoldRule, HoldRules, LineFacts};
use crate::store::buyers::{self, Identified};
use crate::store::holds::HoldRow;
use crate::store::{hold_rulesets, locks};

/// Who places a hold where a rule does.
const ORDER: &str = "order";

/// A version of the rules, ready to judge by.
#[derive(Debug)]
struct Version {
    number: i32,
    rules: HoldRules,
    lookups: Lookups,
}

/// The rules that are in force, read again when another version is. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct InForce(Arc<Mutex<Option<Arc<Version>>>>);

impl InForce {
    /// The version that is in force as this transaction sees it; none if it holds nothing.
    fn read(&self, tx: &mut Tx<'_>) -> Result<Option<Arc<Version>>, Error> {
        let Some(number) = hold_rulesets::active(tx)? else { return Ok(None) };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let version = match known.filter(|version| version.number == number) {
            Some(version) => version,
            None => {
                let stored = hold_rulesets::get(tx, number)?.ok_or(Error::Broken("versions of rules stay"))?;
                let rules = stored.rules()?.folded();
                let version = Arc::new(Version { number, lookups: rules.lookups(), rules });
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&version));
                version
            }
        };
        Ok(Some(version).filter(|version| !version.rules.rules.is_empty()))
    }
}

/// The holds that rules place on new orders, by order.
pub fn judge_orders(tx: &mut Tx<'_>, new: &[&Place], in_force: &InForce) -> Result<HashMap<Uuid, Vec<HoldRow>>, Error> {
    let mut held = HashMap::new();
    if new.is_empty() {
        return Ok(held);
    }
    let Some(version) = in_force.read(tx)? else { return Ok(held) };
    let mut buyers = look_up(tx, new, &version.lookups)?;
    for place in new {
        let document: Document = serde_json::from_str(&place.order.document)?;
        let facts = facts(place, &document, buyers.remove(&place.order.order_id))?;
        let hits = version.rules.judge(&facts);
        if !hits.is_empty() {
            let holds = hits.into_iter().map(|rule| hold(tx, place, rule, version.number));
            held.insert(place.order.order_id, holds.collect());
        }
    }
    Ok(held)
}

/// What the book knows of the buyers of orders that are new, by order: what it knew before, and of what comes in with them the
/// orders that came first.
fn look_up(tx: &mut Tx<'_>, new: &[&Place], lookups: &Lookups) -> Result<HashMap<Uuid, BuyerFacts>, Error> {
    let mut buyers = HashMap::new();
    let mut all: Vec<Identified<'_>> = new.iter().flat_map(|place| place.identified()).collect();
    if lookups.is_empty() || all.is_empty() {
        return Ok(buyers);
    }
    all.sort_by_key(|it| (it.at, it.order_id));
    if lookups.counts() {
        locks::buyers(tx, all.iter().map(|it| it.digest))?;
    }
    let windows: Vec<(u32, i32)> =
        lookups.windows.iter().map(|seconds| (*seconds, i32::try_from(*seconds).unwrap_or(i32::MAX))).collect();
    let known = buyers::known(tx, &all, &windows.iter().map(|(_, seconds)| *seconds).collect::<Vec<_>>(), MAX_ORDERS)?;
    let mut seen: HashMap<&[u8], Vec<DateTime<Utc>>> = HashMap::new();
    for (it, known) in all.iter().zip(known) {
        let with = seen.entry(it.digest).or_default();
        let facts = buyers.entry(it.order_id).or_insert_with(|| BuyerFacts { is_first: true, ..BuyerFacts::default() });
        facts.is_blacklisted |= known.blacklisted;
        facts.is_first &= !known.ordered && with.is_empty();
        for ((seconds, _), before) in windows.iter().zip(known.orders) {
            let since = it.at.checked_sub_signed(TimeDelta::seconds((*seconds).into())).unwrap_or(it.at);
            let beside = i64::try_from(with.iter().filter(|at| **at > since).count()).unwrap_or(i64::MAX);
            let orders = before.saturating_add(beside).saturating_add(1);
            match facts.orders.iter_mut().find(|(other, _)| other == seconds) {
                Some((_, most)) => *most = orders.max(*most),
                None => facts.orders.push((*seconds, orders)),
            }
        }
        with.push(it.at);
    }
    Ok(buyers)
}

fn facts<'a>(place: &'a Place, document: &'a Document, buyer: Option<BuyerFacts>) -> Result<Facts<'a>, Error> {
    let line = |row: &'a crate::store::lines::LineRow| LineFacts {
        sku: &row.sku,
        category: row.category.as_deref(),
        quantity: row.quantity,
    };
    Ok(Facts {
        channel: &place.order.channel,
        total: Money::new(place.order.total_amount, place.order.currency()?),
        payment_methods: document.payments.iter().flatten().map(|payment| payment.method.as_str()).collect(),
        kind: document.fulfilment.kind,
        ship_to: document.fulfilment.ship_to.as_ref(),
        lines: place.lines.iter().map(line).collect(),
        buyer,
    })
}

fn hold(tx: &Tx<'_>, place: &Place, rule: &HoldRule, version: i32) -> HoldRow {
    HoldRow {
        hold_id: HoldId::at(tx.now()).uuid(),
        order_id: place.order.order_id,
        channel: place.order.channel.clone(),
        reason: rule.reason.to_string(),
        rule: Some(rule.name.to_string()),
        ruleset_version: Some(version),
        note: None,
        placed_at: tx.now().utc(),
        placed_by: ORDER.to_owned(),
        released_at: None,
        released_by: None,
        release_note: None,
    }
}
