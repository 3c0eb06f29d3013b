//! An order was placed: who bought it, what it will earn, and the pending points of each line.

use std::collections::{BTreeSet, HashSet};

use contracts::Cause;
use contracts::events::{BuyerIdentified, OrderLine, OrderPlaced};
use kernel::id::{MemberId, OrderId};
use kernel::{ChannelCode, Currency, SkuCode};
use store::{Rows, Tx, outbox};
use uuid::Uuid;

use super::books::{Books, Opener};
use super::profile::Profile;
use super::resolve_members::{Buyer, Resolved, resolve_members};
use super::rulebook::Rulebook;
use super::{Desk, FactError};
use crate::domain::account::Operation;
use crate::domain::earning::EarningLine;
use crate::domain::identity::normalise;
use crate::domain::purchase::PurchasedLine;
use crate::store::identities::Source;
use crate::store::purchases::{self, PurchaseRow};

/// What a purchase earns.
pub(super) struct Earning {
    /// The rule it is reckoned by.
    pub rule_id: Option<i64>,
    /// Its lines.
    pub lines: Vec<PurchasedLine>,
}

/// Records orders, each once, and tells of every one who bought it.
pub fn record_purchases(tx: &mut Tx<'_>, desk: &Desk, placed: &[(OrderPlaced, Cause)]) -> Result<(), FactError> {
    let before = recorded(tx, placed)?;
    let fresh: Vec<&(OrderPlaced, Cause)> =
        placed.iter().filter(|(order, _)| !before.contains(&order.order_id.uuid())).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let rulebook = Rulebook::read(tx, &desk.tier_program)?;
    let named = |(order, cause): &&(OrderPlaced, Cause)| {
        buyer(desk, &order.buyer, (Source::Order, order.order_id.to_string()), cause)
    };
    let buyers: Vec<Buyer> = fresh.iter().map(named).collect();
    let resolved = resolve_members(tx, desk, rulebook.lowest_tier(), &buyers)?;
    let earnings = fresh
        .iter()
        .zip(&resolved)
        .map(|((order, _), buyer)| if buyer.member.is_some() { earn(&rulebook, order) } else { Ok(Earning::NOTHING) })
        .collect::<Result<Vec<_>, _>>()?;
    let of = |registered: bool| -> BTreeSet<MemberId> {
        resolved.iter().filter(|it| it.registered == registered).filter_map(|it| it.member).collect()
    };
    let new = of(true);
    let known: BTreeSet<MemberId> = of(false).difference(&new).copied().collect();
    let mut books = Books::open(tx, Opener::Orders, &known, None)?;
    books.enrol(&new, rulebook.lowest_tier(), tx.now());
    for (((order, cause), earning), buyer) in fresh.iter().zip(&earnings).zip(&resolved) {
        let Some(member) = buyer.member else { continue };
        let operation = Operation::new(format!("order:{}", order.order_id), order.placed_at);
        let points = earning.lines.iter().map(|line| line.points).sum();
        books.account(member, cause)?.earn(&operation, points);
    }
    remember(tx, &fresh, &resolved, &earnings)?;
    for ((order, cause), buyer) in fresh.iter().zip(&resolved) {
        let tier = buyer.member.and_then(|member| books.tier(member)).map(ToOwned::to_owned);
        outbox::append(tx, &BuyerIdentified { order_id: order.order_id, member_id: buyer.member, tier }, cause)?;
    }
    books.close(tx)?;
    Ok(())
}

/// The orders that were recorded before. A transaction that expects new rows fails when there are any.
fn recorded(tx: &mut Tx<'_>, placed: &[(OrderPlaced, Cause)]) -> Result<HashSet<Uuid>, store::Error> {
    if tx.rows() == Rows::New {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = placed.iter().map(|(order, _)| order.order_id.uuid()).collect();
    Ok(purchases::of(tx, &ids)?.into_iter().map(|row| row.order_id).collect())
}

/// The buyer of a purchase. An identity that cannot be used, such as a phone the marketplace has masked, is left out: the
/// goods have been bought.
pub(super) fn buyer(
    desk: &Desk,
    named: &contracts::events::Buyer,
    (source, reference): (Source, String),
    cause: &Cause,
) -> Buyer {
    let usable = |identity| match normalise(identity, desk.region) {
        Ok(identity) => Some(identity),
        Err(error) => {
            tracing::debug!(purchase.id = reference, reason = %error, "an identity of the buyer cannot be used");
            None
        }
    };
    Buyer {
        identities: named.identities.iter().filter_map(usable).collect(),
        register: true,
        profile: named.name.as_deref().map(Profile::named).unwrap_or_default(),
        source,
        reference,
        cause: cause.clone(),
    }
}

impl Earning {
    const NOTHING: Self = Self { rule_id: None, lines: Vec::new() };
}

fn earn(rulebook: &Rulebook, order: &OrderPlaced) -> Result<Earning, FactError> {
    let line = |line: &OrderLine| (line.line_no, line.quantity.get(), line.paid_amount);
    // What is left of a point goes to the first line: by number, since others may be added later.
    let mut sold: Vec<&OrderLine> = order.lines.iter().collect();
    sold.sort_unstable_by_key(|line| line.line_no);
    let lines: Vec<_> = sold.iter().copied().map(line).collect();
    let goods: Vec<_> = sold.iter().map(|line| (&line.sku, line.category.as_deref())).collect();
    reckon(rulebook, (order.order_id, &order.channel, order.currency), &lines, &goods)
}

/// What lines of `(number, units, paid)` earn, with the SKU and category of each.
pub(super) fn reckon<'a>(
    rulebook: &Rulebook,
    (order, channel, currency): (OrderId, &ChannelCode, Currency),
    lines: &[(i32, i64, i64)],
    goods: &[(&'a SkuCode, Option<&'a str>)],
) -> Result<Earning, FactError> {
    let rule = rulebook.earning_rule(channel);
    let earning =
        |((_, quantity, paid_amount), (sku, category)): (&(i32, i64, i64), &(&'a SkuCode, Option<&'a str>))| {
            EarningLine { sku, category: *category, quantity: *quantity, paid_amount: *paid_amount }
        };
    let earning: Vec<EarningLine<'a>> = lines.iter().zip(goods).map(earning).collect();
    let points = match rule {
        Some((_, rule)) => rule.points_per_line(currency, &earning),
        None => Some(vec![0; lines.len()]),
    };
    let detail = "its points leave the range of numbers".to_owned();
    let points = points.ok_or(FactError::Wrong { order, detail })?;
    let line = |((line_no, quantity, paid_amount), points): (&(i32, i64, i64), i64)| PurchasedLine {
        line_no: *line_no,
        quantity: *quantity,
        paid_amount: *paid_amount,
        points,
        given_back: 0,
    };
    Ok(Earning { rule_id: rule.map(|(id, _)| *id), lines: lines.iter().zip(points).map(line).collect() })
}

fn remember(
    tx: &mut Tx<'_>,
    placed: &[&(OrderPlaced, Cause)],
    resolved: &[Resolved],
    earnings: &[Earning],
) -> Result<(), store::Error> {
    let rows: Vec<PurchaseRow> = placed
        .iter()
        .zip(resolved)
        .zip(earnings)
        .map(|(((order, _), buyer), earning)| PurchaseRow {
            order_id: order.order_id.uuid(),
            member_id: buyer.member.map(MemberId::uuid),
            rule_id: earning.rule_id,
            currency: order.currency.code().to_owned(),
            placed_at: order.placed_at.utc(),
            completed_at: None,
        })
        .collect();
    purchases::insert(tx, &rows)?;
    let lines: Vec<(OrderId, PurchasedLine)> = placed
        .iter()
        .zip(earnings)
        .flat_map(|((order, _), earning)| earning.lines.iter().map(|line| (order.order_id, *line)))
        .collect();
    purchases::insert_lines(tx, &lines)
}
