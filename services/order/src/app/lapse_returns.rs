//! Ends approved returns whose goods have not come in time: their units may be returned again, and what was promised instead
//! of them is promised no longer.

use std::collections::{BTreeMap, BTreeSet};

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::ReturnLapsed;
use kernel::id::{OrderId, ReturnId};
use uuid::Uuid;

use super::book::{Actor, Book, Concluded, write_back};
use super::end_unpaid::{Ending, end_unpaid};
use super::move_return::{explode, unclaim};
use crate::settings::Rules;
use crate::store::locks;
use crate::store::returns::{self, ReturnRow};

/// Returns looked at in one step, so that no step holds locks for long.
const RETURNS_PER_STEP: i64 = 300;

/// Why the order of an exchange is cancelled, as its event says.
const REASON: &str = "return_lapsed";

/// Ends a step's worth of returns whose goods have not come in time; answers whether there are more.
pub fn lapse_returns(tx: &mut Tx<'_>, rules: Rules) -> Result<bool, Error> {
    let found = returns::expired(tx, tx.now(), RETURNS_PER_STEP)?;
    let orders = |row: &ReturnRow| row.order_id.into_iter().chain(row.exchange_order_id);
    let wanted: BTreeSet<Uuid> = found.iter().flat_map(orders).collect();
    let mut books = Book::open_free(tx, &wanted.into_iter().collect::<Vec<_>>())?;
    // A return is looked at only with all of its orders; one whose orders somebody works on is found again.
    let free = found.iter().filter(|row| orders(row).all(|order| books.contains_key(&order)));
    let free: Vec<Uuid> = free.map(|row| row.return_id).collect();
    let lapsed = locks::expired_returns(tx, &free, tx.now())?;
    let ids: Vec<Uuid> = lapsed.iter().map(|row| row.return_id).collect();
    returns::lapse(tx, &ids, tx.now())?;
    release(tx, &mut books, &lapsed, rules)?;
    let is_full = i64::try_from(found.len()).is_ok_and(|found| found >= RETURNS_PER_STEP);
    Ok(is_full && !lapsed.is_empty())
}

/// Lets the orders of lapsed returns go on without them.
fn release(tx: &mut Tx<'_>, books: &mut BTreeMap<Uuid, Book>, lapsed: &[ReturnRow], rules: Rules) -> Result<(), Error> {
    let actor = Actor { name: "order".to_owned(), reason: Some("the goods have not come in time".to_owned()) };
    let exchanges: BTreeSet<Uuid> = lapsed.iter().filter_map(|row| row.exchange_order_id).collect();
    let wanted = books.values_mut().filter(|book| exchanges.contains(&book.order.order_id)).collect();
    end_unpaid(tx, wanted, &Ending { reason: REASON, actor: actor.clone(), cause: &Cause::default() }, rules)?;
    let lines = returns::lines(tx, &lapsed.iter().map(|row| row.return_id).collect::<Vec<_>>())?;
    let mut touched = BTreeSet::new();
    for row in lapsed {
        let lines = lines.get(&row.return_id).map(Vec::as_slice).unwrap_or_default();
        if let Some(book) = row.order_id.and_then(|order| books.get_mut(&order)) {
            unclaim(book, lines);
            touched.insert(book.order.order_id);
        }
        let mut told = Vec::with_capacity(lines.len());
        for line in lines {
            explode(line, line.quantity, None, &mut told)?;
        }
        let event = ReturnLapsed {
            return_id: ReturnId(row.return_id),
            order_id: row.order_id.map(OrderId),
            lines: told,
            exchange_order_id: row.exchange_order_id.map(OrderId),
            lapsed_at: tx.now(),
        };
        outbox::append(tx, &event, &Cause::default())?;
    }
    let mut changed: Vec<&mut Book> =
        books.values_mut().filter(|book| touched.contains(&book.order.order_id)).collect();
    let concluded: Vec<Concluded> =
        changed.iter_mut().map(|book| book.conclude(&actor, "return lapsed")).collect::<Result<_, _>>()?;
    if changed.is_empty() {
        return Ok(());
    }
    write_back(tx, &changed.iter().map(|book| &**book).collect::<Vec<_>>(), &concluded, rules)
}
