//! An order became final: its points become spendable, and what was paid counts towards a tier.

use std::collections::{BTreeSet, HashMap};

use contracts::Cause;
use contracts::events::OrderCompleted;
use kernel::Timestamp;
use kernel::id::{MemberId, OrderId, uuid_at};
use store::Tx;
use uuid::Uuid;

use super::books::{Books, Opener};
use super::rulebook::{Rulebook, earning_rules};
use super::{Desk, FactError};
use crate::domain::account::{Lot, Operation};
use crate::domain::earning::EarningRule;
use crate::domain::purchase::PurchasedLine;
use crate::domain::tier::QualifyingEntry;
use crate::store::points::AlsoLots;
use crate::store::purchases::{self, PurchaseRow};
use crate::store::tiers::{self, NewEntry};

/// The purchases that events speak of, as they are under the lock of their members.
pub struct Purchases {
    /// By order; anonymous ones too.
    pub rows: HashMap<OrderId, PurchaseRow>,
    /// The lines of members' purchases, in order.
    pub lines: HashMap<OrderId, Vec<PurchasedLine>>,
    /// The members' open books.
    pub books: Books,
}

impl Purchases {
    /// Reads these orders; every one must have been placed.
    pub fn read(tx: &mut Tx<'_>, orders: &[OrderId]) -> Result<Self, FactError> {
        let ids: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
        // Who bought an order never changes, so it may be read before the lock; the rest must be read after it.
        let buyers = purchases::of(tx, &ids)?;
        let known: HashMap<Uuid, Option<Uuid>> = buyers.iter().map(|row| (row.order_id, row.member_id)).collect();
        if let Some(missing) = orders.iter().find(|order| !known.contains_key(&order.uuid())) {
            return Err(FactError::NotYet(*missing));
        }
        let members: BTreeSet<MemberId> = known.values().flatten().copied().map(MemberId).collect();
        let also = AlsoLots { of_orders: ids.clone(), ..AlsoLots::default() };
        let books = Books::open(tx, Opener::Orders, &members, Some(&also))?;
        let rows = purchases::of(tx, &ids)?.into_iter().map(|row| (OrderId(row.order_id), row)).collect();
        let mut lines: HashMap<OrderId, Vec<PurchasedLine>> = HashMap::new();
        for (order, line) in purchases::lines_of(tx, &ids)? {
            lines.entry(order).or_default().push(line);
        }
        Ok(Self { rows, lines, books })
    }

    /// Who bought an order, unless it was an anonymous sale.
    pub fn buyer(&self, order: OrderId) -> Option<(MemberId, &PurchaseRow)> {
        let row = self.rows.get(&order)?;
        row.member_id.map(|member| (MemberId(member), row))
    }
}

/// Makes purchases final, each once.
pub fn complete_purchases(
    tx: &mut Tx<'_>,
    desk: &Desk,
    completed: &[(OrderCompleted, Cause)],
) -> Result<(), FactError> {
    let orders: Vec<OrderId> = completed.iter().map(|(event, _)| event.order_id).collect();
    let mut purchases = Purchases::read(tx, &orders)?;
    let rule_ids: BTreeSet<i64> = purchases.rows.values().filter_map(|row| row.rule_id).collect();
    let rules = earning_rules(tx, &rule_ids.into_iter().collect::<Vec<_>>())?;
    let now = tx.now();
    let mut entries = Vec::new();
    let mut done = Vec::new();
    for (event, cause) in completed {
        let Some((member, row)) = purchases.buyer(event.order_id) else { continue };
        if row.completed_at.is_some() {
            continue;
        }
        let lines = purchases.lines.get(&event.order_id).map(Vec::as_slice).unwrap_or_default();
        let rule = row.rule_id.and_then(|id| rules.get(&id));
        let expires_at = rule.and_then(|rule| expiry(rule, event, desk));
        let kept = lines.iter().map(|line| (line.line_no, line.kept().points));
        let lots = lots(event, kept, expires_at, now);
        let amount = lines.iter().map(|line| line.kept().paid_amount).sum();
        entries.push(credit(member, event.order_id, row, amount));
        done.push((row.order_id, event.completed_at));
        let operation = Operation::new(format!("order:{}", event.order_id), event.completed_at);
        purchases.books.account(member, cause)?.activate(&operation, lots);
    }
    purchases::complete(tx, &done)?;
    settle(tx, desk, purchases.books, &entries)
}

/// What counts towards a tier, or, if negative, does so no more; dated to the purchase.
pub fn credit(member: MemberId, order: OrderId, row: &PurchaseRow, amount: i64) -> NewEntry {
    let entry = QualifyingEntry { amount, dated_at: Timestamp::new(row.placed_at) };
    NewEntry { member, order, currency: row.currency.clone(), entry }
}

/// Records what counts, judges the tiers of those concerned and closes the books.
pub fn settle(tx: &mut Tx<'_>, desk: &Desk, mut books: Books, entries: &[NewEntry]) -> Result<(), FactError> {
    tiers::insert(tx, entries)?;
    let concerned: BTreeSet<MemberId> = entries.iter().filter(|it| it.entry.amount != 0).map(|it| it.member).collect();
    if !concerned.is_empty() {
        let rulebook = Rulebook::read(tx, &desk.tier_program)?;
        books.judge_tiers(tx, desk, &rulebook, &concerned)?;
    }
    Ok(books.close(tx)?)
}

pub(super) fn expiry(rule: &EarningRule, event: &OrderCompleted, desk: &Desk) -> Option<Timestamp> {
    rule.expires_at(event.completed_at, desk.zone)
}

/// So many points of each line, in lots of their own.
pub(super) fn lots(
    event: &OrderCompleted,
    points: impl Iterator<Item = (i32, i64)>,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Lot> {
    let lot = |(line_no, points)| Lot {
        lot_id: uuid_at(now),
        line: Some((event.order_id, line_no)),
        points,
        remaining: 0,
        lapsed: 0,
        active_since: event.completed_at,
        expires_at,
    };
    points.map(lot).collect()
}
