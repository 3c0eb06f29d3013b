//! An order under its lock, with its lines and fulfilment orders: what every change but the hot ones works on.

use ::store::{Error, Tx};
use kernel::id::OrderId;
use uuid::Uuid;

use crate::domain::cover::{self, Piece};
use crate::domain::give_back::{Given, payment_status};
use crate::domain::line::Line;
use crate::domain::state::OrderStatus;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::history::{self, Change};
use crate::store::orders::{self, OrderRow};
use crate::store::{completions, lines, locks};

/// Who changes an order, and why.
#[derive(Clone, Debug)]
pub struct Actor {
    /// A client's id, or the service that answered.
    pub name: String,
    /// Why, when somebody said.
    pub reason: Option<String>,
}

impl Actor {
    /// An actor who gives no reason.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), reason: None }
    }
}

/// An order whose row is locked until the transaction ends.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its row.
    pub order: OrderRow,
    /// Its lines, in line order.
    pub lines: Vec<Line>,
    /// Its fulfilment orders, the first attempt's first.
    pub fulfilments: Vec<Fulfilment>,
}

impl Book {
    /// Locks and reads an order; none if there is no such order.
    pub fn open(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<Self>, Error> {
        let Some(order) = locks::order(tx, id)? else { return Ok(None) };
        Self::read(tx, order).map(Some)
    }

    /// Reads the rest of an order that is locked.
    pub fn read(tx: &mut Tx<'_>, order: OrderRow) -> Result<Self, Error> {
        let ids: [Uuid; 1] = [order.order_id];
        let rows = lines::of(tx, &ids)?.remove(&order.order_id).unwrap_or_default();
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            read.push(row.line()?);
        }
        let fulfilments = fulfilments::of(tx, &ids)?.remove(&order.order_id).unwrap_or_default();
        Ok(Self { order, lines: read, fulfilments })
    }

    /// What covering needs of its fulfilment orders.
    pub fn pieces(&self) -> Vec<Piece> {
        self.fulfilments.iter().map(Fulfilment::piece).collect()
    }

    /// Adds what goes back to the buyer; the units are in the lines already.
    pub fn give_back(&mut self, given: &Given) -> Result<(), Error> {
        self.order.given_back_amount = self.order.given_back_amount.saturating_add(given.total_amount);
        self.order.given_back_freight = self.order.given_back_freight.saturating_add(given.freight_amount);
        let every_unit = self.lines.iter().all(|line| line.given_back() == line.quantity);
        let next = payment_status(self.order.total_amount, self.order.given_back_amount, every_unit);
        let current = self.order.payment_status()?;
        if current != next && !current.may_become(next) {
            return Err(Error::Broken("money states follow their table"));
        }
        next.as_str().clone_into(&mut self.order.payment_status);
        Ok(())
    }

    /// Works out where the order stands now, writes it back with its lines, and notes the change. A delivered order's
    /// return window starts.
    pub fn settle(&mut self, tx: &mut Tx<'_>, actor: &Actor, what: &str, window_seconds: i64) -> Result<(), Error> {
        let current = self.order.status()?;
        let pieces = self.pieces();
        let next = match current {
            // What happens after the goods arrived changes money, not where the order stands.
            OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled => current,
            _ => cover::order_status(&self.lines, &pieces, self.order.backordered),
        };
        if next != current && !current.may_become(next) {
            return Err(Error::Broken("order states follow their table"));
        }
        next.as_str().clone_into(&mut self.order.status);
        self.order.version = self.order.version.saturating_add(1);
        lines::save(tx, self.order.order_id, &self.lines)?;
        orders::save(tx, std::slice::from_ref(&self.order))?;
        if next == OrderStatus::Delivered && current != OrderStatus::Delivered {
            completions::schedule(tx, self.order.order_id, tx.now().plus_seconds(window_seconds))?;
        }
        let what =
            if next == current || what == next.as_str() { what.to_owned() } else { format!("{what}; order {next}") };
        let reason = actor.reason.clone();
        history::add(tx, &[Change { order_id: self.order.id(), actor: actor.name.clone(), what, reason }])
    }

    /// Changes a fulfilment order in place and writes it back.
    pub fn save_fulfilment(&mut self, tx: &mut Tx<'_>, changed: Fulfilment) -> Result<Fulfilment, Error> {
        let changed = Fulfilment { version: changed.version.saturating_add(1), changed_at: tx.now(), ..changed };
        fulfilments::save(tx, std::slice::from_ref(&changed))?;
        let place = self.fulfilments.iter_mut().find(|it| it.id == changed.id);
        place.ok_or(Error::Broken("a fulfilment order belongs to its order"))?.clone_from(&changed);
        Ok(changed)
    }
}

/// Sorts steps per line and adds up those of the same line.
pub fn merge(steps: impl IntoIterator<Item = (i32, i64)>) -> Vec<(i32, i64)> {
    let mut sorted: Vec<(i32, i64)> = steps.into_iter().collect();
    sorted.sort_unstable();
    let mut merged: Vec<(i32, i64)> = Vec::with_capacity(sorted.len());
    for (line_no, units) in sorted {
        match merged.last_mut() {
            Some((last, sum)) if *last == line_no => *sum = sum.saturating_add(units),
            _ => merged.push((line_no, units)),
        }
    }
    merged
}
