//! What becomes of an order that its channel sends again with another content: the newest `channel_updated_at` wins.
//!
//! A channel may send an order elsewhere, take units off it and add others, tell what was paid since, credit somebody else,
//! and change its remark. Whatever else differs contradicts the book, as does another content without a newer time.

use ::store::{Error, Tx};
use contracts::Cause;
use kernel::id::OrderId;
use kernel::{Code, Money};

use super::book::{Actor, Book};
use super::cancel_order::Why;
use super::capture_payment::settle_authorised;
use super::change_order::{Change, apply};
use super::document::Document;
use super::extend_order::renamed;
use super::place_orders::Place;
use super::receive_payment::take;
use super::refusal::Refusal;
use super::sent_lines::{self, Changed};
use crate::domain::form::{PaymentForm, Taken};
use crate::domain::payment_terms::PaymentTerms;
use crate::domain::sent::Sent;
use crate::settings::Rules;
use crate::store::lines;
use crate::store::orders::{self, OrderRow};
use crate::store::payments::{self, PaymentRow};

/// Fields in which an update may differ.
const UPDATABLE: [&str; 5] = ["fulfilment", "lines", "guide", "store", "note"];
/// Fields that may differ as well where lines do: what goes back for fewer units is worked out here, and what more units
/// cost is what the fields say more.
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
    let is_paid_later = place.order.payment_terms != PaymentTerms::Settled.as_str();
    let may_differ = |field: &'static str| {
        let follows = change_lines && FOLLOWING.contains(&field);
        UPDATABLE.contains(&field) || follows || (field == "payments" && is_paid_later)
    };
    let fixed: Vec<&'static str> = fields.iter().copied().filter(|field| !may_differ(field)).collect();
    // Of an order that was paid when it came, payments alone may say that what was authorised is captured.
    if !fixed.is_empty() && fixed != ["payments"] {
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
    let (mut changed, sent) = match changed_lines(tx, &book, (&stored, &before), place, change_lines) {
        Err(sent_lines::Refusal::Contradicts(field)) => return Ok(Updated::Contradicts(vec![field])),
        Err(sent_lines::Refusal::Store(error)) => return Err(error.into()),
        Ok(changed) => changed,
    };
    // What coupons take off is shared out once.
    if changed.extension.is_some() && fields.contains(&"coupons") {
        return Ok(Updated::Contradicts(vec!["coupons"]));
    }
    let Some(Paid { captured, more }) = paid(tx, &book, place, &changed, fields)? else {
        return Ok(Updated::Contradicts(vec!["payments"]));
    };
    if before.payment_terms != after.payment_terms {
        return Ok(Updated::Contradicts(vec!["payments"]));
    }
    let with_lines = changed.extension.is_some();
    if let Some(extension) = &mut changed.extension {
        extension.payments = more.iter().map(|row| form_of(row, place)).collect::<Result<_, _>>()?;
    }
    let change = Change {
        ship_to: after.fulfilment.ship_to,
        cuts: changed.cuts,
        extension: changed.extension,
        guide: differing(after.guide, before.guide),
        store: differing(after.store, before.store),
        note: Some(after.note.unwrap_or_default()).filter(|note| Some(note) != before.note.as_ref()),
        sent,
        reason: Some("the channel changed it".to_owned()),
    };
    let actor = Actor { name: place.order.created_by.clone(), reason: change.reason.clone() };
    let why = Why { actor, cause };
    // The lines of an update are not numbered as what it adds is.
    let named = |field: &str| if field.starts_with("lines[") { "lines".to_owned() } else { field.to_owned() };
    apply(tx, &mut book, &change, &why, rules).map_err(|refusal| renamed(refusal, named))?;
    for payment in captured {
        let taken = payment.authorised;
        settle_authorised(tx, &mut book, payment, taken, (&why, rules))?;
    }
    for payment in more.iter().filter(|_| !with_lines) {
        let received = PaymentRow { order_id: id.uuid(), received_at: tx.now().utc(), ..payment.clone() };
        take(tx, &mut book, received, &why, rules)?;
    }
    let mut row = orders::find(tx, id)?.ok_or(Error::Broken("a locked order is in the book"))?;
    row.content.clone_from(&place.order.content);
    row.channel_updated_at = place.order.channel_updated_at;
    orders::rewrite(tx, &row)?;
    Ok(Updated::Done)
}

/// What the update changes of lines, and what the channel says of them now, if it says anything else.
fn changed_lines(
    tx: &mut Tx<'_>,
    book: &Book,
    (stored, before): (&OrderRow, &Document),
    place: &Place,
    change_lines: bool,
) -> Result<(Changed, Option<Sent>), sent_lines::Refusal> {
    if !change_lines {
        return Ok((Changed { cuts: Vec::new(), extension: None }, None));
    }
    let said = match &before.sent {
        Some(sent) => sent.clone(),
        None => sent_lines::as_placed(tx, stored, before)?,
    };
    let now = sent_lines::said(&place.lines, &place.order, &read(&place.order.document)?)?;
    let rows = lines::of(tx, &[stored.order_id])?.remove(&stored.order_id).unwrap_or_default();
    let changed = sent_lines::compare(book, &rows, (&said, &now), place)?;
    Ok((changed, Some(now)))
}

/// What an update says of payments.
#[derive(Debug, Default)]
struct Paid {
    /// Authorised here, and captured by the channel since.
    captured: Vec<PaymentRow>,
    /// New.
    more: Vec<PaymentRow>,
}

/// What was paid by the update; none if that is not told so. Of an order that was paid when it came, payments that differ with
/// fewer units alone follow what goes back, which is worked out here; of any other they are new money, which is not told
/// together with fewer units: what of it would be due is not known.
fn paid(
    tx: &mut Tx<'_>,
    book: &Book,
    place: &Place,
    changed: &Changed,
    fields: &[&'static str],
) -> Result<Option<Paid>, Error> {
    let is_settled = place.order.payment_terms == PaymentTerms::Settled.as_str();
    let follows = is_settled && fields.contains(&"lines") && changed.extension.is_none();
    if !fields.contains(&"payments") || follows {
        return Ok(Some(Paid::default()));
    }
    if !is_settled && !changed.cuts.is_empty() {
        return Ok(None);
    }
    let id = book.order.order_id;
    let known = payments::of(tx, &[id])?.remove(&id).unwrap_or_default();
    // What is paid for lines is held against what they cost where they are added.
    let due = if changed.extension.is_some() { i64::MAX } else { book.order.due_amount };
    let Some(more) = more_payments(&known, &place.payments, due) else { return Ok(None) };
    let is_captured = |(known, sent): &(&PaymentRow, &PaymentRow)| known.authorised > 0 && sent.authorised == 0;
    let captured = known.iter().zip(&place.payments).filter(is_captured).map(|(known, _)| known.clone()).collect();
    Ok(Some(Paid { captured, more: more.to_vec() }))
}

/// A payment as it was sent.
fn form_of(row: &PaymentRow, place: &Place) -> Result<PaymentForm, Error> {
    let status = if row.authorised > 0 { Taken::Authorised } else { Taken::Captured };
    let amount = Money::new(row.amount, place.order.currency()?);
    Ok(PaymentForm { method: row.method.clone(), amount, reference: row.reference.clone(), status })
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
    // What was given up here cannot have been captured there.
    let same = |(a, b): (&PaymentRow, &PaymentRow)| {
        (&a.method, &a.reference, a.amount) == (&b.method, &b.reference, b.amount)
            && (b.authorised > 0 || a.authorised > 0 || a.captured() == a.amount)
    };
    let more = sent.get(paid.len()..).filter(|_| paid.iter().zip(sent).all(same))?;
    let sum: i128 = more.iter().map(|it| i128::from(it.amount)).sum();
    (sum <= i128::from(due) && more.iter().all(|it| it.amount > 0)).then_some(more)
}
