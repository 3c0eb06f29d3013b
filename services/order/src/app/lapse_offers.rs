//! Takes offers back that no location has answered in time, so that what is in them is sourced anew.
//!
//! Offers of goods to be collected stay: no other location may have them, so they would be offered to the same one for
//! ever. While an order is held no location can answer: then its offers have their time anew from its release on.

use std::collections::BTreeSet;

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::FulfilmentKind;
use kernel::Timestamp;
use uuid::Uuid;

use super::book::{Actor, Book, write_back};
use crate::domain::service_level::{Counts, Measure, Sum};
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};
use crate::store::{deadlines, holds, service_levels};

/// Offers looked at in one step, so that no step holds locks for long.
const OFFERS_PER_STEP: i64 = 300;

/// Why a lapsed offer stands as it does, and what its event says.
pub const REASON: &str = "lapsed";

/// Lapses a step's worth of offers; answers whether there are more.
pub fn lapse_offers(tx: &mut Tx<'_>, rules: Rules) -> Result<bool, Error> {
    let seconds = i64::from(rules.fulfilment.offer_lapses_after_seconds);
    if seconds == 0 {
        return Ok(false);
    }
    let offered_until = tx.now().plus_seconds(seconds.saturating_neg());
    let found = deadlines::unanswered(tx, offered_until, OFFERS_PER_STEP)?;
    let orders: BTreeSet<Uuid> = found.iter().copied().collect();
    // What was seen before the orders' locks may have changed; an order that somebody works on is found again.
    let mut books = Book::open_free(tx, &orders.into_iter().collect::<Vec<_>>())?;
    let held = holds::held_since(tx, &found, offered_until)?;
    let mut lapsed = Vec::new();
    let mut changed = Vec::new();
    let mut concluded = Vec::new();
    for book in books.values_mut().filter(|book| !held.contains(&book.order.order_id)) {
        let theirs = lapse(book, offered_until, tx.now())?;
        if theirs.is_empty() {
            continue;
        }
        book.order.disturbed = true;
        let from: Vec<&str> = theirs.iter().map(|it| it.location.as_str()).collect();
        let actor = Actor { name: "order".to_owned(), reason: Some("nobody has answered in time".to_owned()) };
        concluded.push(book.conclude(&actor, &format!("{} lapsed", from.join(", ")))?);
        lapsed.extend(theirs);
        changed.push(&*book);
    }
    fulfilments::save(tx, &lapsed)?;
    if !changed.is_empty() {
        write_back(tx, &changed, &concluded, rules)?;
    }
    let mut counts = Counts::default();
    lapsed.iter().for_each(|it| counts.add(&it.location, Measure::Lapsed, Sum::ONE));
    service_levels::add(tx, tx.now().day_in(rules.zone), &counts)?;
    tell(tx, &lapsed)?;
    Ok(!lapsed.is_empty() && i64::try_from(found.len()).is_ok_and(|found| found >= OFFERS_PER_STEP))
}

/// Lapses an order's offers that are due, in memory.
fn lapse(book: &mut Book, offered_until: Timestamp, now: Timestamp) -> Result<Vec<Fulfilment>, Error> {
    let is_due = |it: &&Fulfilment| {
        it.status == FulfilmentStatus::Offered && it.kind == FulfilmentKind::Ship && it.offered_at <= offered_until
    };
    let due: Vec<Fulfilment> = book.fulfilments.iter().filter(is_due).cloned().collect();
    let lapsed =
        |it: Fulfilment| Fulfilment { status: FulfilmentStatus::Lapsed, reason: Some(REASON.to_owned()), ..it };
    due.into_iter().map(|it| book.change_fulfilment(lapsed(it), now)).collect()
}

/// To whoever sources, a location that does not answer is one that refuses.
fn tell(tx: &mut Tx<'_>, lapsed: &[Fulfilment]) -> Result<(), Error> {
    for it in lapsed {
        outbox::append(tx, &it.rejected(tx.now()), &Cause::default())?;
    }
    Ok(())
}
