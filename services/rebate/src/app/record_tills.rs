//! Tills told what they sold and took back: the sale is recorded, credited once the buyer is known, and earned at once.
//!
//! Tills send in any order. So what is back of a sale is worked out anew from everything that was told about it, and the
//! rebates move by the difference: whichever came first, they end at the same.

use std::collections::{BTreeMap, HashMap};

use contracts::Cause;
use contracts::events::{PosIdentified, PosKind, PosLine, PosRebateAccrued, PosRebateReversed, PosRecorded};
use kernel::id::{OrderId, PosTransactionId, RebateLineId};
use kernel::{Money, Rounding, Timestamp, telescope};
use store::{Tx, outbox};
use uuid::Uuid;

use super::FactError;
use super::accrue::{AccrueOrder, accrue};
use super::books::{Posting, Step, post};
use super::earn::{EarnOrder, earn};
use crate::domain::sale::{Sale, SaleLine};
use crate::store::facts;
use crate::store::lines::{self, LineRow};
use crate::store::locks::{lock_orders, lock_tills};
use crate::store::tills::{self, Numbered, Returned, Undone};

/// Because of what a sale's rebates move.
struct Because<'a> {
    transaction_id: Uuid,
    occurred_at: Timestamp,
    cause: &'a Cause,
}

/// Records what tills sold, took back and undid, each once. A sale whose buyer is not known yet waits for that.
pub fn record_tills(tx: &mut Tx<'_>, told: &[(PosRecorded, Cause)]) -> Result<(), FactError> {
    lock_tills(tx)?;
    record_sales(tx, told)?;
    let touched = note_what_is_back(tx, told)?;
    let causes: HashMap<Uuid, &(PosRecorded, Cause)> = told.iter().map(|it| (it.0.transaction_id.uuid(), it)).collect();
    let because = |(sale, transaction_id): (Uuid, Uuid)| {
        let (event, cause) = causes.get(&transaction_id)?;
        Some((sale, Because { transaction_id, occurred_at: event.occurred_at, cause }))
    };
    settle(tx, &touched.into_iter().filter_map(because).collect())
}

/// Credits sales of tills to their guide, store and dealer: they earn, and it is owed at once.
pub fn credit_tills(tx: &mut Tx<'_>, told: &[(PosIdentified, Cause)]) -> Result<(), FactError> {
    lock_tills(tx)?;
    let order = |(it, cause): &(PosIdentified, Cause)| AccrueOrder {
        order_id: OrderId(it.transaction_id.uuid()),
        member_id: it.member_id,
        at_till: true,
        cause: cause.clone(),
    };
    accrue(tx, &told.iter().map(order).collect::<Vec<_>>())?;
    let ids: Vec<Uuid> = told.iter().map(|(it, _)| it.transaction_id.uuid()).collect();
    let sales = facts::sales(tx, &ids)?;
    let sold: Vec<EarnOrder> =
        sales.values().map(|sale| EarnOrder { order_id: sale.order_id, completed_at: sale.placed_at }).collect();
    earn(tx, &sold)?;
    let because = |(it, cause)| {
        let (it, cause): (&PosIdentified, &Cause) = (it, cause);
        let transaction_id = it.transaction_id.uuid();
        let occurred_at = sales.get(&OrderId(transaction_id))?.placed_at;
        Some((transaction_id, Because { transaction_id, occurred_at, cause }))
    };
    settle(tx, &told.iter().map(|(it, cause)| (it, cause)).filter_map(because).collect())
}

fn sold(event: &PosRecorded) -> impl Iterator<Item = &PosLine> {
    event.lines.iter().filter(|line| line.quantity > 0)
}

fn record_sales(tx: &mut Tx<'_>, told: &[(PosRecorded, Cause)]) -> Result<(), store::Error> {
    let (mut sales, mut numbers) = (Vec::new(), Vec::new());
    for (event, _) in told.iter().filter(|(event, _)| event.kind != PosKind::Void && sold(event).next().is_some()) {
        let order_id = event.transaction_id.uuid();
        sales.push(sale_of(event));
        numbers.push(Numbered {
            store: event.store.as_str(),
            terminal: &event.terminal,
            business_date: event.business_date,
            sequence: event.sequence,
            order_id,
        });
    }
    if sales.is_empty() {
        return Ok(());
    }
    facts::insert_sales(tx, &sales)?;
    tills::insert_sales(tx, &numbers)
}

/// What a till sold; the store it stands in is the store of the sale.
fn sale_of(event: &PosRecorded) -> Sale {
    let line = |line: &PosLine| SaleLine {
        line_no: line.line_no,
        sku: line.sku.to_string(),
        category: line.category.clone(),
        quantity: line.quantity,
        list_amount: line.list_amount,
        paid_amount: line.paid_amount,
        added: false,
    };
    Sale {
        order_id: OrderId(event.transaction_id.uuid()),
        channel: event.channel.to_string(),
        placed_at: event.occurred_at,
        currency: event.currency,
        guide: event.guide.as_ref().map(ToString::to_string),
        store: Some(event.store.to_string()),
        lines: sold(event).map(line).collect(),
    }
}

/// Notes what came back and what was undone. Answers the sales that this is about, each with a transaction because of which
/// it changes.
fn note_what_is_back(tx: &mut Tx<'_>, told: &[(PosRecorded, Cause)]) -> Result<BTreeMap<Uuid, Uuid>, store::Error> {
    let (mut returns, mut undone) = (Vec::new(), Vec::new());
    for (event, _) in told {
        let (transaction_id, occurred_at) = (event.transaction_id.uuid(), event.occurred_at.utc());
        if event.kind == PosKind::Void {
            let voids =
                event.voids.map(|it| Undone { transaction_id: it.uuid(), void_id: transaction_id, occurred_at });
            undone.extend(voids);
            continue;
        }
        let back = event.lines.iter().filter(|line| line.quantity < 0);
        returns.extend(back.filter_map(|line| {
            Some(Returned {
                transaction_id,
                line_no: line.line_no,
                original: line.original.as_ref()?,
                quantity: line.quantity.saturating_neg(),
                amount: line.paid_amount.saturating_neg(),
                occurred_at,
            })
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

/// Moves the rebates of these sales, as far as they are credited already, to what is kept of the sales.
fn settle(tx: &mut Tx<'_>, because: &BTreeMap<Uuid, Because<'_>>) -> Result<(), FactError> {
    if because.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = because.keys().copied().collect();
    let credited: Vec<Uuid> = lock_orders(tx, &ids)?.into_iter().map(|order| order.order_id).collect();
    if credited.is_empty() {
        return Ok(());
    }
    let back = tills::back_of(tx, &credited)?;
    let mut moved = Moved::default();
    for mut line in lines::of_orders(tx, &credited)? {
        let Some(because) = because.get(&line.order_id) else { continue };
        let units_back = back.of(line.order_id, line.line_no, line.quantity);
        if units_back == line.units_back {
            continue;
        }
        let step = telescope(line.amount, line.quantity, line.units_back, units_back, Rounding::HalfUp);
        let step = step.ok_or_else(|| FactError::Refused {
            order_id: OrderId(line.order_id),
            why: "the amounts leave the range of numbers".to_owned(),
        })?;
        line.units_back = units_back;
        line.amount_back = line.amount_back.saturating_add(step);
        moved.add(&line, step, because)?;
        tell(tx, &line, step, because.cause)?;
        moved.lines.push(line);
    }
    lines::update_back(tx, &moved.lines.iter().collect::<Vec<_>>())?;
    post(tx, &moved.postings.into_values().collect::<Vec<_>>())
}

/// Lines that changed, and what they move in the books.
#[derive(Default)]
struct Moved {
    lines: Vec<LineRow>,
    postings: BTreeMap<(Uuid, bool), Posting>,
}

impl Moved {
    fn add(&mut self, line: &LineRow, step: i64, because: &Because<'_>) -> Result<(), FactError> {
        let taken = step > 0;
        let currency = super::stored_currency(&line.currency)?;
        let posting = self.postings.entry((line.order_id, taken)).or_insert_with(|| Posting {
            order_id: OrderId(line.order_id),
            step: if taken { Step::ReversePayable } else { Step::Restore },
            source: format!("{}/{}", because.transaction_id, line.order_id),
            currency,
            occurred_at: because.occurred_at,
            amounts: BTreeMap::new(),
        });
        posting.add(&line.payee, step.saturating_abs())
    }
}

fn tell(tx: &mut Tx<'_>, line: &LineRow, step: i64, cause: &Cause) -> Result<(), FactError> {
    let (line_id, transaction_id) = (RebateLineId(line.line_id), PosTransactionId(line.order_id));
    let payee = super::stored_code(&line.payee)?;
    let amount = Money::new(step.saturating_abs(), super::stored_currency(&line.currency)?);
    match step {
        0 => {}
        1.. => outbox::append(tx, &PosRebateReversed { line_id, transaction_id, payee, amount }, cause)?,
        _ => outbox::append(tx, &PosRebateAccrued { line_id, transaction_id, payee, amount }, cause)?,
    }
    Ok(())
}
