//! Adds lines to an order in the book: checked and priced as those of a new order, paid where nothing else of it is due, and
//! told with everything that stock, points and rebates need of them. What is there stays as it is.

use ::store::{Error, Tx, outbox};
use contracts::events::{AddedLines, OrderChanged, OrderLine, OrderTotals, PaymentReceived};
use contracts::{FieldError, Problem};
use kernel::money::MAX_AMOUNT;
use kernel::{Currency, Money};

use super::book::{Book, write_back};
use super::cancel_order::Why;
use super::document::Document;
use super::place_orders;
use super::receive_payment::reschedule;
use super::refusal::Refusal;
use super::tell_placed;
use crate::domain::faults::Faults;
use crate::domain::form::{BuyerForm, LineForm, OrderForm, PaymentForm};
use crate::domain::give_back::{FreightRefund, give_back};
use crate::domain::intake::{self, MAX_LINES, MAX_PAYMENTS, Priced};
use crate::domain::line::Line;
use crate::domain::payment_terms::PaymentTerms;
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::lines::LineRow;
use crate::store::orders::OrderRow;
use crate::store::payments::{self, PaymentRow};
use crate::store::{lines, orders};

/// What an order is to have more.
#[derive(Clone, Debug, Default)]
pub struct Extension {
    /// Lines.
    pub lines: Vec<NewLine>,
    /// What the freight rises by.
    pub freight: i64,
    /// A discount on these lines together.
    pub discount: i64,
    /// The tax of these lines together, instead of their own.
    pub tax: Option<i64>,
    /// Whether prices hold their tax; as those of the order, when left out.
    pub prices_include_tax: Option<bool>,
    /// What was paid for it.
    pub payments: Vec<PaymentForm>,
}

/// A line that an order is to have.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// The line, as of a new order.
    pub form: LineForm,
    /// What is sold by it.
    pub goods: Goods,
    /// The line that it holds more units of.
    pub extends: Option<i32>,
}

/// What is sold, as a line keeps it.
#[derive(Clone, Debug, Default)]
pub struct Goods {
    /// The SKU.
    pub sku: String,
    /// Its category.
    pub category: Option<String>,
    /// What a bundle is made of, as JSON.
    pub components: Option<String>,
}

/// Lines that may be added.
#[derive(Clone, Debug)]
pub struct Addition {
    rows: Vec<LineRow>,
    totals: OrderTotals,
    added_tax_amount: i64,
    /// What of it the buyer pays by these payments, or with the channel.
    captured: i64,
    authorised: i64,
    payments: Vec<PaymentRow>,
}

/// The lines, as an order of their own would have them.
pub fn order_form(order: &OrderRow, document: &Document, extension: &Extension) -> Result<OrderForm, Error> {
    let currency = order.currency()?;
    let some = |amount: i64| (amount != 0).then(|| Money::new(amount, currency));
    // Gifts may come with lines that are there; that is checked apart.
    let line = |line: &NewLine| LineForm { gift_with: None, ..line.form.clone() };
    Ok(OrderForm {
        channel: crate::store::code(&order.channel)?,
        channel_order_no: order.channel_order_no.clone(),
        parent_order_no: None,
        placed_at: order.placed_at.into(),
        channel_updated_at: None,
        currency,
        buyer: BuyerForm::default(),
        fulfilment: document.fulfilment.clone(),
        lines: extension.lines.iter().map(line).collect(),
        freight: some(extension.freight),
        discount: some(extension.discount),
        coupons: None,
        prices_include_tax: extension.prices_include_tax.or((order.added_tax_amount > 0).then_some(false)),
        tax: extension.tax.map(|tax| Money::new(tax, currency)),
        payment_terms: None,
        payments: None,
        reservation_id: None,
        guide: None,
        store: None,
        note: None,
    })
}

/// Checks what is to be added to a locked order before so many units of its lines are taken off: nothing is written. Fields
/// are named as those of an order that has these lines alone.
pub fn plan(
    tx: &mut Tx<'_>,
    (book, document): (&Book, &Document),
    extension: &Extension,
    cuts: &[(i32, i64)],
    rules: Rules,
) -> Result<Addition, Refusal> {
    check_open(book)?;
    check_room(book, extension)?;
    check_gifts(tx, book, extension)?;
    let form = order_form(&book.order, document, extension)?;
    let priced = intake::check_numbered(&form, i32::MAX).map_err(refused)?;
    let totals = priced.totals;
    let within = |there: i64, more: i64| there.checked_add(more).is_some_and(|sum| sum <= MAX_AMOUNT);
    let order = &book.order;
    if !within(order.list_amount, totals.list_amount) || !within(order.total_amount, totals.total_amount) {
        let detail = format!("bring the order to more than the limit of {MAX_AMOUNT} minor units");
        return Err(Refusal::invalid("lines", detail));
    }
    let rows = rows(book, extension, &priced)?;
    let known = payments::of(tx, &[order.order_id])?.remove(&order.order_id).unwrap_or_default();
    let payments = payment_rows(tx, book, &known, &extension.payments)?;
    let mut addition = Addition {
        rows,
        totals,
        added_tax_amount: priced.added_tax_amount,
        captured: payments.iter().fold(0, |sum, it| sum.saturating_add(it.captured())),
        authorised: payments.iter().fold(0, |sum, it| sum.saturating_add(it.authorised)),
        payments,
    };
    // What the channel settles it settles with the channel.
    if order.payment_terms == PaymentTerms::Settled.as_str() && known.is_empty() {
        if !extension.payments.is_empty() {
            return Err(Refusal::invalid("payments", "have no place in an order that its channel settles"));
        }
        addition.captured = totals.total_amount;
    }
    check_paid(book, &addition, cuts, rules.freight_refund)?;
    Ok(addition)
}

/// Why lines would not be taken as those of an order.
pub fn refused(refusal: impl Into<place_orders::Refusal>) -> Refusal {
    match refusal.into() {
        place_orders::Refusal::Store(error) => Refusal::Store(error),
        refusal => Refusal::Intake(Problem::from(refusal)),
    }
}

fn check_open(book: &Book) -> Result<(), Refusal> {
    match book.order.status()? {
        status @ (OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Completed | OrderStatus::Cancelled) => {
            Err(Refusal::State(format!("the order is {status}: nothing is added to it")))
        }
        _ => Ok(()),
    }
}

fn check_room(book: &Book, extension: &Extension) -> Result<(), Refusal> {
    if book.lines.len().saturating_add(extension.lines.len()) > MAX_LINES {
        return Err(Refusal::invalid("lines", format!("bring the order to more than {MAX_LINES} lines")));
    }
    for (index, line) in extension.lines.iter().enumerate() {
        if book.lines.iter().any(|it| it.line_no == line.form.line_no) {
            let detail = format!("the order has a line {} already", line.form.line_no);
            return Err(Refusal::invalid(format!("lines[{index}].line_no"), detail));
        }
    }
    Ok(())
}

/// Gifts come with lines that are no gifts, those that are there among them.
fn check_gifts(tx: &mut Tx<'_>, book: &Book, extension: &Extension) -> Result<(), Refusal> {
    if extension.lines.iter().all(|line| line.form.gift_with.is_none()) {
        return Ok(());
    }
    let id = book.order.order_id;
    let gifts = lines::gifts(tx, &[id])?.remove(&id).unwrap_or_default();
    let is_gift = |line_no: i32| {
        let new = extension.lines.iter().find(|it| it.form.line_no == line_no).map(|it| it.form.gift);
        new.or_else(|| book.lines.iter().find(|it| it.line_no == line_no).map(|it| gifts.contains(&it.line_no)))
    };
    for (index, line) in extension.lines.iter().enumerate() {
        let Some(named) = line.form.gift_with else { continue };
        let detail = match is_gift(named) {
            _ if !line.form.gift => "belongs to a gift".to_owned(),
            None => format!("names line {named}, which the order does not have"),
            Some(true) => format!("names line {named}, which is a gift itself"),
            Some(false) => continue,
        };
        return Err(Refusal::invalid(format!("lines[{index}].gift_with"), detail));
    }
    Ok(())
}

fn rows(book: &Book, extension: &Extension, priced: &Priced) -> Result<Vec<LineRow>, Error> {
    let row = |(line, priced): (&NewLine, &intake::PricedLine)| -> Result<LineRow, Error> {
        let mut extras = priced.extras.clone();
        (extras.gift_with, extras.extends) = (line.form.gift_with, line.extends);
        Ok(LineRow {
            order_id: book.order.order_id,
            line_no: line.form.line_no,
            sku: line.goods.sku.clone(),
            channel_sku: line.form.channel_sku.as_ref().map(ToString::to_string),
            category: line.goods.category.clone(),
            components: line.goods.components.clone(),
            quantity: line.form.quantity.get(),
            unit_price: priced.unit_price,
            own_discount: priced.own_discount,
            list_amount: priced.list_amount,
            discount_amount: priced.discount_amount,
            added_tax_amount: priced.added_tax_amount,
            paid_amount: priced.paid_amount,
            freight_amount: priced.freight_amount,
            extras: (!extras.is_empty()).then(|| serde_json::to_string(&extras)).transpose()?,
            cancelled: 0,
            shipped: 0,
            returned: 0,
            refunded: 0,
            repriced_after: 0,
            repriced_amount: None,
        })
    };
    extension.lines.iter().zip(&priced.lines).map(row).collect()
}

fn payment_rows(
    tx: &Tx<'_>,
    book: &Book,
    known: &[PaymentRow],
    forms: &[PaymentForm],
) -> Result<Vec<PaymentRow>, Refusal> {
    let currency = book.order.currency()?;
    let mut faults = Faults::default();
    if known.len().saturating_add(forms.len()) > MAX_PAYMENTS && !forms.is_empty() {
        faults.add("payments", format!("bring the order to more than {MAX_PAYMENTS} payments"));
    }
    for (index, form) in forms.iter().enumerate().take(MAX_PAYMENTS) {
        faults.payment(&format!("payments[{index}]."), form, currency);
        let known = known.iter().map(|row| (row.method.as_str(), row.reference.as_ref()));
        let mut before = known.chain(forms.iter().take(index).map(|it| (it.method.as_str(), it.reference.as_ref())));
        if form.reference.is_some() && before.any(|it| it == (form.method.as_str(), form.reference.as_ref())) {
            faults.add(format!("payments[{index}].reference"), "is that of another payment of the order");
        }
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    let last = known.iter().map(|row| row.sequence).max().unwrap_or_default();
    let sequences = (1..).map(|place: i32| last.saturating_add(place));
    Ok(sequences
        .zip(forms)
        .map(|(sequence, form)| PaymentRow::new(book.order.id(), sequence, form, tx.now()))
        .collect())
}

/// An order of which something is due may owe more. Any other is paid as it stands once these units are taken off, to the
/// minor unit.
fn check_paid(
    book: &Book,
    addition: &Addition,
    cuts: &[(i32, i64)],
    freight_refund: FreightRefund,
) -> Result<(), Refusal> {
    let currency = book.order.currency()?;
    let told = |detail: String| Refusal::invalid("payments", detail);
    let mut balance = book.order.balance();
    let was_due = balance.due;
    let amount = |amount| Money::new(amount, currency);
    let (costs, paid) = (addition.totals.total_amount, addition.captured.saturating_add(addition.authorised));
    balance.grow(costs, addition.captured, addition.authorised).map_err(|_| {
        let due = amount(was_due.saturating_add(costs));
        told(format!("add up to {}, only {due} is to be paid", amount(paid)))
    })?;
    if was_due > 0 {
        return Ok(());
    }
    let mut lines = book.lines.clone();
    for row in &addition.rows {
        lines.push(row.line()?);
    }
    let freight_left = book.order.freight_left().saturating_add(addition.totals.freight_amount);
    // Too many units are refused where they are taken off.
    let given = give_back(&lines, cuts, freight_refund).map_or(0, |given| given.within(freight_left).total_amount);
    if balance.due <= given {
        return Ok(());
    }
    let less = if given > 0 { format!(", and what is taken off gives back {}", amount(given)) } else { String::new() };
    Err(told(format!("add up to {}, what is added costs {}{less}", amount(paid), amount(costs))))
}

/// Adds planned lines to the order.
pub fn extend(
    tx: &mut Tx<'_>,
    book: &mut Book,
    addition: Addition,
    why: &Why<'_>,
    rules: Rules,
) -> Result<(), Refusal> {
    let is_untold = book.is_untold()?;
    lines::insert(tx, &addition.rows.iter().collect::<Vec<_>>())?;
    let added: Vec<Line> = addition.rows.iter().map(LineRow::line).collect::<Result<_, _>>()?;
    book.lines.extend(added);
    book.lines.sort_unstable_by_key(|line| line.line_no);
    grow(book, &addition)?;
    orders::grow(tx, &book.order)?;
    if !addition.payments.is_empty() {
        payments::insert(tx, &addition.payments.iter().collect::<Vec<_>>())?;
        reschedule(tx, book)?;
    }
    let what = match addition.rows.as_slice() {
        [row] => format!("line {} added: {} × {}", row.line_no, row.quantity, row.sku),
        rows => format!("{} lines added", rows.len()),
    };
    let concluded = book.conclude(&why.actor, &what)?;
    write_back(tx, &[&*book], &[concluded], rules)?;
    tell_paid(tx, book, &addition, why)?;
    // Whoever was not told of an order is told of all its lines then.
    if is_untold {
        return Ok(());
    }
    let lines: Vec<OrderLine> = addition.rows.iter().map(tell_placed::line).collect::<Result<_, _>>()?;
    let order = &book.order;
    let event = OrderChanged {
        order_id: order.id(),
        version: order.version,
        fields: vec!["lines".to_owned()],
        destination: None,
        credited: None,
        added: Some(AddedLines {
            channel: crate::store::code(&order.channel)?,
            placed_at: order.placed_at.into(),
            currency: order.currency()?,
            lines,
            totals: addition.totals,
        }),
        changed_at: tx.now(),
    };
    Ok(outbox::append(tx, &event, why.cause)?)
}

/// Takes over what the order costs now.
fn grow(book: &mut Book, addition: &Addition) -> Result<(), Error> {
    let order = &mut book.order;
    let mut balance = order.balance();
    let beyond = |_| Error::Broken("a planned addition fits the order");
    balance.grow(addition.totals.total_amount, addition.captured, addition.authorised).map_err(beyond)?;
    let sum = |there: &mut i64, more: i64| *there = there.saturating_add(more);
    sum(&mut order.list_amount, addition.totals.list_amount);
    sum(&mut order.discount_amount, addition.totals.discount_amount);
    sum(&mut order.added_tax_amount, addition.added_tax_amount);
    sum(&mut order.freight_amount, addition.totals.freight_amount);
    order.total_amount = balance.total;
    order.disturbed = true;
    (order.due_amount, order.authorised_amount) = (balance.due, balance.authorised);
    book.settles = book.settles || !addition.payments.is_empty();
    // Where something is still due that units which are taken off next will cover, they say where the money stands.
    let (current, next) = (book.order.payment_status()?, balance.status(false));
    if current.may_become(next) { book.order.set_balance(balance, false) } else { Ok(()) }
}

/// Tells of what was taken for it.
fn tell_paid(tx: &mut Tx<'_>, book: &Book, addition: &Addition, why: &Why<'_>) -> Result<(), Error> {
    let currency: Currency = book.order.currency()?;
    for payment in addition.payments.iter().filter(|it| it.authorised == 0) {
        let event = PaymentReceived {
            order_id: book.order.id(),
            sequence: payment.sequence,
            method: payment.method.clone(),
            reference: payment.reference.clone(),
            amount: payment.amount,
            due_amount: book.order.due_amount,
            currency,
            received_at: tx.now(),
        };
        outbox::append(tx, &event, why.cause)?;
    }
    Ok(())
}

/// The fields of a refusal by other names.
pub fn renamed(refusal: Refusal, name: impl Fn(&str) -> String) -> Refusal {
    let rename = |errors: Vec<FieldError>| -> Vec<FieldError> {
        errors.into_iter().map(|error| FieldError { field: name(&error.field), ..error }).collect()
    };
    match refusal {
        Refusal::Invalid(errors) => Refusal::Invalid(rename(errors)),
        Refusal::Intake(problem) => Refusal::Intake(Problem { errors: rename(problem.errors), ..problem }),
        refusal => refusal,
    }
}
