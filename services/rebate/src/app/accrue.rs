//! Credits orders to their guide, store and dealer, and accrues what each earns, once the buyer is known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use contracts::Cause;
use contracts::events::{PosRebateAccrued, RebateAccrued};
use kernel::id::{MemberId, OrderId, PolicyId, PosTransactionId, RebateLineId};
use kernel::{Money, Timestamp};
use store::{Tx, outbox};
use uuid::Uuid;

use super::FactError;
use super::books::{Posting, Step, post};
use crate::domain::accrual::accrue as accrue_share;
use crate::domain::attribution::{Bound, Candidate, Claims, attribute, credited_store, winner};
use crate::domain::party::BindingRole;
use crate::domain::policy::PolicyDocument;
use crate::domain::sale::Sale;
use crate::store::attributions::Attribution;
use crate::store::bindings::{InForce, Question, in_force};
use crate::store::lines::LineRow;
use crate::store::{attributions, facts, lines, payees, policies};

/// An order whose buyer is known.
#[derive(Clone, Debug)]
pub struct AccrueOrder {
    /// The order.
    pub order_id: OrderId,
    /// Who bought; none for an anonymous sale.
    pub member_id: Option<MemberId>,
    /// Whether a till sold it: then the order is the till's transaction.
    pub at_till: bool,
    /// What made it known.
    pub cause: Cause,
}

/// Attributes the orders and accrues on them, with a constant number of statements. An order that is attributed already
/// stays as it is.
pub fn accrue(tx: &mut Tx<'_>, orders: &[AccrueOrder]) -> Result<(), FactError> {
    let order_ids: Vec<Uuid> = orders.iter().map(|order| order.order_id.uuid()).collect();
    let sales = facts::sales(tx, &order_ids)?;
    if let Some(order) = orders.iter().find(|order| !sales.contains_key(&order.order_id)) {
        return Err(FactError::Missing { what: "the sale", order_id: order.order_id });
    }
    let members: BTreeMap<OrderId, Option<MemberId>> =
        orders.iter().map(|order| (order.order_id, order.member_id)).collect();
    let claims = gather_claims(tx, &sales, &members)?;
    let attributed = decide(tx, &members, claims)?;
    let fresh: HashSet<OrderId> = attributions::insert(tx, &attributed)?.into_iter().collect();
    let policies = policies::active(tx)?;
    let mut earned = Vec::new();
    let mut postings = Vec::new();
    for attribution in attributed.iter().filter(|attribution| fresh.contains(&attribution.order_id)) {
        let Some(sale) = sales.get(&attribution.order_id) else { continue };
        let rows = lines_of(tx, sale, &attribution.candidates, &policies);
        if !rows.is_empty() {
            postings.push(posting_of(sale, &rows)?);
            earned.extend(rows);
        }
    }
    number(&mut earned, tx.now());
    lines::insert(tx, &earned)?;
    post(tx, &postings)?;
    let orders: HashMap<OrderId, &AccrueOrder> = orders.iter().map(|order| (order.order_id, order)).collect();
    tell(tx, &earned, &sales, &orders)
}

/// What the orders name and what was bound when they were placed.
pub(super) fn gather_claims(
    tx: &mut Tx<'_>,
    sales: &BTreeMap<OrderId, Sale>,
    members: &BTreeMap<OrderId, Option<MemberId>>,
) -> Result<BTreeMap<OrderId, Claims>, store::Error> {
    let mut claims: BTreeMap<OrderId, Claims> = BTreeMap::new();
    let mut asked = Vec::new();
    let mut questions = Vec::new();
    for (order_id, sale) in sales {
        let named = Claims { order_guide: sale.guide.clone(), order_store: sale.store.clone(), ..Claims::default() };
        claims.insert(*order_id, named);
        let member = members.get(order_id).copied().flatten().map(|member| (true, member.to_string()));
        let store = sale.store.clone().map(|store| (false, store));
        for (member, subject) in member.into_iter().chain(store) {
            asked.push((*order_id, member));
            questions.push(Question { member, subject, at: sale.placed_at.utc() });
        }
    }
    for answer in in_force(tx, &questions)? {
        if let Some((order_id, member)) = asked_at(&asked, &answer)
            && let Some(claims) = claims.get_mut(&order_id)
        {
            note(claims, member, answer);
        }
    }
    // A store that only the member's binding names is known now; its dealer is asked for in a second round.
    let mut asked = Vec::new();
    let mut questions = Vec::new();
    for (order_id, claims) in claims.iter().filter(|(_, claims)| claims.order_store.is_none()) {
        if let (Some(subject), Some(sale)) = (claims.credited_store(), sales.get(order_id)) {
            asked.push((*order_id, false));
            questions.push(Question { member: false, subject: subject.to_owned(), at: sale.placed_at.utc() });
        }
    }
    for answer in in_force(tx, &questions)? {
        if answer.role == BindingRole::Dealer.as_str()
            && let Some((order_id, _)) = asked_at(&asked, &answer)
            && let Some(claims) = claims.get_mut(&order_id)
        {
            note(claims, false, answer);
        }
    }
    Ok(claims)
}

fn asked_at(asked: &[(OrderId, bool)], answer: &InForce) -> Option<(OrderId, bool)> {
    let index = usize::try_from(answer.place.checked_sub(1)?).ok()?;
    asked.get(index).copied()
}

/// Notes a binding where it belongs; the first answer of a kind stands.
fn note(claims: &mut Claims, member: bool, answer: InForce) {
    let place = match (BindingRole::from_word(&answer.role), member) {
        (Some(BindingRole::Guide), true) => &mut claims.member_guide,
        (Some(BindingRole::PerformanceStore), true) => &mut claims.member_store,
        (Some(BindingRole::PerformanceStore), false) => &mut claims.order_store_payee,
        (Some(BindingRole::Dealer), true) => &mut claims.member_dealer,
        (Some(BindingRole::Dealer), false) => &mut claims.store_dealer,
        (Some(BindingRole::Guide), false) | (Some(BindingRole::ServiceStore), _) | (None, _) => return,
    };
    if place.is_none() {
        *place = Some(Bound { payee: answer.payee, binding_id: answer.binding_id });
    }
}

pub(super) fn decide(
    tx: &mut Tx<'_>,
    members: &BTreeMap<OrderId, Option<MemberId>>,
    claims: BTreeMap<OrderId, Claims>,
) -> Result<Vec<Attribution>, store::Error> {
    let named: BTreeSet<&str> = claims.values().flat_map(Claims::payees).collect();
    let standings: HashMap<String, bool> = if named.is_empty() {
        HashMap::new()
    } else {
        let codes: Vec<&str> = named.into_iter().collect();
        payees::standings(tx, &codes)?.into_iter().map(|standing| (standing.code, standing.active)).collect()
    };
    let attributions = claims.into_iter().map(|(order_id, claims)| Attribution {
        order_id,
        member_id: members.get(&order_id).copied().flatten(),
        candidates: attribute(&claims, |payee| standings.get(payee).copied()),
    });
    Ok(attributions.collect())
}

/// A line per order line, policy version and role that earns something; they have no ids yet.
pub(super) fn lines_of(
    tx: &Tx<'_>,
    sale: &Sale,
    candidates: &[Candidate],
    policies: &[(PolicyId, PolicyDocument)],
) -> Vec<LineRow> {
    let (now, store) = (tx.now(), credited_store(candidates));
    let mut rows = Vec::new();
    for (policy_id, document) in policies {
        for share in &document.shares {
            let Some(payee) = winner(candidates, share.role) else { continue };
            let Some(working) = accrue_share(document, *share, sale, store) else { continue };
            for part in working.parts.iter().filter(|part| part.amount > 0) {
                let Some(line) = sale.lines.iter().find(|line| line.line_no == part.line_no) else { continue };
                rows.push(LineRow {
                    line_id: Uuid::nil(),
                    order_id: sale.order_id.uuid(),
                    line_no: part.line_no,
                    policy_id: policy_id.uuid(),
                    role: share.role.as_str().to_owned(),
                    payee: payee.to_owned(),
                    currency: sale.currency.code().to_owned(),
                    quantity: line.quantity,
                    basis_amount: part.basis_amount,
                    rate_ppm: share.rate_ppm.0,
                    amount: part.amount,
                    units_back: 0,
                    amount_back: 0,
                    withdrawn_amount: 0,
                    credit_version: 0,
                    superseded_at: None,
                    placed_at: sale.placed_at.utc(),
                    accrued_at: now.utc(),
                    earned_at: None,
                });
            }
        }
    }
    rows
}

/// Gives the lines their ids, ascending, so that lists in the order of ids show them as they were computed.
pub(super) fn number(rows: &mut [LineRow], now: Timestamp) {
    let mut ids: Vec<Uuid> = rows.iter().map(|_| RebateLineId::at(now).uuid()).collect();
    ids.sort_unstable();
    for (row, id) in rows.iter_mut().zip(ids) {
        row.line_id = id;
    }
}

fn posting_of(sale: &Sale, rows: &[LineRow]) -> Result<Posting, FactError> {
    let mut posting = Posting {
        order_id: sale.order_id,
        step: Step::Accrue,
        source: sale.order_id.to_string(),
        currency: sale.currency,
        occurred_at: sale.placed_at,
        amounts: BTreeMap::new(),
    };
    for row in rows {
        posting.add(&row.payee, row.amount)?;
    }
    Ok(posting)
}

fn tell(
    tx: &mut Tx<'_>,
    rows: &[LineRow],
    sales: &BTreeMap<OrderId, Sale>,
    orders: &HashMap<OrderId, &AccrueOrder>,
) -> Result<(), FactError> {
    for row in rows {
        let order_id = OrderId(row.order_id);
        let (Some(sale), Some(order)) = (sales.get(&order_id), orders.get(&order_id)) else { continue };
        let payee = super::stored_code(&row.payee)?;
        let amount = Money::new(row.amount, sale.currency);
        let line_id = RebateLineId(row.line_id);
        if order.at_till {
            let transaction_id = PosTransactionId(row.order_id);
            outbox::append(tx, &PosRebateAccrued { line_id, transaction_id, payee, amount }, &order.cause)?;
        } else {
            outbox::append(tx, &RebateAccrued { line_id, order_id, payee, amount }, &order.cause)?;
        }
    }
    Ok(())
}
