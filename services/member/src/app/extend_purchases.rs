//! Lines were added to an order: they earn by the rule that the order was reckoned by, as if they had been there from the start.

use std::collections::BTreeSet;

use contracts::Cause;
use contracts::events::{AddedLines, OrderChanged, OrderCompleted, OrderLine};
use kernel::Timestamp;
use kernel::id::OrderId;
use store::Tx;

use super::complete_purchases::{Purchases, credit, expiry, lots, settle};
use super::rulebook::earning_rules;
use super::{Desk, FactError};
use crate::domain::account::Operation;
use crate::domain::earning::{EarningLine, EarningRule};
use crate::domain::purchase::PurchasedLine;
use crate::store::purchases;

/// Lines that an order got.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The order.
    pub order: OrderId,
    /// Its version with them.
    pub version: i64,
    /// The lines.
    pub added: AddedLines,
    /// When.
    pub at: Timestamp,
    /// What caused it.
    pub cause: Cause,
}

impl Extension {
    /// What a change adds; nothing, if it changes something else.
    pub fn of(event: OrderChanged, cause: Cause) -> Option<Self> {
        let (order, version, at) = (event.order_id, event.version, event.changed_at);
        event.added.map(|added| Self { order, version, added, at, cause })
    }
}

/// Records the lines, each once. At most one of these is of any one order.
pub fn extend_purchases(tx: &mut Tx<'_>, desk: &Desk, extensions: &[Extension]) -> Result<(), FactError> {
    let orders: Vec<OrderId> = extensions.iter().map(|it| it.order).collect();
    let mut purchases = Purchases::read(tx, &orders)?;
    let rule_ids: BTreeSet<i64> = purchases.rows.values().filter_map(|row| row.rule_id).collect();
    let rules = earning_rules(tx, &rule_ids.into_iter().collect::<Vec<_>>())?;
    let now = tx.now();
    let (mut recorded, mut entries) = (Vec::new(), Vec::new());
    for it in extensions {
        let Some((member, row)) = purchases.buyer(it.order).map(|(member, row)| (member, row.clone())) else {
            continue;
        };
        let known = purchases.lines.get(&it.order).map(Vec::as_slice).unwrap_or_default();
        let rule = row.rule_id.and_then(|id| rules.get(&id));
        let lines = reckon(it, known, rule)?;
        let operation = Operation::new(format!("order:{}:{}", it.order, it.version), it.at);
        let account = purchases.books.account(member, &it.cause)?;
        account.earn(&operation, lines.iter().map(|line| line.points).sum());
        // Where the order was final before this was heard, what it adds is final too.
        if let Some(completed_at) = row.completed_at.map(Timestamp::from) {
            let completed = OrderCompleted { order_id: it.order, completed_at };
            let expires_at = rule.and_then(|rule| expiry(rule, &completed, desk));
            account.activate(&operation, lots(&completed, &lines, expires_at, now));
            entries.push(credit(member, it.order, &row, lines.iter().map(|line| line.paid_amount).sum()));
        }
        recorded.extend(lines.into_iter().map(|line| (it.order, line)));
    }
    purchases::insert_lines(tx, &recorded)?;
    settle(tx, desk, purchases.books, &entries)
}

/// What those of the lines earn that are not known yet.
fn reckon(
    it: &Extension,
    known: &[PurchasedLine],
    rule: Option<&EarningRule>,
) -> Result<Vec<PurchasedLine>, FactError> {
    let is_new = |line: &&OrderLine| known.iter().all(|known| known.line_no != line.line_no);
    let fresh: Vec<_> = it.added.lines.iter().filter(is_new).collect();
    let mut earning = Vec::with_capacity(fresh.len());
    for line in &fresh {
        let (quantity, paid_amount) = (line.quantity.get(), line.paid_amount);
        earning.push(EarningLine { sku: &line.sku, category: line.category.as_deref(), quantity, paid_amount });
    }
    let before = known.iter().map(|line| line.paid_amount).sum();
    let points = match rule {
        Some(rule) => rule.more_points_per_line(it.added.currency, before, &earning),
        None => Some(vec![0; fresh.len()]),
    };
    let detail = "its points leave the range of numbers".to_owned();
    let points = points.ok_or(FactError::Wrong { order: it.order, detail })?;
    let purchased = |(line, points): (&&OrderLine, i64)| PurchasedLine {
        line_no: line.line_no,
        quantity: line.quantity.get(),
        paid_amount: line.paid_amount,
        points,
        given_back: 0,
    };
    Ok(fresh.iter().zip(points).map(purchased).collect())
}
