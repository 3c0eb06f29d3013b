//! Decides orders anew that name another guide or store, or have more lines: what earned otherwise is withdrawn, and what
//! stands for it earns by the rules that were in force when the order was attributed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::Cause;
use contracts::events::{RebateAccrued, RebateReversed};
use kernel::id::{MemberId, OrderId, RebateLineId};
use kernel::{Money, Timestamp};
use serde::Deserialize;
use store::{Tx, outbox};
use uuid::Uuid;

use super::FactError;
use super::accrue::{decide, gather_claims, lines_of, number};
use super::books::{Posting, Step, post};
use crate::domain::attribution::Candidate;
use crate::domain::reversal::Accrued;
use crate::domain::sale::{Sale, SaleLine};
use crate::store::attributions::AttributionRow;
use crate::store::credits::CreditRow;
use crate::store::facts::ReturnFact;
use crate::store::lines::{self, LineRow};
use crate::store::locks::lock_orders;
use crate::store::{attributions, credits, facts, policies};

/// An order that changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// Its version since.
    pub version: i64,
    /// Whom it names now, if it names somebody else.
    pub named: Option<Named>,
    /// The lines that it got.
    pub added: Vec<SaleLine>,
    /// When it was changed; what moves is dated so.
    pub changed_at: Timestamp,
    /// What told of it.
    pub cause: Cause,
}

/// Whom an order names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The guide.
    pub guide: Option<String>,
    /// The store.
    pub store: Option<String>,
}

/// What a decision makes of an order.
struct Moved<'a> {
    change: &'a Change,
    /// If its accruals are payable, since when those may move.
    earned_at: Option<Timestamp>,
    /// Lines that keep nothing.
    old: Vec<LineRow>,
    /// Lines that stand for them.
    new: Vec<LineRow>,
}

/// Decides the orders anew, those that changed once with a constant number of statements. An order that is not attributed yet
/// waits until it is.
pub fn redecide(tx: &mut Tx<'_>, mut changes: Vec<Change>) -> Result<(), FactError> {
    let ids: Vec<Uuid> = changes.iter().map(|change| change.order_id.uuid()).collect();
    let locked: BTreeSet<Uuid> = lock_orders(tx, &ids)?.into_iter().map(|order| order.order_id).collect();
    if let Some(change) = changes.iter().find(|change| !locked.contains(&change.order_id.uuid())) {
        return Err(FactError::Missing { what: "the attribution", order_id: change.order_id });
    }
    // The versions of one order come one after the other.
    changes.sort_by_key(|change| change.version);
    while !changes.is_empty() {
        let mut round: BTreeMap<OrderId, Change> = BTreeMap::new();
        let mut later = Vec::new();
        for change in changes {
            match round.get(&change.order_id) {
                Some(_) => later.push(change),
                None => drop(round.insert(change.order_id, change)),
            }
        }
        once(tx, round)?;
        changes = later;
    }
    Ok(())
}

/// Decides each of the orders anew that has something new: lines that are not known, or names by a version newer than all
/// that named somebody.
fn once(tx: &mut Tx<'_>, mut changes: BTreeMap<OrderId, Change>) -> Result<(), FactError> {
    let ids: Vec<Uuid> = changes.keys().map(|order_id| order_id.uuid()).collect();
    let mut sales = facts::sales(tx, &ids)?;
    let mut named: HashMap<Uuid, CreditRow> = HashMap::new();
    for row in credits::of_orders(tx, &ids)?.into_iter().filter(|row| row.names) {
        named.insert(row.order_id, row);
    }
    let mut fresh: Vec<Sale> = Vec::new();
    changes.retain(|order_id, change| {
        let Some(sale) = sales.get_mut(order_id) else { return false };
        let last = named.get(&order_id.uuid());
        if last.is_some_and(|last| last.version >= change.version) {
            change.named = None;
        }
        change.added.retain(|line| sale.lines.iter().all(|known| known.line_no != line.line_no));
        // A fact says what the order named when it was placed, whenever its line came.
        fresh.push(Sale { lines: change.added.clone(), ..sale.clone() });
        if let Some(last) = last {
            (sale.guide, sale.store) = (last.guide.clone(), last.store.clone());
        }
        if let Some(Named { guide, store }) = change.named.clone() {
            (sale.guide, sale.store) = (guide, store);
        }
        sale.lines.extend(change.added.iter().cloned());
        sale.lines.sort_by_key(|line| line.line_no);
        change.named.is_some() || !change.added.is_empty()
    });
    if changes.is_empty() {
        return Ok(());
    }
    sales.retain(|order_id, _| changes.contains_key(order_id));
    facts::insert_sales(tx, &fresh)?;
    let candidates = credited(tx, &changes, &sales, &named)?;
    let moved = judge(tx, &changes, &sales, candidates)?;
    carry_out(tx, moved)
}

/// An order, how it was attributed first, and who is credited now.
type Credited = (OrderId, AttributionRow, Vec<Candidate>);

/// Who is credited: of an order that names somebody else, whoever it is now; of one that only got lines, who was before.
fn credited(
    tx: &mut Tx<'_>,
    changes: &BTreeMap<OrderId, Change>,
    sales: &BTreeMap<OrderId, Sale>,
    named: &HashMap<Uuid, CreditRow>,
) -> Result<Vec<Credited>, FactError> {
    let ids: Vec<Uuid> = changes.keys().map(|order_id| order_id.uuid()).collect();
    let attributed = attributions::of_orders(tx, &ids)?;
    let names = |order_id: &OrderId| changes.get(order_id).is_some_and(|change| change.named.is_some());
    let renamed: BTreeMap<OrderId, Sale> =
        sales.iter().filter(|(id, _)| names(id)).map(|(id, sale)| (*id, sale.clone())).collect();
    let members: BTreeMap<OrderId, Option<MemberId>> =
        attributed.iter().map(|row| (OrderId(row.order_id), row.member_id.map(MemberId))).collect();
    let claims = gather_claims(tx, &renamed, &members)?;
    let mut decided: HashMap<OrderId, Vec<Candidate>> =
        decide(tx, &members, claims)?.into_iter().map(|it| (it.order_id, it.candidates)).collect();
    let mut credited = Vec::new();
    for row in attributed {
        let order_id = OrderId(row.order_id);
        let stored = named.get(&row.order_id).map_or(&row.candidates, |last| &last.candidates);
        let candidates = match decided.remove(&order_id) {
            Some(candidates) => candidates,
            None => Vec::deserialize(stored).map_err(store::Error::from)?,
        };
        credited.push((order_id, row, candidates));
    }
    Ok(credited)
}

/// Records who is credited, and works out what it makes of the orders' lines.
fn judge<'a>(
    tx: &mut Tx<'_>,
    changes: &'a BTreeMap<OrderId, Change>,
    sales: &BTreeMap<OrderId, Sale>,
    credited: Vec<Credited>,
) -> Result<Vec<Moved<'a>>, FactError> {
    let ids: Vec<Uuid> = changes.keys().map(|order_id| order_id.uuid()).collect();
    let attributed = || credited.iter().map(|(_, row, _)| row.attributed_at);
    let reigns = match (attributed().min(), attributed().max()) {
        (Some(first), Some(last)) => policies::in_force(tx, first, last)?,
        _ => Vec::new(),
    };
    let stored = lines::of_orders(tx, &ids)?;
    let returns = facts::returns_of_orders(tx, &ids)?;
    let (mut rows, mut moved) = (Vec::new(), Vec::new());
    for (order_id, first, candidates) in credited {
        let (Some(change), Some(sale)) = (changes.get(&order_id), sales.get(&order_id)) else { continue };
        rows.push(CreditRow {
            order_id: order_id.uuid(),
            version: change.version,
            guide: sale.guide.clone(),
            store: sale.store.clone(),
            candidates: serde_json::to_value(&candidates).map_err(store::Error::from)?,
            changed_at: change.changed_at.utc(),
            names: change.named.is_some(),
            added_lines: sale.lines.iter().filter(|line| line.added).map(|line| line.line_no).collect(),
        });
        let rules: Vec<_> =
            reigns.iter().filter(|reign| reign.covers(first.attributed_at)).map(|reign| reign.policy.clone()).collect();
        let wanted = lines_of(tx, sale, &candidates, &rules);
        let in_force = stored.iter().filter(|line| line.order_id == first.order_id && line.superseded_at.is_none());
        let (old, mut new) = differing(in_force.cloned().collect(), wanted);
        for line in &mut new {
            line.credit_version = change.version;
            take_back(line, &returns, change.order_id)?;
        }
        // What was not earned yet when the order changed cannot have moved among what is payable then.
        let earned_at = first.earned_at.map(|at| Timestamp::from(at).max(change.changed_at));
        moved.push(Moved { change, earned_at, old, new });
    }
    credits::insert(tx, &rows)?;
    Ok(moved)
}

/// The lines of the shares that come to something else now: those in force, and those that are to stand for them. A share
/// that stays the same in all of its lines keeps them.
fn differing(in_force: Vec<LineRow>, wanted: Vec<LineRow>) -> (Vec<LineRow>, Vec<LineRow>) {
    type Parts<'a> = BTreeSet<(i32, &'a str, i64)>;
    fn shares(lines: &[LineRow]) -> BTreeMap<(Uuid, &str), Parts<'_>> {
        let mut shares: BTreeMap<(Uuid, &str), Parts<'_>> = BTreeMap::new();
        for line in lines {
            let parts = shares.entry((line.policy_id, line.role.as_str())).or_default();
            parts.insert((line.line_no, line.payee.as_str(), line.amount));
        }
        shares
    }
    let (before, after) = (shares(&in_force), shares(&wanted));
    let differs = |line: &LineRow| {
        let share = (line.policy_id, line.role.as_str());
        before.get(&share) != after.get(&share)
    };
    let old = in_force.iter().filter(|line| differs(line)).cloned().collect();
    let new = wanted.iter().filter(|line| differs(line)).cloned().collect();
    (old, new)
}

/// Takes from a new line what was given back of the order line before.
fn take_back(line: &mut LineRow, returns: &[ReturnFact], order_id: OrderId) -> Result<(), FactError> {
    let given = returns.iter().filter(|fact| fact.order_id == line.order_id && fact.line_no == line.line_no);
    let units = given.fold(0_i64, |sum, fact| sum.saturating_add(fact.quantity));
    let mut accrued = Accrued { quantity: line.quantity, amount: line.amount, units_back: 0, amount_back: 0 };
    let refused = |error| FactError::Refused { order_id, why: format!("line {}: {error}", line.line_no) };
    accrued.give_back(units).map_err(refused)?;
    (line.units_back, line.amount_back) = (accrued.units_back, accrued.amount_back);
    Ok(())
}

/// Writes the lines, posts what moves, and tells it.
fn carry_out(tx: &mut Tx<'_>, mut moved: Vec<Moved<'_>>) -> Result<(), FactError> {
    let old: Vec<&LineRow> = moved.iter().flat_map(|it| &it.old).collect();
    lines::supersede(tx, &old)?;
    let mut new: Vec<LineRow> = moved.iter().flat_map(|it| it.new.iter().cloned()).collect();
    number(&mut new, tx.now());
    lines::insert(tx, &new)?;
    let mut numbered = new.into_iter();
    let mut postings = Vec::new();
    for it in &mut moved {
        it.new = numbered.by_ref().take(it.new.len()).collect();
        postings.extend(postings_of(it)?);
    }
    post(tx, &postings)?;
    moved.iter().try_for_each(|it| tell(tx, it))
}

/// Out of the old payees' account, and into the new ones' the way that every accrual goes.
fn postings_of(moved: &Moved<'_>) -> Result<Vec<Posting>, FactError> {
    let (out, into) = if moved.earned_at.is_some() {
        (Step::ReversePayable, [Step::Accrue, Step::Earn].as_slice())
    } else {
        (Step::ReverseAccrued, [Step::Accrue].as_slice())
    };
    let steps = [(out, &moved.old)].into_iter().chain(into.iter().map(|step| (*step, &moved.new)));
    let mut postings = Vec::new();
    for (step, lines) in steps {
        let Some(first) = lines.first() else { continue };
        let mut posting = Posting {
            order_id: moved.change.order_id,
            step,
            source: format!("{}/{}", moved.change.order_id, moved.change.version),
            currency: super::stored_currency(&first.currency)?,
            occurred_at: moved.earned_at.unwrap_or(moved.change.changed_at),
            amounts: BTreeMap::new(),
        };
        for line in lines {
            posting.add(&line.payee, line.left())?;
        }
        postings.push(posting);
    }
    Ok(postings)
}

fn tell(tx: &mut Tx<'_>, moved: &Moved<'_>) -> Result<(), FactError> {
    let (order_id, cause) = (moved.change.order_id, &moved.change.cause);
    for line in moved.old.iter().filter(|line| line.left() != 0) {
        let (payee, currency) = (super::stored_code(&line.payee)?, super::stored_currency(&line.currency)?);
        let amount = Money::new(line.left(), currency);
        outbox::append(tx, &RebateReversed { line_id: RebateLineId(line.line_id), order_id, payee, amount }, cause)?;
    }
    for line in moved.new.iter().filter(|line| line.left() != 0) {
        let (payee, currency) = (super::stored_code(&line.payee)?, super::stored_currency(&line.currency)?);
        let amount = Money::new(line.left(), currency);
        outbox::append(tx, &RebateAccrued { line_id: RebateLineId(line.line_id), order_id, payee, amount }, cause)?;
    }
    Ok(())
}
