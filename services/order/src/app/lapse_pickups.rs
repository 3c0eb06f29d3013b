//! Reminds buyers of goods that wait at the counter, and cancels what nobody has collected in time.

use std::collections::BTreeSet;

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentPickupDue, OrderCancelled};
use kernel::Timestamp;
use uuid::Uuid;

use super::book::{Actor, Book, write_back};
use super::cancel_order::{Cancelled, take_out, with_gifts};
use crate::domain::cover;
use crate::domain::give_back::FreightRefund;
use crate::domain::service_level::{Counts, Measure, Sum};
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::{deadlines, service_levels};

/// Pickups looked at in one step, so that no step holds locks for long.
const PICKUPS_PER_STEP: i64 = 300;

/// Why what nobody has collected is cancelled, as its event says.
const REASON: &str = "not_collected";

/// Opens the orders of what was found, but those that somebody works on or that are held: they are found again.
fn open(tx: &mut Tx<'_>, found: &[Uuid]) -> Result<Vec<Book>, Error> {
    let orders: BTreeSet<Uuid> = found.iter().copied().collect();
    let open = Book::open_free(tx, &orders.into_iter().collect::<Vec<_>>())?.into_values();
    Ok(open.filter(|book| !book.order.held).collect())
}

fn is_more(found: &[Uuid], done: usize) -> bool {
    done > 0 && i64::try_from(found.len()).is_ok_and(|found| found >= PICKUPS_PER_STEP)
}

fn ready(book: &Book, is_due: impl Fn(&Fulfilment) -> bool) -> Vec<Fulfilment> {
    let waits = |it: &&Fulfilment| it.status == FulfilmentStatus::Ready && is_due(it);
    book.fulfilments.iter().filter(waits).cloned().collect()
}

/// Tells once of each pickup that its time is nearly up; answers whether there are more.
pub fn remind_pickups(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let found = deadlines::to_remind(tx, now, PICKUPS_PER_STEP)?;
    let mut reminded = Vec::new();
    for book in open(tx, &found)? {
        for mut it in ready(&book, |it| it.times.remind_at.is_some_and(|at| at <= now.utc())) {
            it.times.remind_at = None;
            reminded.push(it);
        }
    }
    deadlines::no_longer_remind(tx, &reminded.iter().map(|it| it.id.uuid()).collect::<Vec<_>>())?;
    for it in &reminded {
        let Some(collect_by) = it.times.collect_by.map(Timestamp::from) else { continue };
        let (fulfilment_id, order_id, location) = (it.id, it.order_id, it.location.clone());
        let event = FulfilmentPickupDue { fulfilment_id, order_id, location, collect_by };
        outbox::append(tx, &event, &Cause::default())?;
    }
    Ok(is_more(&found, reminded.len()))
}

/// Cancels what was not collected in time; answers whether there is more.
pub fn lapse_pickups(tx: &mut Tx<'_>, rules: Rules) -> Result<bool, Error> {
    let now = tx.now();
    let found = deadlines::uncollected(tx, now, PICKUPS_PER_STEP)?;
    let mut books = open(tx, &found)?;
    let mut lapsed = Lapsed::default();
    let mut changed = Vec::new();
    for book in &mut books {
        let due = ready(book, |it| it.times.collect_by.is_some_and(|at| at <= now.utc()));
        if due.is_empty() {
            continue;
        }
        let locations: BTreeSet<&str> = due.iter().map(|it| it.location.as_str()).collect();
        let what = format!("{} lapsed", locations.into_iter().collect::<Vec<_>>().join(", "));
        let told = lapsed.cancelled.len();
        for it in &due {
            lapsed.lapse(book, it, rules.freight_refund, now)?;
        }
        if lapsed.cancelled.len() > told {
            let actor = Actor { name: "order".to_owned(), reason: Some("nobody has collected it in time".to_owned()) };
            lapsed.concluded.push(book.conclude(&actor, &what)?);
            changed.push(&*book);
        }
    }
    fulfilments::save(tx, &lapsed.fulfilments)?;
    if !changed.is_empty() {
        write_back(tx, &changed, &lapsed.concluded, rules)?;
    }
    let mut counts = Counts::default();
    let uncollected = lapsed.fulfilments.iter().filter(|it| it.status == FulfilmentStatus::Lapsed);
    uncollected.for_each(|it| counts.add(&it.location, Measure::Uncollected, Sum::ONE));
    service_levels::add(tx, now.day_in(rules.zone), &counts)?;
    for event in &lapsed.cancelled {
        outbox::append(tx, event, &Cause::default())?;
    }
    Ok(is_more(&found, lapsed.fulfilments.len()))
}

/// What a step has changed.
#[derive(Default)]
struct Lapsed {
    fulfilments: Vec<Fulfilment>,
    concluded: Vec<super::book::Concluded>,
    cancelled: Vec<OrderCancelled>,
}

impl Lapsed {
    /// Lapses a pickup of an order, in memory, with the gifts that come with what is in it. If the buyer has a part of one of its bundles already, it stays ready, for
    /// good: the rest is theirs to collect, or the store's to settle with them.
    fn lapse(&mut self, book: &mut Book, it: &Fulfilment, freight: FreightRefund, now: Timestamp) -> Result<(), Error> {
        // One lapse of a bundle may have cancelled parts of the next pickup.
        let Some(it) = book.fulfilments.iter().find(|now| now.id == it.id && now.status == it.status).cloned() else {
            return Ok(());
        };
        let (pieces, lapsed) = (book.pieces(), it.id);
        let plan = |steps: &[(i32, i64)]| cover::plan_lapse(&book.lines, &pieces, steps, lapsed);
        let planned = cover::lapsed_units(&book.lines, &it.piece()).and_then(|steps| with_gifts(book, &steps, plan));
        let Ok((steps, plan)) = planned else {
            let mut kept = it;
            (kept.times.collect_by, kept.times.remind_at) = (None, None);
            self.fulfilments.retain(|before| before.id != kept.id);
            self.fulfilments.push(book.change_fulfilment(kept, now)?);
            return Ok(());
        };
        let why = Cancelled { reason: REASON, lapsed: Some(it.id) };
        let (changed, event) = take_out(book, (&steps, plan), why, freight, now)?;
        self.fulfilments.retain(|before| !changed.iter().any(|it| it.id == before.id));
        self.fulfilments.extend(changed);
        self.cancelled.push(event);
        Ok(())
    }
}
