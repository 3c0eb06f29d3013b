//! Judges new orders by the rules in force, in the transaction that takes them in. Without rules this costs one look at
//! which version is in force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::store::{Error, Tx};
use kernel::Money;
use kernel::id::HoldId;
use uuid::Uuid;

use super::place_orders::{Document, Place};
use crate::domain::hold_rule::{Facts, HoldRule, HoldRules, LineFacts};
use crate::store::hold_rulesets;
use crate::store::holds::HoldRow;

/// Who places a hold where a rule does.
const ORDER: &str = "order";

/// A version of the rules, ready to judge by.
#[derive(Debug)]
struct Version {
    number: i32,
    rules: HoldRules,
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
                let version = Arc::new(Version { number, rules: stored.rules()?.folded() });
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
    for place in new {
        let document: Document = serde_json::from_str(&place.order.document)?;
        let hits = version.rules.judge(&facts(place, &document)?);
        if !hits.is_empty() {
            let holds = hits.into_iter().map(|rule| hold(tx, place, rule, version.number));
            held.insert(place.order.order_id, holds.collect());
        }
    }
    Ok(held)
}

fn facts<'a>(place: &'a Place, document: &'a Document) -> Result<Facts<'a>, Error> {
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
