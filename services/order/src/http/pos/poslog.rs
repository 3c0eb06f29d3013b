//! POSLog (ARTS IXRetail) as tills write it, turned into the form of transactions. Amounts are checked there like any
//! others: what is misread does not add up and is refused.

use contracts::Problem;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::xml::Element;
use crate::domain::pos::form::PosForm;

/// The transactions of a document, each readable or not. POSLog knows no sales channels, so the request names it.
pub(super) fn forms(text: &str, channel: &str) -> Result<Vec<Result<PosForm, Problem>>, String> {
    let root = Element::parse(text)?;
    if root.name() != "POSLog" {
        return Err(format!("a POSLog is needed, not {}", root.name()));
    }
    let form = |transaction: &Element| {
        let form = form(transaction, channel).map_err(|(field, detail)| Problem::invalid(field, detail))?;
        let text = serde_json::to_vec(&form).map_err(store::Error::from)?;
        web::parse(&text)
    };
    Ok(root.all("Transaction").map(form).collect())
}

type Fault = (String, String);

fn fault(field: impl Into<String>, detail: impl Into<String>) -> Fault {
    (field.into(), detail.into())
}

fn form(transaction: &Element, channel: &str) -> Result<Value, Fault> {
    let retail = transaction.find(&["RetailTransaction"]);
    let retail = retail.ok_or_else(|| fault("RetailTransaction", "is missing: only sales and returns are taken"))?;
    if transaction.flag("CancelFlag") || transaction.flag("TrainingModeFlag") {
        return Err(fault("Transaction", "was cancelled or written in training: nothing happened"));
    }
    let mut form = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| form.insert(name.to_owned(), value));
    let text = |path: &[&str]| transaction.text(path).map(Value::from);
    put("store", text(&["BusinessUnit", "UnitID"]).or_else(|| text(&["RetailStoreID"])));
    put("terminal", text(&["WorkstationID"]));
    put("business_date", text(&["BusinessDayDate"]));
    put("sequence", Some(number(transaction.text(&["SequenceNumber"]), "sequence")?.into()));
    put("occurred_at", text(&["EndDateTime"]).or_else(|| text(&["BeginDateTime"])));
    put("channel", Some(channel.into()));
    let currency = currency(transaction, retail).ok_or_else(|| fault("currency", "is named nowhere"))?;
    put("currency", Some(currency.into()));
    let card =
        retail.text(&["LoyaltyAccount", "LoyaltyID"]).or_else(|| retail.text(&["LoyaltyAccount", "LoyaltyAccountID"]));
    put("buyer", card.map(|card| json!({"identities": [{"type": "till_card", "value": card}]})));
    if let Some(link) = retail.all("TransactionLink").chain(transaction.all("TransactionLink")).find(|it| voids(it)) {
        put("kind", Some("void".into()));
        let sequence = number(link.text(&["SequenceNumber"]), "voids.sequence")?;
        let day = link.text(&["BusinessDayDate"]).or_else(|| transaction.text(&["BusinessDayDate"]));
        put("voids", Some(json!({"business_date": day, "sequence": sequence})));
        return Ok(Value::Object(form));
    }
    let mut lines = Vec::new();
    let mut tenders = Vec::new();
    // What was cancelled while the receipt was written was neither sold nor paid.
    for item in retail.all("LineItem").filter(|item| !item.flag("VoidFlag")) {
        let goods = [("Sale", 1), ("Return", -1)].iter().find_map(|(name, sign)| Some((item.find(&[name])?, *sign)));
        if let Some((goods, sign)) = goods {
            lines.push(line(item, goods, sign, (lines.len(), currency))?);
        } else if let Some(tender) = item.find(&["Tender"]) {
            pay(tender, currency, &mut tenders)?;
        }
    }
    put("kind", Some(kind(&lines).into()));
    put("lines", Some(Value::Array(lines)));
    put("tenders", Some(Value::Array(tenders)));
    Ok(Value::Object(form))
}

/// Whether a link to another transaction undoes it.
fn voids(link: &Element) -> bool {
    let reason = link.attribute("ReasonCode").unwrap_or_default().to_ascii_lowercase();
    matches!(reason.as_str(), "void" | "voided" | "postvoid" | "postvoided")
}

fn currency<'a>(transaction: &'a Element, retail: &'a Element) -> Option<&'a str> {
    let named = transaction.text(&["CurrencyCode"]).or_else(|| retail.text(&["CurrencyCode"]));
    named
        .or_else(|| retail.all("Total").find_map(|total| total.attribute("CurrencyCode")))
        .or_else(|| retail.all("LineItem").find_map(|it| it.find(&["Tender", "Amount"])?.attribute("Currency")))
}

fn kind(lines: &[Value]) -> &'static str {
    let sold = lines.iter().any(|line| line["quantity"].as_i64() > Some(0));
    let came_back = lines.iter().any(|line| line["quantity"].as_i64() < Some(0));
    match (sold, came_back) {
        (true, true) => "exchange",
        (false, true) => "return",
        _ => "sale",
    }
}

fn line(item: &Element, goods: &Element, sign: i64, (index, currency): (usize, &str)) -> Result<Value, Fault> {
    let field = |name: &str| format!("lines[{index}].{name}");
    let sku = goods.text(&["ItemID"]).or_else(|| goods.text(&["POSIdentity", "POSItemID"]));
    // A weighed item has a quantity of pieces beside that of its weight; a missing quantity is one piece.
    let pieces = goods.all("Quantity").find(|it| matches!(it.attribute("UnitOfMeasureCode"), None | Some("EA")));
    let quantity = match pieces {
        None if goods.find(&["Quantity"]).is_some() => return Err(fault(field("quantity"), "is given in pieces")),
        None => 1,
        Some(pieces) => number(pieces.text(&[]), &field("quantity"))?,
    };
    let actual = goods.text(&["ActualSalesUnitPrice"]).or_else(|| goods.text(&["UnitPrice"]));
    let price = goods.text(&["RegularSalesUnitPrice"]).or(actual);
    let price = decimal(price, &field("unit_price"))?.normalize();
    let units = Decimal::from(quantity);
    let paid = match goods.text(&["ExtendedAmount"]) {
        Some(extended) => decimal(Some(extended), &field("paid_amount"))?.abs(),
        None => decimal(actual, &field("unit_price"))?.checked_mul(units).unwrap_or_default().abs(),
    };
    let list = price.checked_mul(units).unwrap_or_default().abs();
    let discount = money(list.saturating_sub(paid), currency, &field("discount"))?;
    let link = if sign < 0 { goods.find(&["TransactionLink"]) } else { None };
    let original = link.map(|link| original(link, &field("original"))).transpose()?.flatten();
    Ok(json!({
        "line_no": number(item.text(&["SequenceNumber"]), &field("line_no"))?,
        "sku": sku, "quantity": quantity.saturating_mul(sign), "unit_price_decimal": price.to_string(),
        "discount": discount, "original": original,
    }))
}

/// Where returned goods had been sold; nothing where the link names no line.
fn original(link: &Element, field: &str) -> Result<Option<Value>, Fault> {
    let Some(line_no) = link.text(&["LineItemSequenceNumber"]) else { return Ok(None) };
    Ok(Some(json!({
        "store": link.text(&["BusinessUnit", "UnitID"]).or_else(|| link.text(&["RetailStoreID"])),
        "terminal": link.text(&["WorkstationID"]), "business_date": link.text(&["BusinessDayDate"]),
        "sequence": number(link.text(&["SequenceNumber"]), &format!("{field}.sequence"))?,
        "line_no": number(Some(line_no), &format!("{field}.line_no"))?,
    })))
}

/// A means of payment, and the change that was given.
fn pay(tender: &Element, currency: &str, tenders: &mut Vec<Value>) -> Result<(), Fault> {
    let method = tender.attribute("TenderType").unwrap_or("Cash").to_lowercase();
    let refund = tender.attribute("TypeCode").is_some_and(|code| code.eq_ignore_ascii_case("refund"));
    let amount = decimal(tender.text(&["Amount"]), &format!("tenders[{}].amount", tenders.len()))?;
    let amount = if refund && amount.is_sign_positive() { -amount } else { amount };
    tenders.push(paid(&method, amount, currency, tenders.len())?);
    if let Some(change) = tender.text(&["TenderChange", "Amount"]) {
        let change = decimal(Some(change), &format!("tenders[{}].amount", tenders.len()))?;
        tenders.push(paid(&method, -change.abs(), currency, tenders.len())?);
    }
    Ok(())
}

fn paid(method: &str, amount: Decimal, currency: &str, index: usize) -> Result<Value, Fault> {
    Ok(json!({"method": method, "amount": money(amount, currency, &format!("tenders[{index}].amount"))?}))
}

fn number(text: Option<&str>, field: &str) -> Result<i64, Fault> {
    let number = decimal(text, field)?;
    if !number.fract().is_zero() {
        return Err(fault(field, "is a whole number"));
    }
    i64::try_from(number).map_err(|_| fault(field, "is too large"))
}

fn decimal(text: Option<&str>, field: &str) -> Result<Decimal, Fault> {
    let text = text.ok_or_else(|| fault(field, "is missing"))?;
    Decimal::from_str_exact(text).map_err(|_| fault(field, "is a plain decimal"))
}

/// An amount in major units as whole minor units.
fn money(amount: Decimal, currency: &str, field: &str) -> Result<Value, Fault> {
    let known: kernel::Currency = currency.parse().map_err(|_| fault("currency", "is an ISO 4217 code"))?;
    let minor = amount.checked_mul(Decimal::from(10_i64.saturating_pow(known.minor_digits())));
    let whole = minor.filter(|minor| minor.fract().is_zero()).and_then(|minor| i64::try_from(minor).ok());
    let amount = whole.ok_or_else(|| fault(field, "has no fraction of the minor unit"))?;
    Ok(json!({"amount": amount, "currency": currency}))
}
