//! What becomes of an order that its channel sends again with another content: the newest `channel_updated_at` wins.
//!
//! A channel may send an order elsewhere, take units off it, tell what was paid since, credit somebody else, and change its
//! remark. Whatever else differs contradicts the
//! book, as does another content without a newer time.

use ::store::{Error, Tx};
use contracts::Cause;
use kernel::Code;
use kernel::id::OrderId;

use super::book::{Actor, Book};
use super::cancel_order::Why;
use super::change_order::{Change, apply};
use super::place_orders::{Document, Place};
use super::receive_payment::take;
use super::refusal::Refusal;
use crate::domain::payment_terms::PaymentTerms;
use crate::settings::Rules;
use crate::store::lines::{self, LineRow};
use crate::store::orders;
use crate::store::payments::{self, PaymentRow};

/// Fields in which an update may differ.
const UPDATABLE: [&str; 5] = ["fulfilment", "lines", "guide", "store", "note"];
/// Fields that may differ as well where lines do: what goes back for fewer units is worked out here.
const FOLLOWING: [&str; 5] = ["freight", "discount", "coupons", "tax", "payments"];

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The book says now what the channel says.
    Done,
    /// These fields cannot be changed so.
    Contradicts(Vec<&'static str>),
}

/// Lets the book follow an update of an order that differs in these fields.
pub fn update_order(
    tx: &mut Tx<'_>,
    place: &Place,
    (id, fields): (OrderId, &[&'static str]),
    cause: &Cause,
    rules: Rules,
) -> Result<Updated, Refusal> {
    let change_lines = fields.contains(&"lines");
    // Of an order that was paid when it came, payments differ only with fewer units; of any other they are new money, which
    // is not told together with fewer units: what of it would be due is not known.
    let is_paid_later = place.order.payment_terms != PaymentTerms::Settled.as_str();
    let more_paid = is_paid_later && fields.contains(&"payments");
    let may_differ = |field: &'static str| match field {
        "payments" if is_paid_later => !change_lines,
        field => UPDATABLE.contains(&field) || (change_lines && FOLLOWING.contains(&field)),
    };
    let fixed = |field: &&&'static str| !may_differ(field);
    let fixed: Vec<&'static str> = fields.iter().filter(fixed).copied().collect();
    if !fixed.is_empty() {
        return Ok(Updated::Contradicts(fixed));
    }
    let mut book = Book::open(tx, id)?.ok_or(Error::Broken("an order that has a number is in the book"))?;
    let stored = orders::find(tx, id)?.ok_or(Error::Broken("a locked order is in the book"))?;
    let (before, after) = (read(&stored.document)?, read(&place.order.document)?);
    let same_way =
        before.fulfilment.kind == after.fulfilment.kind && before.fulfilment.location == after.fulfilment.location;
    if !same_way {
        return Ok(Updated::Contradicts(vec!["fulfilment"]));
    }
    let ids = [id.uuid()];
    let paid = payments::of(tx, &ids)?.remove(&id.uuid()).unwrap_or_default();
    let more =
        if more_paid { more_payments(&paid, &place.payments, book.order.due_amount) } else { Some([].as_slice()) };
    let Some(more) = more.filter(|_| before.payment_terms == after.payment_terms) else {
        return Ok(Updated::Contradicts(vec!["payments"]));
    };
    let rows = lines::of(tx, &ids)?.remove(&id.uuid()).unwrap_or_default();
    let Some(wanted) = fewer_units(&book, &rows, &place.lines) else {
        return Ok(Updated::Contradicts(vec!["lines"]));
    };
    let change = Change {
        ship_to: after.fulfilment.ship_to,
        lines: wanted,
        guide: differing(after.guide, before.guide),
        store: differing(after.store, before.store),
        note: Some(after.note.unwrap_or_default()).filter(|note| Some(note) != before.note.as_ref()),
        reason: Some("the channel changed it".to_owned()),
    };
    let actor = Actor { name: place.order.created_by.clone(), reason: change.reason.clone() };
    let why = Why { actor, cause };
    apply(tx, &mut book, &change, &why, rules)?;
    for payment in more {
        let received = PaymentRow { order_id: id.uuid(), received_at: tx.now().utc(), ..payment.clone() };
        take(tx, &mut book, received, &why, rules)?;
    }
    let mut row = orders::find(tx, id)?.ok_or(Error::Broken("a locked order is in the book"))?;
    row.content.clone_from(&place.order.content);
    row.channel_updated_at = place.order.channel_updated_at;
    orders::rewrite(tx, &row)?;
    Ok(Updated::Done)
}

/// Whom the channel names, if it names somebody else than it did, or nobody any more.
fn differing(after: Option<Code>, before: Option<Code>) -> Option<String> {
    (after != before).then(|| after.map(Into::into).unwrap_or_default())
}

fn read(document: &str) -> Result<Document, Error> {
    Ok(serde_json::from_str(document)?)
}

/// The payments that came after those in the book; none if they do not begin with those, or are more than is due.
fn more_payments<'a>(paid: &[PaymentRow], sent: &'a [PaymentRow], due: i64) -> Option<&'a [PaymentRow]> {
    // What is captured there and not here would have to be captured first.
    let same = |(a, b): (&PaymentRow, &PaymentRow)| {
        (&a.method, &a.reference, a.amount) == (&b.method, &b.reference, b.amount)
            && (b.authorised > 0 || a.captured() == a.amount)
    };
    let more = sent.get(paid.len()..).filter(|_| paid.iter().zip(sent).all(same))?;
    let sum: i128 = more.iter().map(|it| i128::from(it.amount)).sum();
    (sum <= i128::from(due) && more.iter().all(|it| it.amount > 0)).then_some(more)
}

/// The units still wanted of each line that has fewer now; none if anything but a number of units differs, or grows. A line
/// that is not sent any more is not wanted.
fn fewer_units(book: &Book, before: &[LineRow], after: &[LineRow]) -> Option<Vec<(i32, i64)>> {
    let known = |line: &LineRow| before.iter().any(|it| it.line_no == line.line_no);
    if !after.iter().all(known) {
        return None;
    }
    let mut wanted = Vec::new();
    for row in before {
        let sent = after.iter().find(|it| it.line_no == row.line_no);
        let same = |it: &LineRow| {
            let as_before = it.sku == row.sku && it.unit_price == row.unit_price && it.quantity <= row.quantity;
            as_before && kept(it) == kept(row)
        };
        if sent.is_some_and(|it| !same(it)) {
            return None;
        }
        let units = sent.map_or(0, |it| it.quantity);
        let line = book.lines.iter().find(|it| it.line_no == row.line_no)?;
        // What was cancelled here before is not wanted either way.
        if units < line.live() {
            wanted.push((row.line_no, units));
        }
    }
    Some(wanted)
}

/// What does not change with the units of a line; none where that cannot be read.
fn kept(row: &LineRow) -> Option<(bool, Option<i32>, Option<String>)> {
    row.extras().ok().map(|extras| (extras.gift, extras.gift_with, extras.tax_rate))
}
