//! The published totals, each beside what OnePool answers to the same question.

use std::collections::HashSet;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::held::Held;
use super::plan::BAD_DEBT;
use super::rows::Row;
use super::setup::CHANNEL;
use crate::api::Api;

/// A total.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its place in the published totals.
    pub name: &'static str,
    /// As published.
    pub expected: String,
    /// As OnePool says.
    pub onepool: String,
    /// Where OnePool says so.
    pub from: &'static str,
}

impl Figure {
    /// Whether both are the same; numbers to the last decimal.
    pub fn holds(&self) -> bool {
        match (Decimal::from_str(&self.expected), Decimal::from_str(&self.onepool)) {
            (Ok(expected), Ok(onepool)) => expected == onepool,
            _ => self.expected == self.onepool,
        }
    }
}

/// The answers of the summary to the questions behind the totals.
#[derive(Debug)]
pub struct Summaries {
    all: Value,
    identified: Value,
    anonymous: Value,
    clean: Value,
    unpriced: Value,
}

impl Summaries {
    /// Asks for each.
    pub async fn read(api: &Api) -> Self {
        let ask = async |filter: &str| api.get(&format!("/v1/orders/summary?channel={CHANNEL}{filter}")).await.ok();
        Self {
            all: ask("").await,
            identified: ask("&identified=true").await,
            anonymous: ask("&identified=false").await,
            clean: ask("&identified=true&priced=true").await,
            unpriced: ask("&priced=false").await,
        }
    }

    /// Members that ordered.
    pub fn members(&self) -> i64 {
        number(&self.all, "/orders/members")
    }
}

fn number(summary: &Value, pointer: &str) -> i64 {
    summary.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("{pointer} of {summary}"))
}

/// Price × quantity over all lines; nothing where there are none.
fn revenue(summary: &Value, part: &str) -> Decimal {
    let text = summary.pointer(&format!("/{part}/amounts/0/list_revenue")).and_then(Value::as_str).unwrap_or("0");
    Decimal::from_str(text).expect("a decimal")
}

/// The instant as the file writes it.
fn time(summary: &Value, pointer: &str) -> String {
    let text = summary.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let at = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.naive_utc());
    at.map_or_else(|_| text.to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn count<T>(things: impl Iterator<Item = T>) -> i64 {
    i64::try_from(things.count()).expect("some hundred thousand")
}

/// Every total. `refused` are the rows that are not in OnePool, each with its reason.
pub fn figures(expected: &Value, summaries: &Summaries, held: &Held, refused: &[(&Row, &str)]) -> Vec<Figure> {
    let mut figures = raw(summaries, held, refused);
    figures.extend(narrowed(summaries, held));
    for figure in &mut figures {
        let published = &expected[figure.name.split('.').next().unwrap_or_default()];
        let published = &published[figure.name.split('.').nth(1).unwrap_or_default()];
        figure.expected = published.as_str().map_or_else(|| published.to_string(), ToOwned::to_owned);
    }
    figures
}

fn figure(name: &'static str, onepool: impl ToString, from: &'static str) -> Figure {
    Figure { name, expected: String::new(), onepool: onepool.to_string(), from }
}

fn raw(of: &Summaries, held: &Held, refused: &[(&Row, &str)]) -> Vec<Figure> {
    let all = &of.all;
    let refused_rows = count(refused.iter());
    let refused_value: Decimal = refused.iter().map(|(row, _)| row.value()).sum();
    let refused_units: i64 = refused.iter().map(|(row, _)| row.quantity).sum();
    let refused_that = |holds: fn(&Row) -> bool| count(refused.iter().filter(|(row, _)| holds(row)));
    let refused_invoices: HashSet<&str> = refused.iter().map(|(row, _)| row.invoice.as_str()).collect();
    let bad_debts: HashSet<&str> =
        refused.iter().filter(|(_, reason)| *reason == BAD_DEBT).map(|(row, _)| row.invoice.as_str()).collect();
    let mut invoices: HashSet<&str> = held.invoices.iter().flatten().map(String::as_str).collect();
    invoices.extend(&refused_invoices);
    let mut skus: HashSet<&str> = held.skus.iter().map(String::as_str).collect();
    skus.extend(refused.iter().map(|(row, _)| row.sku.as_str()));
    let adjusted = count(held.adjustments.iter());
    let adjusted_down = count(held.adjustments.iter().filter(|units| **units < 0));
    let lost: i64 = held.adjustments.iter().sum();
    let further = held.further;
    let returned = number(all, "/returns/lines") - further.all;
    let unnamed = number(&of.anonymous, "/net/lines") - (further.all - further.identified)
        + adjusted
        + refused_that(|row| row.customer.is_none());
    let unpriced =
        number(&of.unpriced, "/net/lines") - further.unpriced + adjusted + refused_that(|row| row.price.is_zero());
    vec![
        figure(
            "raw.rows",
            number(all, "/net/lines") - further.all + adjusted + refused_rows,
            "summary: net.lines − further parts of returned rows + adjustments + refused",
        ),
        figure("raw.invoices", invoices.len(), "numbers of orders and returns, references of adjustments, refused"),
        figure("raw.cancel_invoices_C", held.invoices[1].len(), "list of returns: numbers"),
        figure("raw.adjust_invoices_A", bad_debts.len(), "refused as bad_debt_entry"),
        figure("raw.customers", number(all, "/net/buyers"), "summary: net.buyers"),
        figure("raw.stock_codes", skus.len(), "SKUs with movements (shipment, return, adjustment), refused"),
        figure("raw.countries", held.countries.len(), "list of orders: ship_to.country"),
        figure("raw.rows_without_customer", unnamed, "summary of the anonymous: net.lines + adjustments + refused"),
        figure("raw.cancel_lines", returned, "summary: returns.lines − further parts of rows"),
        figure("raw.cancel_value", -revenue(all, "returns"), "summary: returns.list_revenue"),
        figure("raw.net_value_all", revenue(all, "net") + refused_value, "summary: net.list_revenue + refused"),
        figure(
            "raw.net_units",
            number(all, "/net/units") + lost + refused_units,
            "summary: net.units + movements + refused",
        ),
        figure(
            "raw.neg_qty_rows",
            returned + adjusted_down + refused_that(|row| row.quantity < 0),
            "summary: returns.lines + adjustments below zero",
        ),
        figure("raw.neg_qty_not_cancel", adjusted_down, "movements: adjustments below zero"),
        figure("raw.zero_price_rows", unpriced, "summary of the unpriced: net.lines + adjustments"),
        figure("raw.neg_price_rows", refused_that(|row| row.price < Decimal::ZERO), "refused"),
        figure("raw.first", time(all, "/net/first_at"), "summary: net.first_at"),
        figure("raw.last", time(all, "/net/last_at"), "summary: net.last_at"),
    ]
}

fn narrowed(of: &Summaries, held: &Held) -> Vec<Figure> {
    let invoices = number(&of.identified, "/orders/count") + count(held.identified_cancellations.iter());
    let clean = |name: &str| number(&of.clean, &format!("/orders/{name}"));
    vec![
        figure("clean.rows", clean("lines"), "summary of the identified and priced: orders.lines"),
        figure("clean.customers", clean("buyers"), "the same: orders.buyers"),
        figure("clean.invoices", clean("count"), "the same: orders.count"),
        figure("clean.products", clean("skus"), "the same: orders.skus"),
        figure("clean.units", clean("units"), "the same: orders.units"),
        figure("clean.revenue", revenue(&of.clean, "orders"), "the same: orders.list_revenue"),
        figure(
            "with_customer_net_of_cancels.rows",
            number(&of.identified, "/net/lines") - held.further.identified,
            "summary of the identified: net.lines − further parts of returned rows",
        ),
        figure("with_customer_net_of_cancels.invoices", invoices, "the same: orders.count; list of returns"),
        figure("with_customer_net_of_cancels.revenue", revenue(&of.identified, "net"), "the same: net.list_revenue"),
    ]
}

/// The same totals of a part of the file, for which nobody has published any.
pub fn tally(rows: &[Row]) -> Value {
    fn different<'a, K: Eq + std::hash::Hash>(
        rows: impl Iterator<Item = &'a Row>,
        key: impl Fn(&'a Row) -> K,
    ) -> usize {
        rows.map(key).collect::<HashSet<K>>().len()
    }
    let value = |rows: &mut dyn Iterator<Item = &Row>| rows.map(Row::value).sum::<Decimal>().to_string();
    let all = || rows.iter();
    let cancelled = || all().filter(|row| row.invoice.starts_with('C'));
    let named = || all().filter(|row| row.customer.is_some());
    let clean = || named().filter(|row| row.quantity > 0 && row.price > Decimal::ZERO);
    // What corrects stock has no time of its own in OnePool.
    let traded = || all().filter(|row| row.invoice.starts_with('C') || (row.quantity > 0 && row.price > Decimal::ZERO));
    let at = |row: Option<&Row>| row.map(|row| row.at.format("%Y-%m-%d %H:%M:%S").to_string());
    json!({
        "raw": {
            "rows": rows.len(),
            "invoices": different(all(), |row| &row.invoice),
            "cancel_invoices_C": different(cancelled(), |row| &row.invoice),
            "adjust_invoices_A": different(all().filter(|row| row.invoice.starts_with('A')), |row| &row.invoice),
            "customers": different(named(), |row| &row.customer),
            "stock_codes": different(all(), |row| &row.sku),
            "countries": different(all(), |row| &row.country),
            "rows_without_customer": rows.len() - named().count(),
            "cancel_lines": cancelled().count(),
            "cancel_value": value(&mut cancelled()),
            "net_value_all": value(&mut all()),
            "net_units": all().map(|row| row.quantity).sum::<i64>(),
            "neg_qty_rows": all().filter(|row| row.quantity < 0).count(),
            "neg_qty_not_cancel": all().filter(|row| row.quantity < 0 && !row.invoice.starts_with('C')).count(),
            "zero_price_rows": all().filter(|row| row.price.is_zero()).count(),
            "neg_price_rows": all().filter(|row| row.price < Decimal::ZERO).count(),
            "first": at(traded().min_by_key(|row| row.at)),
            "last": at(traded().max_by_key(|row| row.at)),
        },
        "clean": {
            "rows": clean().count(),
            "customers": different(clean(), |row| &row.customer),
            "invoices": different(clean(), |row| &row.invoice),
            "products": different(clean(), |row| &row.sku),
            "units": clean().map(|row| row.quantity).sum::<i64>(),
            "revenue": value(&mut clean()),
        },
        "with_customer_net_of_cancels": {
            "rows": named().count(),
            "invoices": different(named(), |row| &row.invoice),
            "revenue": value(&mut named()),
        },
    })
}
