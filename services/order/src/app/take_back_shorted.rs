//! Takes fulfilment orders back whose goods a till has sold, so that they are sourced elsewhere.
//!
//! The inventory tells what it lacks and to whom it is promised. Whether a location has begun is known here alone, and the
//! order's row lock decides between this and a picker: what was picked first stays.

use std::collections::BTreeMap;

use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{FulfilmentKind, FulfilmentRejected, StockOwing, StockShorted};
use kernel::SkuCode;
use kernel::id::FulfilmentId;
use uuid::Uuid;

use super::book::{Actor, Book, write_back};
use super::source_orders::INVENTORY;
use crate::domain::state::FulfilmentStatus;
use crate::settings::Rules;
use crate::store::fulfilments::{self, Fulfilment};

/// Takes back what covers the requests, as far as anything can be.
pub fn take_back_shorted(tx: &mut Tx<'_>, requests: &[(StockShorted, Cause)], rules: Rules) -> Result<(), Error> {
    let ids: Vec<Uuid> = requests.iter().flat_map(|(it, _)| &it.promised).map(|it| it.order_id.uuid()).collect();
    let mut books = Book::open_all(tx, &ids)?;
    let mut taken = Vec::new();
    let mut why: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for (request, cause) in requests {
        for (order, fulfilment) in chosen(&books, request) {
            let Some(book) = books.get_mut(&order) else { continue };
            let Some(it) = book.fulfilments.iter().find(|it| it.id == fulfilment).cloned() else { continue };
            let it = book.take_back(it, FulfilmentRejected::SHORTED, tx.now())?;
            outbox::append(tx, &it.rejected(tx.now()), cause)?;
            taken.push(it);
            why.entry(order).or_default().push(format!("{} of {}", request.sku, request.location));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    fulfilments::save(tx, &taken)?;
    let mut concluded = Vec::with_capacity(why.len());
    let mut changed = Vec::with_capacity(why.len());
    for (order, what) in why {
        let Some(mut book) = books.remove(&order) else { continue };
        let reason = Some(format!("a till sold {}", what.join(", ")));
        let actor = Actor { name: INVENTORY.to_owned(), reason };
        concluded.push(book.conclude(&actor, "taken back from its location")?);
        changed.push(book);
    }
    write_back(tx, &changed.iter().collect::<Vec<_>>(), &concluded, rules)
}

/// Which fulfilment orders cover a request: shipments before what a buyer comes for, what nobody has accepted before what
/// somebody has, the newest orders first.
fn chosen(books: &BTreeMap<Uuid, Book>, request: &StockShorted) -> Vec<(Uuid, FulfilmentId)> {
    let mut lacking = request.units.get();
    let mut all = Vec::new();
    for owing in &request.promised {
        let Some(book) = books.get(&owing.order_id.uuid()) else { continue };
        let there = book.fulfilments.iter().filter(|it| it.location == request.location);
        let there: Vec<(&Fulfilment, i64)> =
            there.map(|it| (it, units(it, &request.sku))).filter(|(_, units)| *units > 0).collect();
        lacking = lacking.saturating_sub(on_its_way_back(&there, owing));
        all.extend(there.into_iter().filter(|(it, _)| it.status.may_be_recalled()));
    }
    all.sort_by_key(|(it, _)| (it.kind == FulfilmentKind::Pickup, it.status == FulfilmentStatus::Accepted));
    let mut chosen = Vec::new();
    for (it, units) in all {
        if lacking <= 0 {
            break;
        }
        lacking = lacking.saturating_sub(units);
        chosen.push((it.order_id.uuid(), it.id));
    }
    chosen
}

/// Units that the inventory still counts as promised and that were given back here; none of an order whose location is
/// not known here yet.
fn on_its_way_back(there: &[(&Fulfilment, i64)], owing: &StockOwing) -> i64 {
    if there.is_empty() {
        return 0;
    }
    let kept = there.iter().filter(|(it, _)| it.status.is_open() || it.status.has_left());
    let kept = kept.fold(0_i64, |sum, (_, units)| sum.saturating_add(*units));
    owing.quantity.get().saturating_sub(kept).max(0)
}

fn units(fulfilment: &Fulfilment, sku: &SkuCode) -> i64 {
    let lines = fulfilment.lines.iter().filter(|line| line.sku == *sku);
    lines.fold(0, |sum, line| sum.saturating_add(line.quantity.get()))
}
