//! Takes in a return, of a known order or of one that nobody knows any more.

use ::store::{Error, Tx};
use contracts::FieldError;
use contracts::events::Buyer;
use kernel::id::{OrderId, ReturnId};
use kernel::money::line_amount;
use kernel::{ChannelCode, Currency, LocationCode, Money, SkuCode};
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::book::Book;
use super::caller::Caller;
use super::move_return::{Inspected, Move, move_return};
use super::references::Known;
use super::refusal::Refusal;
use crate::domain::content::buyer_key;
use crate::domain::faults::Faults;
use crate::domain::form::{BuyerForm, ReturnForm, ReturnLineForm};
use crate::domain::intake::{MAX_NOTE_LENGTH, MAX_NUMBER_LENGTH, money_price, parse_price};
use crate::domain::return_reason::ReturnReason;
use crate::domain::returning::{self, Wanted};
use crate::domain::state::ReturnStatus;
use crate::settings::Rules;
use crate::store::returns::{self, ReturnLineRow, ReturnRow};
use crate::store::{code, lines, orders, to_json_list};

/// The most lines of a return: as many as an order has.
const MAX_LINES: usize = crate::domain::intake::MAX_LINES;

/// What became of a request for a return.
#[derive(Debug)]
pub enum Requested {
    /// It is in the book now.
    New(Uuid),
    /// It was in the book with the same content.
    Known(Uuid),
}

/// A return that is ready to be taken in.
#[derive(Clone, Debug)]
pub struct Request {
    form: ReturnForm,
    content: Vec<u8>,
    /// Of an unknown original: what each line costs and what goes back.
    unknown: Vec<UnknownLine>,
    currency: Option<Currency>,
}

#[derive(Clone, Debug)]
struct UnknownLine {
    sku: SkuCode,
    components: Option<String>,
    unit_price: Option<Decimal>,
    refund_amount: i64,
}

impl Request {
    /// Checks a form, with what is known of the things it refers to.
    pub fn new(form: ReturnForm, known: &Known) -> Result<Self, Refusal> {
        check(&form)?;
        if let Some(location) = &form.location {
            check_location(known, location)?;
        }
        let content = Sha256::digest(serde_json::to_vec(&form).map_err(Error::from)?).to_vec();
        let (unknown, currency) = if form.names_order() {
            (Vec::new(), None)
        } else {
            let (lines, currency) = unknown_lines(&form, known)?;
            (lines, Some(currency))
        };
        Ok(Self { form, content, unknown, currency })
    }
}

/// Refuses a location that is not known, or takes no returns.
pub fn check_location(known: &Known, location: &LocationCode) -> Result<(), Refusal> {
    match known.location(location) {
        None => Err(Refusal::unknown("location", format!("{location} is not a known location"))),
        Some(it) if !it.takes_returns => {
            let detail = format!("{location} takes no returns");
            Err(Refusal::Rule(FieldError { field: "location".to_owned(), detail }))
        }
        Some(_) => Ok(()),
    }
}

fn check(form: &ReturnForm) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    faults.optional_text("reason", form.reason.as_deref(), MAX_NOTE_LENGTH);
    if form.reason.is_none() && form.reason_code() == ReturnReason::Other {
        faults.add("reason", "is needed where no reason_code says it");
    }
    faults.optional_text("return_no", form.return_no.as_deref(), MAX_NUMBER_LENGTH);
    faults.optional_text("channel_order_no", form.channel_order_no.as_deref(), MAX_NUMBER_LENGTH);
    if form.exchange.is_some() && !form.names_order() {
        faults.add("exchange", "needs an order that is known");
    }
    if let Some(buyer) = &form.buyer {
        faults.buyer(buyer);
    }
    if form.lines.is_empty() || form.lines.len() > MAX_LINES {
        faults.add("lines", format!("has 1 to {MAX_LINES} entries"));
    }
    match (form.order_id.is_some(), form.channel_order_no.is_some(), form.channel.is_some()) {
        (true, true, _) => faults.add("channel_order_no", "is given instead of order_id, not with it"),
        (false, _, false) => faults.add("channel", "is needed where no order_id is given"),
        _ => {}
    }
    if form.is_at_counter() {
        check_counter(form, &mut faults);
    }
    for (index, line) in form.lines.iter().enumerate() {
        if form.names_order() {
            if line.line_no.is_none() && line.sku.is_none() {
                faults.add(format!("lines[{index}].line_no"), "or sku is needed");
            }
            if line.refund_amount.is_some() || line.unit_price.is_some() || line.unit_price_decimal.is_some() {
                faults.add(format!("lines[{index}].refund_amount"), "follows from the order");
            }
        } else {
            if line.line_no.is_some() {
                faults.add(format!("lines[{index}].line_no"), "needs an order");
            }
            if line.sku.is_none() {
                faults.add(format!("lines[{index}].sku"), "is needed where no order is named");
            }
        }
    }
    faults.into_result().map_err(Refusal::Invalid)
}

/// What is there already can be looked at: each line says what becomes of it, and where they are is known.
fn check_counter(form: &ReturnForm, faults: &mut Faults) {
    if form.location.is_none() {
        faults.add("location", "is needed: where the goods are");
    }
    if form.exchange.is_some() {
        faults.add("exchange", "needs a return that is approved by itself: leave the dispositions to the inspection");
    }
    for (index, line) in form.lines.iter().enumerate() {
        if line.disposition.is_none() {
            faults.add(format!("lines[{index}].disposition"), "is given for every line, or for none");
        }
        if form.names_order() && line.line_no.is_none() {
            faults.add(format!("lines[{index}].line_no"), "is needed where the disposition is given");
        }
    }
}

/// Of a return without an original: each line's SKU, price and refund, in the channel's currency.
fn unknown_lines(form: &ReturnForm, known: &Known) -> Result<(Vec<UnknownLine>, Currency), Refusal> {
    let channel = form.channel.as_ref().and_then(|channel| known.channel(channel));
    let currency =
        channel.map(|channel| channel.currency).ok_or_else(|| Refusal::unknown("channel", "is not a known channel"))?;
    let mut faults = Faults::default();
    let mut lines = Vec::with_capacity(form.lines.len());
    let mut unknown = Vec::new();
    for (index, line) in form.lines.iter().enumerate() {
        let Some(sku) = line.sku.as_ref().and_then(|sku| known.sku(sku)) else {
            let detail = "is not a known SKU".to_owned();
            unknown.push(FieldError { field: format!("lines[{index}].sku"), detail });
            continue;
        };
        faults.amount(&format!("lines[{index}].refund_amount"), line.refund_amount, currency);
        let price = match (line.unit_price, &line.unit_price_decimal) {
            (None, None) => Ok(None),
            (Some(money), None) => money_price(money, currency).map(Some),
            (None, Some(text)) => parse_price(text).map(Some),
            (Some(_), Some(_)) => Err("is given once, as unit_price or as unit_price_decimal".to_owned()),
        };
        let unit_price = price.unwrap_or_else(|detail| {
            faults.add(format!("lines[{index}].unit_price"), detail);
            None
        });
        let refund_amount = refund_of(line.refund_amount, unit_price, line.quantity.get(), currency);
        match refund_amount {
            Some(refund_amount) => lines.push(UnknownLine {
                sku: sku.code.clone(),
                components: to_json_list(&sku.components)?,
                unit_price,
                refund_amount,
            }),
            None => faults.add(format!("lines[{index}].refund_amount"), "is needed, or a unit price within the limits"),
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::Unknown(unknown));
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    Ok((lines, currency))
}

fn refund_of(given: Option<Money>, unit_price: Option<Decimal>, quantity: i64, currency: Currency) -> Option<i64> {
    match (given, unit_price) {
        (Some(money), _) => Some(money.amount),
        (None, Some(price)) => line_amount(price, quantity, currency).ok(),
        (None, None) => None,
    }
}

/// Takes the return in. Goods that are there already are approved, received, inspected and refunded with it.
pub fn take_return(tx: &mut Tx<'_>, request: &Request, caller: &Caller, rules: Rules) -> Result<Requested, Refusal> {
    let requested = request_return(tx, request, caller, rules)?;
    let Requested::New(id) = &requested else { return Ok(requested) };
    if request.form.is_at_counter() {
        let steps = [
            Move::Approve { exchange: None },
            Move::Receive { location: None },
            Move::Inspect { lines: inspected(&request.form), reason_code: None },
            Move::Refund,
        ];
        steps.iter().try_for_each(|step| move_return(tx, ReturnId(*id), step, caller, rules))?;
    }
    Ok(requested)
}

/// What becomes of the lines: those of an order by their number, the others by their place.
fn inspected(form: &ReturnForm) -> Vec<Inspected> {
    let inspected = |(position, line): (i32, &ReturnLineForm)| {
        Some(Inspected {
            position: Some(position).filter(|_| !form.names_order()),
            line_no: line.line_no,
            sku: None,
            quantity: Some(line.quantity.get()),
            disposition: line.disposition?,
        })
    };
    (1..).zip(&form.lines).filter_map(inspected).collect()
}

/// Notes what is to come back.
fn request_return(tx: &mut Tx<'_>, request: &Request, caller: &Caller, rules: Rules) -> Result<Requested, Refusal> {
    if let Some(location) = &request.form.location {
        caller.check_location(location)?;
    }
    match original(tx, &request.form)? {
        Some(order_id) => of_order(tx, request, order_id, caller, rules),
        None => of_unknown(tx, request, caller),
    }
}

/// The order that the form names, if it names one.
fn original(tx: &mut Tx<'_>, form: &ReturnForm) -> Result<Option<OrderId>, Refusal> {
    if let Some(order_id) = form.order_id {
        return Ok(Some(order_id));
    }
    let (Some(channel), Some(number)) = (&form.channel, &form.channel_order_no) else { return Ok(None) };
    let mut found = orders::numbered(tx, &[(channel.as_str(), number.as_str())])?;
    match found.remove(&(channel.to_string(), number.clone())) {
        Some(order) => Ok(Some(OrderId(order.order_id))),
        None => Err(Refusal::unknown("channel_order_no", format!("{channel} has no order {number}"))),
    }
}

fn of_order(
    tx: &mut Tx<'_>,
    request: &Request,
    order_id: OrderId,
    caller: &Caller,
    rules: Rules,
) -> Result<Requested, Refusal> {
    let form = &request.form;
    let mut book = Book::open(tx, order_id)?
        .ok_or_else(|| Refusal::unknown("order_id", format!("there is no order {order_id}")))?;
    let channel = code(&book.order.channel)?;
    caller.check_channel(&channel)?;
    if form.channel.as_ref().is_some_and(|named| *named != channel) {
        return Err(Refusal::invalid("channel", format!("the order is one of {channel}")));
    }
    if let Some(known) = already(tx, &channel, request)? {
        return Ok(known);
    }
    let wanted: Vec<Wanted> = form
        .lines
        .iter()
        .map(|line| Wanted { line_no: line.line_no, sku: line.sku.clone(), quantity: line.quantity.get() })
        .collect();
    let claims = returning::claim(&book.lines, &wanted).map_err(|refusal| match refusal {
        returning::Refusal::Unknown { index } => {
            let name = if form.lines.get(index).is_some_and(|line| line.line_no.is_some()) { "line_no" } else { "sku" };
            Refusal::invalid(format!("lines[{index}].{name}"), "is on no line of the order")
        }
        returning::Refusal::TooMany { index, returnable } => {
            Refusal::invalid(format!("lines[{index}].quantity"), format!("{returnable} may be returned"))
        }
    })?;
    for line in &mut book.lines {
        let claimed = claims.iter().find(|(line_no, _)| *line_no == line.line_no).map_or(0, |(_, units)| *units);
        line.returned = line.returned.saturating_add(claimed);
    }
    let row = ReturnRow {
        order_id: Some(order_id.uuid()),
        channel_order_no: Some(book.order.channel_order_no.clone()),
        buyer_key: book.order.buyer_key.clone(),
        ..new_row(tx, request, &channel, book.order.currency()?, caller)?
    };
    if !returns::insert(tx, &row)? {
        // The number went to a return of another order in between: nothing of this transaction may stay.
        return Err(Refusal::Contradiction("another return has this number already".to_owned()));
    }
    let rows = claimed_lines(tx, &row, &claims)?;
    returns::insert_lines(tx, &rows)?;
    book.settle(tx, &caller.actor(Some(form.reason().to_owned())), "return requested", rules)?;
    Ok(Requested::New(row.return_id))
}

fn claimed_lines(tx: &mut Tx<'_>, row: &ReturnRow, claims: &[(i32, i64)]) -> Result<Vec<ReturnLineRow>, Error> {
    let Some(order_id) = row.order_id else { return Ok(Vec::new()) };
    let sold = lines::of(tx, &[order_id])?.remove(&order_id).unwrap_or_default();
    let mut rows = Vec::with_capacity(claims.len());
    for (position, (line_no, quantity)) in (1..).zip(claims) {
        let line = sold.iter().find(|line| line.line_no == *line_no).ok_or(Error::Broken("a claim names a line"))?;
        rows.push(ReturnLineRow {
            return_id: row.return_id,
            position,
            line_no: Some(*line_no),
            sku: line.sku.clone(),
            components: line.components.clone(),
            quantity: *quantity,
            unit_price: Some(line.unit_price),
            refund_amount: None,
            restock: 0,
            quarantine: 0,
            scrap: 0,
        });
    }
    Ok(rows)
}

fn of_unknown(tx: &mut Tx<'_>, request: &Request, caller: &Caller) -> Result<Requested, Refusal> {
    let form = &request.form;
    let channel = form.channel.clone().ok_or(Error::Broken("a checked form names its channel"))?;
    caller.check_channel(&channel)?;
    if let Some(known) = already(tx, &channel, request)? {
        return Ok(known);
    }
    let currency = request.currency.ok_or(Error::Broken("a checked form has its currency"))?;
    let buyer = form.buyer.clone().unwrap_or_default();
    let row = ReturnRow {
        buyer_key: buyer_key(&buyer),
        buyer: if buyer == BuyerForm::default() { None } else { Some(stored_buyer(buyer)?) },
        ..new_row(tx, request, &channel, currency, caller)?
    };
    if !returns::insert(tx, &row)? {
        // The same number came in between; its transaction has committed, so now it can be compared.
        return already(tx, &channel, request)?
            .ok_or_else(|| Refusal::Store(Error::Conflict("a return with this number is on its way".to_owned())));
    }
    let mut rows = Vec::with_capacity(form.lines.len());
    for ((position, line), given) in (1..).zip(&request.unknown).zip(&form.lines) {
        rows.push(ReturnLineRow {
            return_id: row.return_id,
            position,
            line_no: None,
            sku: line.sku.to_string(),
            components: line.components.clone(),
            quantity: given.quantity.get(),
            unit_price: line.unit_price,
            refund_amount: Some(line.refund_amount),
            restock: 0,
            quarantine: 0,
            scrap: 0,
        });
    }
    returns::insert_lines(tx, &rows)?;
    Ok(Requested::New(row.return_id))
}

fn stored_buyer(form: BuyerForm) -> Result<String, Error> {
    Ok(serde_json::to_string(&Buyer::from(form))?)
}

/// The return that has the form's number already, if it says the same.
fn already(tx: &mut Tx<'_>, channel: &ChannelCode, request: &Request) -> Result<Option<Requested>, Refusal> {
    let Some(number) = &request.form.return_no else { return Ok(None) };
    match returns::numbered(tx, channel.as_str(), number)? {
        None => Ok(None),
        Some(row) if row.content == request.content => Ok(Some(Requested::Known(row.return_id))),
        Some(row) => {
            let detail = format!("return {} has this number already, with other content", row.return_id);
            Err(Refusal::Contradiction(detail))
        }
    }
}

fn new_row(
    tx: &Tx<'_>,
    request: &Request,
    channel: &ChannelCode,
    currency: Currency,
    caller: &Caller,
) -> Result<ReturnRow, Error> {
    let now = tx.now();
    let returned_at = request.form.returned_at.unwrap_or(now);
    Ok(ReturnRow {
        return_id: ReturnId::at(now).uuid(),
        order_id: None,
        channel: channel.to_string(),
        channel_order_no: None,
        return_no: request.form.return_no.clone(),
        content: request.content.clone(),
        currency: currency.code().to_owned(),
        buyer_key: None,
        buyer: None,
        location: request.form.location.as_ref().map(ToString::to_string),
        reason: request.form.reason().to_owned(),
        exchange: request.form.exchange.as_ref().map(serde_json::to_string).transpose()?,
        exchange_order_id: None,
        expires_at: None,
        exchange_amount: 0,
        reason_code: request.form.reason_code().as_str().to_owned(),
        status: ReturnStatus::Requested.as_str().to_owned(),
        refund_id: None,
        freight_amount: 0,
        refund_amount: 0,
        returned_at: returned_at.utc(),
        requested_at: now.utc(),
        requested_by: caller.principal.client_id.to_string(),
        changed_at: now.utc(),
        version: 1,
    })
}
