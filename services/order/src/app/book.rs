//! An order under its lock, with its lines and fulfilment orders: what every change but the hot ones works on.

use std::collections::BTreeMap;

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::FulfilmentOffered;
use kernel::Timestamp;
use kernel::id::{OrderId, RefundId};
use uuid::Uuid;

use super::pay_back::{PayBack, RefundCause, pay_back};
use crate::domain::cover::{self, Piece};
use crate::domain::give_back::Given;
use crate::domain::line::Line;
use crate::domain::payment_terms::PaymentTerms;
use crate::domain::service_level::{Counts, Measure, Sum};
use crate::domain::state::{FulfilmentStatus, OrderStatus};
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::history::{self, Change};
use crate::store::lines::LineRow;
use crate::store::orders::{self, OrderRow};
use crate::store::payments;
use crate::store::{completions, lines, locks, service_levels};

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
    /// What goes back since it was opened, until that is noted.
    pub going_back: GoingBack,
    /// Whether what payments promise, or the buyer has paid, changed since it was opened.
    pub settles: bool,
}

/// Money that goes back to the buyer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoingBack {
    /// Freight in it.
    pub freight_amount: i64,
    /// All of it.
    pub total_amount: i64,
}

impl Book {
    /// Locks and reads an order; none if there is no such order.
    pub fn open(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<Self>, Error> {
        let Some(order) = locks::order(tx, id)? else { return Ok(None) };
        Self::read(tx, order).map(Some)
    }

    /// Locks and reads orders; those that do not exist are left out.
    pub fn open_all(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Self>, Error> {
        let locked = locks::orders(tx, ids)?;
        Self::read_all(tx, locked)
    }

    /// As [`Book::open_all`], without the orders that somebody else works on.
    pub fn open_free(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Self>, Error> {
        let locked = locks::free_orders(tx, ids)?;
        Self::read_all(tx, locked)
    }

    fn read_all(tx: &mut Tx<'_>, locked: BTreeMap<Uuid, OrderRow>) -> Result<BTreeMap<Uuid, Self>, Error> {
        let ids: Vec<Uuid> = locked.keys().copied().collect();
        let mut lines = lines::of(tx, &ids)?;
        let mut fulfilments = fulfilments::of(tx, &ids)?;
        let mut books = BTreeMap::new();
        for (id, order) in locked {
            let rows = lines.remove(&id).unwrap_or_default();
            let lines = rows.iter().map(LineRow::line).collect::<Result<_, _>>()?;
            let fulfilments = fulfilments.remove(&id).unwrap_or_default();
            books.insert(id, Self { order, lines, fulfilments, going_back: GoingBack::default(), settles: false });
        }
        Ok(books)
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
        Ok(Self { order, lines: read, fulfilments, going_back: GoingBack::default(), settles: false })
    }

    /// Whether nobody was told of it yet, because a rule holds it.
    pub fn is_untold(&self) -> Result<bool, Error> {
        Ok(self.order.status()? == OrderStatus::Held)
    }

    /// What covering needs of its fulfilment orders.
    pub fn pieces(&self) -> Vec<Piece> {
        self.fulfilments.iter().map(Fulfilment::piece).collect()
    }

    /// Adds what goes back to the buyer; the units are in the lines already. What of it is refunded is noted with the order.
    pub fn give_back(&mut self, given: &Given) -> Result<(), Error> {
        let mut balance = self.order.balance();
        let beyond = |_| Error::Broken("no more goes back than an order costs");
        let refunded = balance.give_back(given.total_amount).map_err(beyond)?;
        self.settles = self.settles || balance.authorised < self.order.authorised_amount;
        self.order.set_balance(balance, self.is_given_back())?;
        self.order.given_back_freight = self.order.given_back_freight.saturating_add(given.freight_amount);
        let back = &mut self.going_back;
        back.freight_amount = back.freight_amount.saturating_add(given.freight_amount.min(refunded));
        back.total_amount = back.total_amount.saturating_add(refunded);
        Ok(())
    }

    /// Whether it has arrived and nothing is due of it any more, but may have been when its return window ended: then nobody
    /// has looked at it since. One whose window still runs is left to it.
    fn is_settled_late(&self) -> bool {
        let order = &self.order;
        order.status == OrderStatus::Delivered.as_str()
            && order.due_amount == 0
            && order.authorised_amount == 0
            && (self.settles || order.payment_terms == PaymentTerms::OnDelivery.as_str())
    }

    /// Whether every unit was given back.
    pub fn is_given_back(&self) -> bool {
        self.lines.iter().all(|line| line.given_back() == line.quantity)
    }

    /// Works out where the order stands now, writes it back with its lines, and notes the change. A delivered order's
    /// return window starts.
    pub fn settle(&mut self, tx: &mut Tx<'_>, actor: &Actor, what: &str, rules: Rules) -> Result<(), Error> {
        let concluded = self.conclude(actor, what)?;
        write_back(tx, &[&*self], &[concluded], rules)
    }

    /// Works out where the order stands now, for [`write_back`] to write.
    pub fn conclude(&mut self, actor: &Actor, what: &str) -> Result<Concluded, Error> {
        let current = self.order.status()?;
        let pieces = self.pieces();
        let next = match current {
            // What happens after the goods arrived changes money, not where the order stands.
            OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled => current,
            // Only its release lets it go on.
            OrderStatus::Held if self.lines.iter().any(|line| line.live() > 0) => current,
            _ => cover::order_status(&self.lines, &pieces, self.order.waits()),
        };
        self.turn(next, actor, what)
    }

    /// Notes what does not change where the order stands, for [`write_back`] to write.
    pub fn note(&mut self, actor: &Actor, what: &str) -> Result<Concluded, Error> {
        let current = self.order.status()?;
        self.turn(current, actor, what)
    }

    /// Puts the order where its parts do not tell that it stands, for [`write_back`] to write.
    pub fn turn(&mut self, next: OrderStatus, actor: &Actor, what: &str) -> Result<Concluded, Error> {
        let current = self.order.status()?;
        if next != current && !current.may_become(next) {
            return Err(Error::Broken("order states follow their table"));
        }
        next.as_str().clone_into(&mut self.order.status);
        self.order.version = self.order.version.saturating_add(1);
        let what =
            if next == current || what == next.as_str() { what.to_owned() } else { format!("{what}; order {next}") };
        let change =
            Change { order_id: self.order.id(), actor: actor.name.clone(), what, reason: actor.reason.clone() };
        let delivered = next == OrderStatus::Delivered && current != OrderStatus::Delivered;
        Ok(Concluded { change, delivered, going_back: std::mem::take(&mut self.going_back) })
    }

    /// Takes a fulfilment order back from its location, which has refused nothing; whoever does it writes it back.
    pub fn take_back(&mut self, it: Fulfilment, reason: &str, now: Timestamp) -> Result<Fulfilment, Error> {
        self.order.disturbed = true;
        let (status, reason) = (FulfilmentStatus::Rejected, Some(reason.to_owned()));
        self.change_fulfilment(Fulfilment { status, reason, recalled: true, ..it }, now)
    }

    /// Changes a fulfilment order in place; whoever does it writes it back.
    pub fn change_fulfilment(&mut self, changed: Fulfilment, now: Timestamp) -> Result<Fulfilment, Error> {
        let changed = Fulfilment { version: changed.version.saturating_add(1), changed_at: now, ..changed };
        let place = self.fulfilments.iter_mut().find(|it| it.id == changed.id);
        place.ok_or(Error::Broken("a fulfilment order belongs to its order"))?.clone_from(&changed);
        Ok(changed)
    }
}

/// What a change made of an order.
#[derive(Clone, Debug)]
pub struct Concluded {
    change: Change,
    /// Whether everything has reached the buyer by it.
    delivered: bool,
    /// What goes back by it.
    going_back: GoingBack,
}

impl Concluded {
    /// The refund by it, if anything goes back.
    fn refund(&self, now: Timestamp) -> Option<PayBack> {
        let GoingBack { freight_amount, total_amount } = self.going_back;
        (total_amount > 0).then(|| PayBack {
            refund_id: RefundId::at(now),
            order_id: Some(self.change.order_id),
            cause: RefundCause::Cancellation,
            return_id: None,
            freight_amount,
            total_amount,
            exchange_amount: 0,
            reason: self.change.reason.clone(),
        })
    }
}

/// Writes orders back with their lines, and notes their changes and what goes back by them. The return window of delivered
/// ones starts.
pub fn write_back(tx: &mut Tx<'_>, books: &[&Book], concluded: &[Concluded], rules: Rules) -> Result<(), Error> {
    lines::save(tx, books.iter().map(|book| (book.order.order_id, book.lines.as_slice())))?;
    orders::save(tx, &books.iter().map(|book| &book.order).collect::<Vec<_>>())?;
    let delivered = concluded.iter().filter(|it| it.delivered).map(|it| it.change.order_id.uuid());
    completions::schedule(tx, &delivered.collect::<Vec<_>>(), tx.now().plus_seconds(rules.return_window_seconds))?;
    let settled = books.iter().filter(|book| book.is_settled_late()).map(|book| book.order.order_id);
    completions::schedule(tx, &settled.collect::<Vec<_>>(), tx.now())?;
    let settled = books.iter().filter(|book| book.settles);
    payments::lower(tx, &settled.map(|it| (it.order.order_id, it.order.authorised_amount)).collect::<Vec<_>>())?;
    offer_paid(tx, books, rules)?;
    let refunds: Vec<PayBack> = concluded.iter().filter_map(|it| it.refund(tx.now())).collect();
    pay_back(tx, &refunds)?;
    history::add(tx, &concluded.iter().map(|it| it.change.clone()).collect::<Vec<_>>())
}

/// Asks the locations of orders that nothing is due of any more.
fn offer_paid(tx: &mut Tx<'_>, books: &[&Book], rules: Rules) -> Result<(), Error> {
    let paid = books.iter().filter(|book| !book.order.awaits_payment()).flat_map(|book| &book.fulfilments);
    let waiting: Vec<&Fulfilment> = paid.filter(|it| it.status == FulfilmentStatus::Waiting).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    fulfilments::ask(tx, &waiting.iter().map(|it| it.id.uuid()).collect::<Vec<_>>())?;
    let offered = |it: &&Fulfilment| FulfilmentOffered {
        fulfilment_id: it.id,
        order_id: it.order_id,
        location: it.location.clone(),
        lines: it.lines.clone(),
        offered_at: tx.now(),
    };
    let offered: Vec<FulfilmentOffered> = waiting.iter().map(offered).collect();
    let mut counts = Counts::default();
    for event in &offered {
        outbox::append(tx, event, &Cause::default())?;
        counts.add(&event.location, Measure::Offered, Sum::ONE);
    }
    service_levels::add(tx, tx.now().day_in(rules.zone), &counts)
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
