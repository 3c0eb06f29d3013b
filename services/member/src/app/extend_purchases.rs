//! Lines were added to an order: they earn by the rule that the order was reckoned by, as if they had been there from the start.

use std::collections::{BTreeSet, HashMap};

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
    let (mut recorded, mut changed, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for it in extensions {
        let Some((member, row)) = purchases.buyer(it.order).map(|(member, row)| (member, row.clone())) else {
            continue;
        };
        let known = purchases.lines.get(&it.order).map(Vec::as_slice).unwrap_or_default();
        let rule = row.rule_id.and_then(|id| rules.get(&id));
        let Grown { fresh, spread, moved } = grow(it, known, rule)?;
        let operation = Operation::new(format!("order:{}:{}", it.order, it.version), it.at);
        let account = purchases.books.account(member, &it.cause)?;
        let gains = moved.iter().copied().filter(|(_, points)| *points > 0);
        let losses: Vec<_> = moved.iter().filter(|(_, points)| *points < 0).collect();
        account.earn(&operation, gains.clone().map(|(_, points)| points).sum());
        // Where the order was final before this was heard, what it adds is final too.
        if let Some(completed_at) = row.completed_at.map(Timestamp::from) {
            let completed = OrderCompleted { order_id: it.order, completed_at };
            let expires_at = rule.and_then(|rule| expiry(rule, &completed, desk));
            account.activate(&operation, lots(&completed, gains, expires_at, now));
            let lost: Vec<_> = losses.iter().map(|(line_no, points)| ((it.order, *line_no), -points)).collect();
            account.claw_back(&operation, &lost);
            entries.push(credit(member, it.order, &row, fresh.iter().map(|line| line.paid_amount).sum()));
        } else {
            account.claw_back_pending(&operation, losses.iter().map(|(_, points)| -points).sum());
        }
        recorded.extend(fresh.into_iter().map(|line| (it.order, line)));
        changed.extend(spread.into_iter().map(|line| (it.order, line)));
    }
    purchases::insert_lines(tx, &recorded)?;
    purchases::save_lines(tx, &changed)?;
    settle(tx, desk, purchases.books, &entries)
}

/// What becomes of an order's lines when it gets more.
struct Grown {
    /// Those that are new.
    fresh: Vec<PurchasedLine>,
    /// Those that were there.
    spread: Vec<PurchasedLine>,
    /// By how much the points of what the buyer keeps change, line by line.
    moved: Vec<(i32, i64)>,
}

/// Hands the base points of all lines out anew, so that it does not matter which of them came first.
fn grow(it: &Extension, known: &[PurchasedLine], rule: Option<&EarningRule>) -> Result<Grown, FactError> {
    let is_new = |line: &&OrderLine| known.iter().all(|known| known.line_no != line.line_no);
    let fresh = it.added.lines.iter().filter(is_new).map(|line| PurchasedLine {
        line_no: line.line_no,
        quantity: line.quantity.get(),
        paid_amount: line.paid_amount,
        points: 0,
        given_back: 0,
    });
    let mut lines: Vec<PurchasedLine> = known.iter().copied().chain(fresh).collect();
    lines.sort_unstable_by_key(|line| line.line_no);
    let kept = |lines: &[PurchasedLine]| lines.iter().map(|line| line.kept().points).collect::<Vec<i64>>();
    let before = kept(&lines);
    if let Some(rule) = rule {
        let detail = || "its points leave the range of numbers".to_owned();
        reckon(it, known, rule, &mut lines).ok_or_else(|| FactError::Wrong { order: it.order, detail: detail() })?;
    }
    let after = kept(&lines);
    let moved =
        lines.iter().zip(before.into_iter().zip(after)).map(|(line, (before, after))| (line.line_no, after - before));
    let moved = moved.collect();
    let (spread, fresh) = lines.into_iter().partition(|line| known.iter().any(|known| known.line_no == line.line_no));
    Ok(Grown { fresh, spread, moved })
}

/// What all lines earn: those that were there, base points anew; those that are new, all of theirs.
fn reckon(it: &Extension, known: &[PurchasedLine], rule: &EarningRule, lines: &mut [PurchasedLine]) -> Option<()> {
    let currency = it.added.currency;
    let base = |lines: &[PurchasedLine]| {
        rule.base_points(currency, &lines.iter().map(|line| line.paid_amount).collect::<Vec<i64>>())
    };
    let before: HashMap<i32, i64> = known.iter().map(|line| line.line_no).zip(base(known)?).collect();
    let all = base(lines)?;
    for (line, base) in lines.iter_mut().zip(all) {
        line.points = match before.get(&line.line_no) {
            Some(before) => line.points.checked_sub(*before)?.checked_add(base)?,
            None => {
                let added = it.added.lines.iter().find(|added| added.line_no == line.line_no)?;
                let (quantity, paid_amount) = (line.quantity, line.paid_amount);
                let category = added.category.as_deref();
                let product = EarningLine { sku: &added.sku, category, quantity, paid_amount };
                base.checked_add(rule.product_points(&product)?)?
            }
        };
    }
    Some(())
}
