//! What makes a till's transaction understandable: limits, and amounts that add up to the minor unit, sign by sign.

use contracts::FieldError;
use contracts::events::{Disposition, PosKind};
use kernel::money::{MAX_AMOUNT, line_amount};
use kernel::quantity::MAX_QUANTITY;
use kernel::{Currency, Money};
use rust_decimal::Decimal;

use super::form::{DayForm, PosForm, PosLineForm, TenderForm};
use crate::domain::faults::Faults;
use crate::domain::intake::{MAX_LINES, MAX_NOTE_LENGTH, MAX_PAYMENTS, MAX_TEXT_LENGTH, Refusal};
use crate::domain::intake::{money_price, parse_price};

/// The longest name of a till, in characters: as long as a code.
pub const MAX_TERMINAL_LENGTH: usize = 64;
/// The longest name of a means of payment, in characters.
pub const MAX_METHOD_LENGTH: usize = 64;
/// The greatest number of a transaction: a till that writes a thousand a second counts for thirty years.
pub const MAX_SEQUENCE: i64 = 1_000_000_000_000;
/// The most means of payment that a day is closed with: more than any till takes.
pub const MAX_DECLARED: usize = 100;

/// What a line comes to, in minor units; below 0 where units came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// The price of one unit in major units, exactly as given.
    pub unit_price: Decimal,
    /// Unit price × quantity, rounded once.
    pub list_amount: i64,
    /// What was taken off.
    pub discount_amount: i64,
    /// List − discount.
    pub paid_amount: i64,
    /// What becomes of units that came back.
    pub disposition: Option<Disposition>,
}

/// Checks a transaction and computes its lines; none for a void.
pub fn check(form: &PosForm) -> Result<Vec<PricedLine>, Refusal> {
    let mut faults = Faults::default();
    check_head(form, &mut faults);
    if form.kind == PosKind::Void {
        check_void(form, &mut faults);
        return faults.into_result().map(|()| Vec::new()).map_err(Refusal::Invalid);
    }
    if form.voids.is_some() {
        faults.add("voids", "belongs to a void");
    }
    let prices = check_lines(form, &mut faults);
    check_kind(form, &mut faults);
    check_tenders(&form.tenders, form.currency, &mut faults);
    faults.into_result().map_err(Refusal::Invalid)?;
    let lines = price(form, &prices)?;
    let paid: i128 = lines.iter().map(|line| i128::from(line.paid_amount)).sum();
    let tendered: i128 = form.tenders.iter().map(|tender| i128::from(tender.amount.amount)).sum();
    if paid != tendered {
        return Err(amounts("tenders", format!("add up to {tendered}, the lines to {paid}")));
    }
    if paid.unsigned_abs() > u128::from(MAX_AMOUNT.unsigned_abs()) {
        return Err(amounts("lines", format!("add up to more than the limit of {MAX_AMOUNT} minor units")));
    }
    Ok(lines)
}

fn amounts(field: impl Into<String>, detail: String) -> Refusal {
    Refusal::Amounts(vec![FieldError { field: field.into(), detail }])
}

fn check_head(form: &PosForm, faults: &mut Faults) {
    check_terminal(&form.terminal, faults);
    check_sequence("sequence", form.sequence, faults);
    faults.optional_text("note", form.note.as_deref(), MAX_NOTE_LENGTH);
    faults.buyer(&form.buyer);
}

fn check_terminal(terminal: &str, faults: &mut Faults) {
    faults.text("terminal", terminal, MAX_TERMINAL_LENGTH);
    if terminal.trim() != terminal || terminal.chars().any(char::is_control) {
        faults.add("terminal", "has no control characters and no blank at either end");
    }
}

fn check_sequence(field: &str, sequence: i64, faults: &mut Faults) {
    if !(1..=MAX_SEQUENCE).contains(&sequence) {
        faults.add(field, format!("lies between 1 and {MAX_SEQUENCE}"));
    }
}

fn check_void(form: &PosForm, faults: &mut Faults) {
    match form.voids {
        None => faults.add("voids", "is needed: what the void undoes"),
        Some(voids) => {
            check_sequence("voids.sequence", voids.sequence, faults);
            if (voids.business_date, voids.sequence) >= (form.business_date, form.sequence) {
                faults.add("voids", "is an earlier transaction of the till");
            }
        }
    }
    for (field, empty) in [("lines", form.lines.is_empty()), ("tenders", form.tenders.is_empty())] {
        if !empty {
            faults.add(field, "are those of what the void undoes: it has none of its own");
        }
    }
}

/// Checks each line's shape; answers the unit prices it could read.
fn check_lines(form: &PosForm, faults: &mut Faults) -> Vec<Decimal> {
    if form.lines.is_empty() || form.lines.len() > MAX_LINES {
        faults.add("lines", format!("has 1 to {MAX_LINES} entries"));
        return Vec::new();
    }
    let mut numbers: Vec<i32> = form.lines.iter().map(|line| line.line_no).collect();
    numbers.sort_unstable();
    if numbers.first().is_some_and(|first| *first < 1) {
        faults.add("lines", "are numbered from 1");
    }
    if let Some(twice) = numbers.windows(2).find_map(|pair| matches!(pair, [a, b] if a == b).then(|| pair.first())) {
        faults.add("lines", format!("have numbers of their own; {} is there twice", twice.copied().unwrap_or(0)));
    }
    let mut prices = Vec::with_capacity(form.lines.len());
    for (index, line) in form.lines.iter().enumerate() {
        if line.quantity == 0 || line.quantity.unsigned_abs() > MAX_QUANTITY.unsigned_abs() {
            faults.add(format!("lines[{index}].quantity"), format!("lies between 1 and {MAX_QUANTITY}, or below 0"));
        }
        if line.quantity > 0 && line.disposition.is_some() {
            faults.add(format!("lines[{index}].disposition"), "belongs to units that came back");
        }
        check_original(index, line, faults);
        faults.amount(&format!("lines[{index}].discount"), line.discount, form.currency);
        match unit_price(line, form.currency) {
            Ok(price) => prices.push(price),
            Err((field, detail)) => faults.add(format!("lines[{index}].{field}"), detail),
        }
    }
    prices
}

fn check_original(index: usize, line: &PosLineForm, faults: &mut Faults) {
    let Some(original) = &line.original else { return };
    let field = |name: &str| format!("lines[{index}].original{name}");
    if line.quantity > 0 {
        faults.add(field(""), "belongs to units that came back");
    }
    if let Some(terminal) = &original.terminal {
        faults.text(&field(".terminal"), terminal, MAX_TERMINAL_LENGTH);
    }
    check_sequence(&field(".sequence"), original.sequence, faults);
    if original.line_no < 1 {
        faults.add(field(".line_no"), "counts from 1");
    }
}

fn unit_price(line: &PosLineForm, currency: Currency) -> Result<Decimal, (&'static str, String)> {
    match (line.unit_price, &line.unit_price_decimal) {
        (Some(_), Some(_)) => Err(("unit_price_decimal", "is given instead of unit_price, not with it".to_owned())),
        (None, None) => Err(("unit_price", "is missing".to_owned())),
        (Some(money), None) => money_price(money, currency).map_err(|detail| ("unit_price", detail)),
        (None, Some(text)) => parse_price(text).map_err(|detail| ("unit_price_decimal", detail)),
    }
}

fn check_kind(form: &PosForm, faults: &mut Faults) {
    let sold = form.lines.iter().any(|line| line.quantity > 0);
    let came_back = form.lines.iter().any(|line| line.quantity < 0);
    match form.kind {
        PosKind::Sale if came_back => faults.add("kind", "is exchange where units came back, too"),
        PosKind::Return if sold => faults.add("kind", "is exchange where units were sold, too"),
        PosKind::Exchange if !(sold && came_back) => faults.add("kind", "is exchange only with lines both ways"),
        PosKind::Sale | PosKind::Return | PosKind::Exchange | PosKind::Void => {}
    }
}

fn check_tenders(tenders: &[TenderForm], currency: Currency, faults: &mut Faults) {
    if tenders.len() > MAX_PAYMENTS {
        faults.add("tenders", format!("has at most {MAX_PAYMENTS} entries"));
    }
    for (index, tender) in tenders.iter().enumerate().take(MAX_PAYMENTS) {
        faults.text(&format!("tenders[{index}].method"), &tender.method, MAX_METHOD_LENGTH);
        faults.optional_text(&format!("tenders[{index}].reference"), tender.reference.as_deref(), MAX_TEXT_LENGTH);
        check_signed(&format!("tenders[{index}].amount"), tender.amount, Some(currency), faults);
    }
}

fn check_signed(field: &str, money: Money, currency: Option<Currency>, faults: &mut Faults) {
    match currency {
        Some(currency) if money.currency != currency => {
            faults.add(field, format!("is in {}, the transaction in {currency}", money.currency));
        }
        _ if money.amount.unsigned_abs() > MAX_AMOUNT.unsigned_abs() => {
            faults.add(field, format!("is at most {MAX_AMOUNT} minor units, either way"));
        }
        _ => {}
    }
}

fn price(form: &PosForm, prices: &[Decimal]) -> Result<Vec<PricedLine>, Refusal> {
    let mut faults = Faults::default();
    let mut lines = Vec::with_capacity(form.lines.len());
    for (index, (line, unit_price)) in form.lines.iter().zip(prices).enumerate() {
        let list_amount = match line_amount(*unit_price, line.quantity, form.currency) {
            Ok(list_amount) => list_amount,
            Err(error) => {
                faults.add(format!("lines[{index}].unit_price"), error.to_string());
                continue;
            }
        };
        let off = line.discount.map_or(0, |discount| discount.amount);
        if off.unsigned_abs() > list_amount.unsigned_abs() {
            faults.add(format!("lines[{index}].discount"), format!("is {off}, the line only {}", list_amount.abs()));
        }
        let discount_amount = if line.quantity < 0 { off.saturating_neg() } else { off };
        lines.push(PricedLine {
            unit_price: *unit_price,
            list_amount,
            discount_amount,
            paid_amount: list_amount.saturating_sub(discount_amount),
            disposition: (line.quantity < 0).then(|| line.disposition.unwrap_or(Disposition::Restock)),
        });
    }
    faults.into_result().map(|()| lines).map_err(Refusal::Amounts)
}

/// Checks the closing of a day.
pub fn check_day(form: &DayForm) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    check_terminal(&form.terminal, &mut faults);
    if !(0..=MAX_SEQUENCE).contains(&form.last_sequence) {
        faults.add("last_sequence", format!("lies between 0 and {MAX_SEQUENCE}"));
    }
    if !(0..=form.last_sequence).contains(&form.transactions) {
        faults.add("transactions", "lies between 0 and last_sequence: every number is one transaction");
    }
    if form.tenders.len() > MAX_DECLARED {
        faults.add("tenders", format!("has at most {MAX_DECLARED} entries"));
    }
    let mut seen = std::collections::HashSet::new();
    for (index, tender) in form.tenders.iter().enumerate().take(MAX_DECLARED) {
        faults.text(&format!("tenders[{index}].method"), &tender.method, MAX_METHOD_LENGTH);
        check_signed(&format!("tenders[{index}].amount"), tender.amount, None, &mut faults);
        if !seen.insert((&tender.method, tender.amount.currency)) {
            faults.add(format!("tenders[{index}].method"), "is there twice");
        }
    }
    faults.into_result().map_err(Refusal::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn form(change: impl FnOnce(&mut Value)) -> PosForm {
        let mut body = json!({
            "store": "S1", "terminal": "T1", "business_date": "2026-11-11", "sequence": 7, "kind": "sale",
            "occurred_at": "2026-11-11T12:00:00+08:00", "channel": "pos", "currency": "CNY",
            "lines": [
                {"line_no": 1, "sku": "A", "quantity": 2, "unit_price": fen(1000), "discount": fen(100)},
                {"line_no": 2, "sku": "B", "quantity": 3, "unit_price_decimal": "0.125"},
            ],
            "tenders": [{"method": "cash", "amount": fen(2000)}, {"method": "cash", "amount": fen(-62)}],
        });
        change(&mut body);
        serde_json::from_value(body).unwrap()
    }

    fn fen(amount: i64) -> Value {
        json!({"amount": amount, "currency": "CNY"})
    }

    fn refused(change: impl FnOnce(&mut Value)) -> (bool, Vec<String>) {
        match check(&form(change)).unwrap_err() {
            Refusal::Invalid(errors) => (false, errors.into_iter().map(|error| error.field).collect()),
            Refusal::Amounts(errors) => (true, errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn lines_and_tenders_add_up_with_change_given() {
        let lines = check(&form(|_| {})).unwrap();
        let amounts = |line: &PricedLine| (line.list_amount, line.discount_amount, line.paid_amount);
        assert_eq!(lines.iter().map(amounts).collect::<Vec<_>>(), [(2000, 100, 1900), (38, 0, 38)]);
    }

    #[test]
    fn what_came_back_has_its_sign_in_every_amount() {
        let lines = check(&form(|body| {
            body["kind"] = json!("exchange");
            body["lines"][0]["quantity"] = json!(-2);
            body["tenders"] = json!([{"method": "card", "amount": fen(-1862)}]);
        }))
        .unwrap();
        let amounts = |line: &PricedLine| (line.list_amount, line.discount_amount, line.paid_amount);
        assert_eq!(lines.iter().map(amounts).collect::<Vec<_>>(), [(-2000, -100, -1900), (38, 0, 38)]);
        assert_eq!(lines[0].disposition, Some(Disposition::Restock));
    }

    #[test]
    fn a_sum_with_the_wrong_sign_is_refused() {
        let wrong = |body: &mut Value| body["tenders"] = json!([{"method": "cash", "amount": fen(-1938)}]);
        assert_eq!(refused(wrong), (true, vec!["tenders".to_owned()]));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let (_, fields) = refused(|body| {
            body["terminal"] = json!(" T1");
            body["sequence"] = json!(0);
            body["voids"] = json!({"business_date": "2026-11-11", "sequence": 1});
            body["lines"][0]["quantity"] = json!(-1);
            body["lines"][1]["quantity"] = json!(0);
            body["lines"][1]["disposition"] = json!("scrap");
            body["tenders"][0]["method"] = json!("");
        });
        let expected = ["terminal", "sequence", "voids", "lines[1].quantity", "kind", "tenders[0].method"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_void_names_an_earlier_transaction_and_nothing_else() {
        let void = |sequence: i64| {
            move |body: &mut Value| {
                body["kind"] = json!("void");
                body["voids"] = json!({"business_date": "2026-11-11", "sequence": sequence});
                body["lines"] = json!([]);
                body["tenders"] = json!([]);
            }
        };
        assert_eq!(check(&form(void(6))), Ok(Vec::new()));
        assert_eq!(refused(void(7)), (false, vec!["voids".to_owned()]));
        let (_, fields) = refused(|body| body["kind"] = json!("void"));
        assert_eq!(fields, ["voids", "lines", "tenders"]);
    }
}
