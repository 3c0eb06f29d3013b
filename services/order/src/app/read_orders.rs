//! Reads orders with everything that belongs to them, in a constant number of statements.

use std::cmp::Reverse;

use ::store::{Error, Tx};
use chrono::{DateTime, Utc};
use kernel::id::OrderId;
use uuid::Uuid;

use crate::domain::gifts;
use crate::domain::line::Line;
use crate::domain::state::ReturnStatus;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::history::{self, ChangeRow};
use crate::store::holds::{self, HoldRow};
use crate::store::lines::{self, LineRow};
use crate::store::members;
use crate::store::orders::{self, OrderRow};
use crate::store::payment_deadlines;
use crate::store::payments::{self, PartRow, PaymentRow, RefundRow};
use crate::store::returns::{self, ReturnLineRow, ReturnRow};
use crate::store::search::{self, Filter, Place};

/// A return with its lines.
#[derive(Clone, Debug)]
pub struct ReadReturn {
    /// Its row.
    pub row: ReturnRow,
    /// Its lines' rows.
    pub lines: Vec<ReturnLineRow>,
    /// The gifts that are to come back as well: the order's line and how many units.
    pub gifts_due: Vec<(i32, i64)>,
}

/// A refund with its parts per payment.
#[derive(Clone, Debug)]
pub struct ReadRefund {
    /// Its row.
    pub row: RefundRow,
    /// Its parts' rows.
    pub parts: Vec<PartRow>,
}

/// An order with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct ReadOrder {
    /// Its row.
    pub order: OrderRow,
    /// Its lines' rows.
    pub lines: Vec<LineRow>,
    /// The member who bought, when known.
    pub member: Option<Uuid>,
    /// Its fulfilment orders.
    pub fulfilments: Vec<Fulfilment>,
    /// What holds it, or did.
    pub holds: Vec<HoldRow>,
    /// Until when something of it is to be paid; none of an order that waits for no payment.
    pub pay_by: Option<DateTime<Utc>>,
    /// Its payments.
    pub payments: Vec<PaymentRow>,
    /// Its refunds; a list leaves them out.
    pub refunds: Vec<ReadRefund>,
    /// Its returns; a list leaves them out.
    pub returns: Vec<ReadReturn>,
    /// Its changes after the intake; a list leaves them out.
    pub history: Vec<ChangeRow>,
}

/// One order.
pub fn read_order(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<ReadOrder>, Error> {
    let Some(row) = orders::find(tx, id)? else { return Ok(None) };
    let Some(mut order) = with_parts(tx, vec![row])?.pop() else { return Ok(None) };
    let filter = returns::Filter { order_id: Some(id.uuid()), ..returns::Filter::default() };
    let rows = returns::list(tx, &filter, i64::from(i32::MAX))?;
    order.returns = with_lines(tx, rows)?;
    order.refunds = refunds(tx, id.uuid())?;
    order.history = history::of(tx, id.uuid())?;
    Ok(Some(order))
}

/// A page of a list of orders.
#[derive(Clone, Debug)]
pub struct OrdersPage {
    /// The orders, the newest first.
    pub orders: Vec<ReadOrder>,
    /// Where the next page goes on; none after the last.
    pub next: Option<Place>,
}

/// A page of orders.
pub fn list_orders(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<OrdersPage, Error> {
    let found = search::search(tx, filter, limit)?;
    let ids: Vec<Uuid> = found.places.iter().map(|place| place.order_id).collect();
    let mut rows = orders::with_ids(tx, &ids)?;
    rows.sort_unstable_by_key(|row| Reverse((row.placed_at, row.order_id)));
    Ok(OrdersPage { orders: with_parts(tx, rows)?, next: found.next })
}

/// One return.
pub fn read_return(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<ReadReturn>, Error> {
    match returns::find(tx, id)? {
        Some(row) => Ok(with_lines(tx, vec![row])?.pop()),
        None => Ok(None),
    }
}

/// A page of returns.
pub fn list_returns(tx: &mut Tx<'_>, filter: &returns::Filter, limit: i64) -> Result<Vec<ReadReturn>, Error> {
    let rows = returns::list(tx, filter, limit)?;
    with_lines(tx, rows)
}

fn refunds(tx: &mut Tx<'_>, order: Uuid) -> Result<Vec<ReadRefund>, Error> {
    let rows = payments::refunds_of(tx, order)?;
    let mut parts = payments::parts_of(tx, &rows.iter().map(|row| row.refund_id).collect::<Vec<_>>())?;
    let read = |row: RefundRow| ReadRefund { parts: parts.remove(&row.refund_id).unwrap_or_default(), row };
    Ok(rows.into_iter().map(read).collect())
}

fn with_parts(tx: &mut Tx<'_>, rows: Vec<OrderRow>) -> Result<Vec<ReadOrder>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.order_id).collect();
    let mut lines = lines::of(tx, &ids)?;
    let mut fulfilments = fulfilments::of(tx, &ids)?;
    let members = members::of(tx, &ids)?;
    let mut holds = holds::of(tx, &ids)?;
    let mut payments = payments::of(tx, &ids)?;
    let unpaid: Vec<Uuid> = rows.iter().filter(|row| row.awaits_payment()).map(|row| row.order_id).collect();
    let deadlines = payment_deadlines::of(tx, &unpaid)?;
    let read = |order: OrderRow| ReadOrder {
        lines: lines.remove(&order.order_id).unwrap_or_default(),
        member: members.get(&order.order_id).copied(),
        fulfilments: fulfilments.remove(&order.order_id).unwrap_or_default(),
        holds: holds.remove(&order.order_id).unwrap_or_default(),
        pay_by: deadlines.get(&order.order_id).map(|row| row.due_at),
        payments: payments.remove(&order.order_id).unwrap_or_default(),
        refunds: Vec::new(),
        returns: Vec::new(),
        history: Vec::new(),
        order,
    };
    Ok(rows.into_iter().map(read).collect())
}

fn with_lines(tx: &mut Tx<'_>, rows: Vec<ReturnRow>) -> Result<Vec<ReadReturn>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.return_id).collect();
    let mut returned = returns::lines(tx, &ids)?;
    let orders: Vec<Uuid> = rows.iter().filter_map(|row| row.order_id).collect();
    let with_gifts = lines::with_gifts(tx, &orders)?;
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let lines = returned.remove(&row.return_id).unwrap_or_default();
        let is_over = matches!(row.status()?, ReturnStatus::Cancelled | ReturnStatus::Lapsed);
        let ordered = row.order_id.and_then(|order| with_gifts.get(&order)).filter(|_| !is_over);
        let ordered: Vec<Line> = ordered.into_iter().flatten().map(LineRow::line).collect::<Result<_, _>>()?;
        let returned: Vec<i32> = lines.iter().filter_map(|line| line.line_no).collect();
        read.push(ReadReturn { gifts_due: gifts::due_back(&ordered, &returned), lines, row });
    }
    Ok(read)
}
