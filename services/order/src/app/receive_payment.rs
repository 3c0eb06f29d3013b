//! Takes a payment of an order that is in the book.

use ::store::{Error, Tx, outbox};
use contracts::events::PaymentReceived;
use kernel::Money;
use kernel::id::OrderId;

use super::book::{Actor, Book, write_back};
use super::caller::Caller;
use super::cancel_order::Why;
use super::refusal::Refusal;
use crate::domain::form::PaymentForm;
use crate::domain::intake::MAX_PAYMENTS;
use crate::settings::Rules;
use crate::store::payment_deadlines;
use crate::store::payments::{self, PaymentRow};

/// Takes a payment. The same one again, by its method and its own number, changes nothing.
pub fn receive_payment(
    tx: &mut Tx<'_>,
    id: OrderId,
    payment: &PaymentForm,
    caller: &Caller,
    rules: Rules,
) -> Result<(), Refusal> {
    let mut book = caller.open(tx, id)?;
    let known = payments::of(tx, &[id.uuid()])?.remove(&id.uuid()).unwrap_or_default();
    if let Some(same) = numbered(&known, payment) {
        return check_same(same, payment);
    }
    let why = Why { actor: Actor { reason: None, ..caller.actor(None) }, cause: &caller.cause };
    check_currency(&book, payment)?;
    let row = PaymentRow::new(id, next(known.len())?, payment, tx.now());
    take(tx, &mut book, row, &why, rules)
}

fn numbered<'a>(known: &'a [PaymentRow], payment: &PaymentForm) -> Option<&'a PaymentRow> {
    payment.reference.as_ref()?;
    known.iter().find(|row| row.method == payment.method && row.reference == payment.reference)
}

fn check_same(known: &PaymentRow, payment: &PaymentForm) -> Result<(), Refusal> {
    if known.amount == payment.amount.amount {
        return Ok(());
    }
    let detail = format!("payment {} has this method and reference already, with another amount", known.sequence);
    Err(Refusal::Contradiction(detail))
}

/// Moves the deadline of what is still to be paid.
pub(super) fn reschedule(tx: &mut Tx<'_>, book: &Book) -> Result<(), Error> {
    let id = book.order.order_id;
    let Some(row) = payment_deadlines::of(tx, &[id])?.remove(&id) else { return Ok(()) };
    if book.order.due_amount == 0 {
        return payment_deadlines::remove(tx, &[id]);
    }
    payment_deadlines::set(tx, id, row.after(book.order.balance().covered()))
}

fn check_currency(book: &Book, payment: &PaymentForm) -> Result<(), Refusal> {
    let currency = book.order.currency()?;
    if payment.amount.currency == currency {
        return Ok(());
    }
    Err(Refusal::invalid("amount", format!("is in {}, the order in {currency}", payment.amount.currency)))
}

/// The place of the payment after so many.
fn next(before: usize) -> Result<i32, Refusal> {
    if before >= MAX_PAYMENTS {
        return Err(Refusal::State(format!("the order has {MAX_PAYMENTS} payments, which is the most")));
    }
    Ok(i32::try_from(before.saturating_add(1)).map_err(|_| Error::Broken("payments are few"))?)
}

/// Takes a payment of an order that is locked.
pub fn take(tx: &mut Tx<'_>, book: &mut Book, payment: PaymentRow, why: &Why<'_>, rules: Rules) -> Result<(), Refusal> {
    let currency = book.order.currency()?;
    let mut balance = book.order.balance();
    if balance.due == 0 {
        return Err(Refusal::State(format!("nothing is to be paid: the order is {}", book.order.payment_status()?)));
    }
    let due = Money::new(balance.due, currency);
    let taken = payment.authorised == 0;
    let received = if taken { balance.receive(payment.amount) } else { balance.authorise(payment.amount) };
    received
        .map_err(|_| Refusal::invalid("amount", format!("is more than 0 and at most the {due} still to be paid")))?;
    let every_unit = book.is_given_back();
    book.order.set_balance(balance, every_unit)?;
    book.settles = true;
    payments::insert(tx, &[&payment])?;
    reschedule(tx, book)?;
    let amount = Money::new(payment.amount, currency);
    let word = if taken { "paid" } else { "authorised" };
    let concluded = book.conclude(&why.actor, &format!("{amount} {word} by {}", payment.method))?;
    write_back(tx, &[&*book], &[concluded], rules)?;
    // It is told when it is taken.
    if !taken {
        return Ok(());
    }
    let event = PaymentReceived {
        order_id: book.order.id(),
        sequence: payment.sequence,
        method: payment.method,
        reference: payment.reference,
        amount: payment.amount,
        due_amount: balance.due,
        currency,
        received_at: tx.now(),
    };
    Ok(outbox::append(tx, &event, why.cause)?)
}
