//! Takes the money of an authorised payment, or gives the authorisation up.

use ::store::{Error, Tx, outbox};
use contracts::events::PaymentReceived;
use kernel::Money;
use kernel::id::OrderId;

use super::book::{Book, write_back};
use super::caller::Caller;
use super::cancel_order::Why;
use super::refusal::Refusal;
use crate::settings::Rules;
use crate::store::payments::{self, PaymentRow};

/// What becomes of an authorised payment.
#[derive(Clone, Copy, Debug)]
pub enum Settle {
    /// So much is taken; all of it, when left out. The rest is given up.
    Capture(Option<Money>),
    /// Nothing is taken.
    Void,
}

/// Captures or voids a payment of an order. The same again changes nothing.
pub fn settle_payment(
    tx: &mut Tx<'_>,
    (id, sequence): (OrderId, i32),
    settle: Settle,
    caller: &Caller,
    rules: Rules,
) -> Result<(), Refusal> {
    let mut book = caller.open(tx, id)?;
    let known = payments::of(tx, &[id.uuid()])?.remove(&id.uuid()).unwrap_or_default();
    let payment = known.into_iter().find(|row| row.sequence == sequence);
    let payment = payment.ok_or_else(|| Refusal::NotFound { what: "payment", key: sequence.to_string() })?;
    if payment.authorised == 0 {
        return check_same(&payment, settle);
    }
    let taken = taken(&book, &payment, settle)?;
    let why = Why { actor: caller.actor(None), cause: &caller.cause };
    settle_authorised(tx, &mut book, payment, taken, (&why, rules))
}

/// Ends what is authorised of a payment of an order that is locked: so much of it is taken.
pub fn settle_authorised(
    tx: &mut Tx<'_>,
    book: &mut Book,
    payment: PaymentRow,
    taken: i64,
    (why, rules): (&Why<'_>, Rules),
) -> Result<(), Refusal> {
    let (id, sequence) = (book.order.id(), payment.sequence);
    let mut balance = book.order.balance();
    balance.settle(payment.authorised, taken).map_err(|_| Error::Broken("authorised payments add up"))?;
    let every_unit = book.is_given_back();
    book.order.set_balance(balance, every_unit)?;
    book.settles = true;
    payments::settle(tx, &payment, taken)?;
    let currency = book.order.currency()?;
    let what = match taken {
        0 => format!("payment {sequence} voided"),
        taken => format!("{} captured of payment {sequence}", Money::new(taken, currency)),
    };
    let concluded = book.conclude(&why.actor, &what)?;
    write_back(tx, &[&*book], &[concluded], rules)?;
    if taken == 0 {
        return Ok(());
    }
    let event = PaymentReceived {
        order_id: id,
        sequence,
        method: payment.method,
        reference: payment.reference,
        amount: taken,
        due_amount: balance.due,
        currency,
        received_at: tx.now(),
    };
    Ok(outbox::append(tx, &event, why.cause)?)
}

/// How much is taken of a payment.
fn taken(book: &Book, payment: &PaymentRow, settle: Settle) -> Result<i64, Refusal> {
    let currency = book.order.currency()?;
    let amount = match settle {
        Settle::Void => return Ok(0),
        Settle::Capture(None) => return Ok(payment.authorised),
        Settle::Capture(Some(amount)) => amount,
    };
    if amount.currency != currency {
        return Err(Refusal::invalid("amount", format!("is in {}, the order in {currency}", amount.currency)));
    }
    if !(1..=payment.authorised).contains(&amount.amount) {
        let left = Money::new(payment.authorised, currency);
        return Err(Refusal::invalid("amount", format!("is more than 0 and at most the {left} still authorised")));
    }
    Ok(amount.amount)
}

/// What was settled before stays so.
fn check_same(payment: &PaymentRow, settle: Settle) -> Result<(), Refusal> {
    let captured = payment.captured();
    let same = match settle {
        Settle::Void => captured == 0,
        Settle::Capture(amount) => captured > 0 && amount.is_none_or(|amount| amount.amount == captured),
    };
    if same {
        return Ok(());
    }
    let what = if captured > 0 { "captured" } else { "voided" };
    Err(Refusal::State(format!("payment {} is {what} already", payment.sequence)))
}
