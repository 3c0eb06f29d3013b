//! Tills told what they sold and took back: what a member bought is final at once, and what came back, or was undone, goes.
//!
//! Tills send in any order. So what is back of a purchase is worked out anew from everything that was told about it, and the
//! member's points move by the difference: whichever came first, they end at the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono_tz::Tz;
use contracts::Cause;
use contracts::events::{PosIdentified, PosKind, PosLine, PosRecorded};
use kernel::Timestamp;
use kernel::id::{MemberId, OrderId, uuid_at};
use store::{Rows, Tx, outbox};
use uuid::Uuid;

use super::books::{Books, Opener};
use super::complete_purchases::{credit, settle};
use super::record_purchases::{Earning, buyer, reckon};
use super::resolve_members::{Buyer, Resolved, resolve_members};
use super::rulebook::{Rulebook, earning_rules};
use super::{Desk, FactError};
use crate::domain::account::{Account, LineKey, Lot, Operation};
use crate::domain::earning::EarningRule;
use crate::domain::purchase::{PurchasedLine, Worth};
use crate::store::identities::Source;
use crate::store::locks;
use crate::store::points::AlsoLots;
use crate::store::purchases::{self, PurchaseRow};
use crate::store::tills::{self, Number, Returned};

/// A sale that was not recorded before, and who bought.
struct Sale<'a> {
    told: &'a PosRecorded,
    cause: &'a Cause,
    buyer: Resolved,
}

/// Members' purchases that are new or change, under the lock of their members.
struct Changing {
    rows: Vec<PurchaseRow>,
    lines: HashMap<OrderId, Vec<PurchasedLine>>,
    back: tills::Back,
    rules: HashMap<i64, EarningRule>,
    fresh: HashSet<Uuid>,
    zone: Tz,
    now: Timestamp,
}

/// Records what tills told, each transaction once, and tells of every sale who bought.
pub fn record_tills(tx: &mut Tx<'_>, desk: &Desk, told: &[(PosRecorded, Cause)]) -> Result<(), FactError> {
    locks::lock_tills(tx)?;
    let mut because = note_what_is_back(tx, told)?;
    let rulebook = Rulebook::read(tx, &desk.tier_program)?;
    let sales = identify(tx, desk, &rulebook, told)?;
    remember(tx, &rulebook, &sales)?;
    let fresh: HashSet<Uuid> = sales.iter().filter(|it| it.buyer.member.is_some()).map(Sale::id).collect();
    because.extend(fresh.iter().map(|id| (*id, *id)));
    let ids: Vec<Uuid> = because.keys().copied().collect();
    let rows = if ids.is_empty() { Vec::new() } else { purchases::of(tx, &ids)? };
    let mut books = open(tx, &rulebook, &sales, &rows)?;
    for sale in &sales {
        let (transaction_id, member_id) = (sale.told.transaction_id, sale.buyer.member);
        let tier = member_id.and_then(|member| books.tier(member)).map(ToOwned::to_owned);
        outbox::append(tx, &PosIdentified { transaction_id, member_id, tier }, sale.cause)?;
    }
    if ids.is_empty() {
        return Ok(books.close(tx)?);
    }
    let changing = Changing::read(tx, desk, rows, fresh)?;
    let causes: HashMap<Uuid, &(PosRecorded, Cause)> = told.iter().map(|it| (it.0.transaction_id.uuid(), it)).collect();
    let mut entries = Vec::new();
    let mut changed = Vec::new();
    for row in &changing.rows {
        let because = because.get(&row.order_id).and_then(|id| causes.get(id));
        let (Some((event, cause)), Some(member)) = (because, row.member_id.map(MemberId)) else { continue };
        let order = OrderId(row.order_id);
        let name = if changing.fresh.contains(&row.order_id) {
            format!("till:{order}")
        } else {
            format!("till:{}:{order}", event.transaction_id)
        };
        let operation = Operation::new(name, event.occurred_at);
        let account = books.account(member, cause)?;
        let amount = changing.settle(row, (account, &operation), &mut changed);
        entries.push(credit(member, order, row, amount));
    }
    purchases::save_lines(tx, &changed)?;
    settle(tx, desk, books, &entries)
}

/// Notes what came back and what was undone. Answers the purchases recorded before that this is about, each with a
/// transaction because of which it changes.
fn note_what_is_back(tx: &mut Tx<'_>, told: &[(PosRecorded, Cause)]) -> Result<BTreeMap<Uuid, Uuid>, store::Error> {
    let mut returns = Vec::new();
    let mut undone = Vec::new();
    for (event, _) in told {
        let transaction_id = event.transaction_id.uuid();
        if event.kind == PosKind::Void {
            undone.extend(event.voids.map(|voids| (voids.uuid(), transaction_id)));
            continue;
        }
        let back = event.lines.iter().filter(|line| line.quantity < 0);
        returns.extend(back.filter_map(|line| {
            let (original, quantity) = (line.original.as_ref()?, line.quantity.saturating_neg());
            Some(Returned { transaction_id, line_no: line.line_no, original, quantity })
        }));
    }
    if !returns.is_empty() {
        tills::insert_returns(tx, &returns)?;
    }
    if !undone.is_empty() {
        tills::insert_voids(tx, &undone)?;
    }
    if returns.is_empty() && undone.is_empty() { Ok(BTreeMap::new()) } else { tills::touched(tx, &returns, &undone) }
}

/// The sales that were not recorded before, with their buyers. Nothing is kept of anonymous ones: nothing can follow.
fn identify<'a>(
    tx: &mut Tx<'_>,
    desk: &Desk,
    rulebook: &Rulebook,
    told: &'a [(PosRecorded, Cause)],
) -> Result<Vec<Sale<'a>>, store::Error> {
    let sold: Vec<&(PosRecorded, Cause)> =
        told.iter().filter(|(event, _)| event.kind != PosKind::Void && sold(event).next().is_some()).collect();
    let before: HashSet<Uuid> = if tx.rows() == Rows::New || sold.is_empty() {
        HashSet::new()
    } else {
        let ids: Vec<Uuid> = sold.iter().map(|(event, _)| event.transaction_id.uuid()).collect();
        purchases::of(tx, &ids)?.into_iter().map(|row| row.order_id).collect()
    };
    let fresh: Vec<_> = sold.into_iter().filter(|(it, _)| !before.contains(&it.transaction_id.uuid())).collect();
    let named = |(event, cause): &&(PosRecorded, Cause)| {
        buyer(desk, &event.buyer, (Source::Till, event.transaction_id.to_string()), cause)
    };
    let buyers: Vec<Buyer> = fresh.iter().map(named).collect();
    let resolved = resolve_members(tx, desk, rulebook.lowest_tier(), &buyers)?;
    Ok(fresh.into_iter().zip(resolved).map(|((told, cause), buyer)| Sale { told, cause, buyer }).collect())
}

fn sold(event: &PosRecorded) -> impl Iterator<Item = &PosLine> {
    event.lines.iter().filter(|line| line.quantity > 0)
}

impl Sale<'_> {
    fn id(&self) -> Uuid {
        self.told.transaction_id.uuid()
    }

    fn earn(&self, rulebook: &Rulebook) -> Result<Earning, FactError> {
        let lines: Vec<_> = sold(self.told).map(|line| (line.line_no, line.quantity, line.paid_amount)).collect();
        let goods: Vec<_> = sold(self.told).map(|line| (&line.sku, line.category.as_deref())).collect();
        reckon(rulebook, (OrderId(self.id()), &self.told.channel, self.told.currency), &lines, &goods)
    }
}

/// Remembers members' purchases; they are final, for the goods have been handed over.
fn remember(tx: &mut Tx<'_>, rulebook: &Rulebook, sales: &[Sale<'_>]) -> Result<(), FactError> {
    let (mut rows, mut lines, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for sale in sales {
        let Some(member) = sale.buyer.member else { continue };
        let earning = sale.earn(rulebook)?;
        let it = sale.told;
        rows.push(PurchaseRow {
            order_id: sale.id(),
            member_id: Some(member.uuid()),
            rule_id: earning.rule_id,
            currency: it.currency.code().to_owned(),
            placed_at: it.occurred_at.utc(),
            completed_at: Some(it.occurred_at.utc()),
        });
        lines.extend(earning.lines.into_iter().map(|line| (OrderId(sale.id()), line)));
        let (store, terminal) = (it.store.as_str(), it.terminal.as_str());
        numbers.push((Number { store, terminal, business_date: it.business_date, sequence: it.sequence }, sale.id()));
    }
    if rows.is_empty() {
        return Ok(());
    }
    purchases::insert(tx, &rows)?;
    purchases::insert_lines(tx, &lines)?;
    Ok(tills::insert_purchases(tx, &numbers)?)
}

/// Opens the books of everyone who bought or whose purchases change.
fn open(tx: &mut Tx<'_>, rulebook: &Rulebook, sales: &[Sale<'_>], rows: &[PurchaseRow]) -> Result<Books, store::Error> {
    let new: BTreeSet<MemberId> =
        sales.iter().filter(|it| it.buyer.registered).filter_map(|it| it.buyer.member).collect();
    let concerned: BTreeSet<MemberId> = rows.iter().filter_map(|row| row.member_id).map(MemberId).collect();
    let known = concerned.difference(&new).copied().collect();
    let also = AlsoLots { of_orders: rows.iter().map(|row| row.order_id).collect(), ..AlsoLots::default() };
    let mut books = Books::open(tx, Opener::Tills, &known, Some(&also))?;
    books.enrol(&new, rulebook.lowest_tier(), tx.now());
    Ok(books)
}

impl Changing {
    fn read(tx: &mut Tx<'_>, desk: &Desk, rows: Vec<PurchaseRow>, fresh: HashSet<Uuid>) -> Result<Self, store::Error> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.order_id).collect();
        let mut lines: HashMap<OrderId, Vec<PurchasedLine>> = HashMap::new();
        for (order, line) in purchases::lines_of(tx, &ids)? {
            lines.entry(order).or_default().push(line);
        }
        let back = tills::back_of(tx, &ids)?;
        let rule_ids: BTreeSet<i64> = rows.iter().filter_map(|row| row.rule_id).collect();
        let rules = earning_rules(tx, &rule_ids.into_iter().collect::<Vec<_>>())?;
        Ok(Self { rows, lines, back, rules, fresh, zone: desk.zone, now: tx.now() })
    }

    /// Moves the points of a purchase to what is kept of it; what counts towards a tier with it, less if negative.
    fn settle(
        &self,
        row: &PurchaseRow,
        (account, operation): (&mut Account, &Operation),
        changed: &mut Vec<(OrderId, PurchasedLine)>,
    ) -> i64 {
        let order = OrderId(row.order_id);
        let fresh = self.fresh.contains(&row.order_id);
        let placed_at = row.placed_at.into();
        let expires_at = row.rule_id.and_then(|id| self.rules.get(&id)?.expires_at(placed_at, self.zone));
        let lot = |line: LineKey, points: i64| Lot {
            lot_id: uuid_at(self.now),
            line: Some(line),
            points,
            remaining: 0,
            lapsed: 0,
            active_since: placed_at,
            expires_at,
        };
        let (mut counts, mut taken, mut given) = (0_i64, Vec::new(), Vec::new());
        for line in self.lines.get(&order).into_iter().flatten() {
            let (mut line, key) = (*line, (order, line.line_no));
            let (before, back) = (line.given_back, self.back.of(row.order_id, line.line_no, line.quantity));
            let Worth { points, paid_amount } = line.set_given_back(back);
            if back != before {
                changed.push((order, line));
            }
            if fresh {
                counts += line.kept().paid_amount;
                given.push(lot(key, line.kept().points));
            } else {
                counts -= paid_amount;
                if points > 0 { taken.push((key, points)) } else { given.push(lot(key, -points)) }
            }
        }
        if fresh {
            account.earn(operation, given.iter().map(|lot| lot.points).sum());
            account.activate(operation, given);
        } else {
            account.claw_back(operation, &taken);
            account.give_again(operation, given);
        }
        counts
    }
}
