//! Takes back what was earned on units that were cancelled or returned: exactly those units.

use std::collections::{BTreeMap, HashMap, HashSet};

use contracts::Cause;
use contracts::events::{RebateReversed, RefundLine};
use kernel::id::{OrderId, RebateLineId};
use kernel::{Money, Timestamp};
use store::{Tx, outbox};
use uuid::Uuid;

use super::FactError;
use super::books::{Posting, Step, post};
use crate::domain::reversal::Accrued;
use crate::store::facts::{ReturnFact, ReturnKey, insert_returns};
use crate::store::lines::{self, LineRow};
use crate::store::locks::lock_orders;

/// Units of an order that were given back.
#[derive(Clone, Debug)]
pub struct GiveBack {
    /// The order.
    pub order_id: OrderId,
    /// What gave them back: the refund, or the event that cancelled.
    pub source_id: Uuid,
    /// `cancel` or `refund`.
    pub kind: &'static str,
    /// When.
    pub occurred_at: Timestamp,
    /// Which units.
    pub lines: Vec<RefundLine>,
    /// What told of it.
    pub cause: Cause,
}

/// Reverses the accruals of units given back, with a constant number of statements: from accrued while the order is open,
/// from payable once it has completed. The same source gives back once.
pub fn reverse(tx: &mut Tx<'_>, given: &[GiveBack]) -> Result<(), FactError> {
    let order_ids: Vec<Uuid> = given.iter().map(|given| given.order_id.uuid()).collect();
    let locked: HashMap<Uuid, bool> =
        lock_orders(tx, &order_ids)?.into_iter().map(|order| (order.order_id, order.earned_at.is_some())).collect();
    if let Some(given) = given.iter().find(|given| !locked.contains_key(&given.order_id.uuid())) {
        return Err(FactError::Missing { what: "the attribution", order_id: given.order_id });
    }
    let facts: Vec<ReturnFact> = given.iter().flat_map(facts_of).collect();
    let fresh: HashSet<ReturnKey> = insert_returns(tx, &facts)?.into_iter().collect();
    let mut lines = lines::of_orders(tx, &order_ids)?;
    let mut touched: HashSet<Uuid> = HashSet::new();
    let mut postings = Vec::new();
    for given in given {
        let earned = locked.get(&given.order_id.uuid()).copied().unwrap_or_default();
        let taken = take_back(given, &fresh, &mut lines)?;
        touched.extend(taken.iter().map(|taken| taken.line_id.uuid()));
        tell(tx, given, &taken)?;
        postings.extend(posting_of(given, earned, &taken)?);
    }
    let changed: Vec<&LineRow> = lines.iter().filter(|line| touched.contains(&line.line_id)).collect();
    lines::update_back(tx, &changed)?;
    post(tx, &postings)
}

/// One fact per line, also where the same line is named twice.
fn facts_of(given: &GiveBack) -> Vec<ReturnFact> {
    let mut by_line: BTreeMap<i32, ReturnFact> = BTreeMap::new();
    for line in &given.lines {
        let fact = by_line.entry(line.line_no).or_insert_with(|| ReturnFact {
            order_id: given.order_id.uuid(),
            source_id: given.source_id,
            line_no: line.line_no,
            kind: given.kind.to_owned(),
            quantity: 0,
            amount: 0,
            occurred_at: given.occurred_at.utc(),
        });
        fact.quantity = fact.quantity.saturating_add(line.quantity.get());
        fact.amount = fact.amount.saturating_add(line.amount);
    }
    by_line.into_values().collect()
}

/// What was taken back of one rebate line.
struct Taken {
    line_id: RebateLineId,
    payee: String,
    amount: Money,
}

fn take_back(given: &GiveBack, fresh: &HashSet<ReturnKey>, lines: &mut [LineRow]) -> Result<Vec<Taken>, FactError> {
    let order_id = given.order_id.uuid();
    let facts = facts_of(given);
    let facts = facts.iter().filter(|fact| fresh.contains(&(order_id, given.source_id, fact.line_no)));
    let units: HashMap<i32, i64> = facts.map(|fact| (fact.line_no, fact.quantity)).collect();
    let mut taken = Vec::new();
    for line in lines.iter_mut().filter(|line| line.order_id == order_id && line.superseded_at.is_none()) {
        let Some(units) = units.get(&line.line_no).copied() else { continue };
        let mut accrued = Accrued {
            quantity: line.quantity,
            amount: line.amount,
            units_back: line.units_back,
            amount_back: line.amount_back,
        };
        let amount = accrued.give_back(units).map_err(|error| FactError::Refused {
            order_id: given.order_id,
            why: format!("line {}: {error}", line.line_no),
        })?;
        line.units_back = accrued.units_back;
        line.amount_back = accrued.amount_back;
        taken.push(Taken {
            line_id: RebateLineId(line.line_id),
            payee: line.payee.clone(),
            amount: Money::new(amount, super::stored_currency(&line.currency)?),
        });
    }
    Ok(taken)
}

fn tell(tx: &mut Tx<'_>, given: &GiveBack, taken: &[Taken]) -> Result<(), store::Error> {
    for taken in taken.iter().filter(|taken| taken.amount.amount != 0) {
        let reversed = RebateReversed {
            line_id: taken.line_id,
            order_id: given.order_id,
            payee: super::stored_code(&taken.payee)?,
            amount: taken.amount,
        };
        outbox::append(tx, &reversed, &given.cause)?;
    }
    Ok(())
}

fn posting_of(given: &GiveBack, earned: bool, taken: &[Taken]) -> Result<Option<Posting>, FactError> {
    let Some(first) = taken.first() else {
        return Ok(None);
    };
    let mut posting = Posting {
        order_id: given.order_id,
        step: if earned { Step::ReversePayable } else { Step::ReverseAccrued },
        source: given.source_id.to_string(),
        currency: first.amount.currency,
        occurred_at: given.occurred_at,
        amounts: BTreeMap::new(),
    };
    for taken in taken {
        posting.add(&taken.payee, taken.amount.amount)?;
    }
    Ok(Some(posting))
}
