//! What OnePool holds in the end, read back page by page through its API and compared with the file row by row.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::stream::{self, StreamExt};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::plan::{self, Plan};
use super::rows::Row;
use super::setup::CHANNEL;
use super::{Outcome, Source};
use crate::api::Api;

/// Requests at once.
const AT_ONCE: usize = 8;
/// Differences that are told; the rest is counted.
const TOLD: usize = 20;

/// What was read back.
#[derive(Debug, Default)]
pub struct Held {
    /// What became of each row, as far as OnePool shows it; a row that shows twice has both.
    pub rows: Vec<Vec<Outcome>>,
    /// Invoice numbers of orders, of cancellations, and of adjustments.
    pub invoices: [BTreeSet<String>; 3],
    /// Cancellations of buyers that are known.
    pub identified_cancellations: BTreeSet<String>,
    /// Countries that orders go to.
    pub countries: BTreeSet<String>,
    /// SKUs whose units were shipped, came back or were adjusted.
    pub skus: BTreeSet<String>,
    /// Lines of returns beyond the first one of their row: a row that comes back from two orders makes two.
    pub further: Further,
    /// Of each row that came back, its parts: the units, and whether their order is known.
    back: BTreeMap<usize, Vec<(i64, bool)>>,
    /// Units of each adjustment.
    pub adjustments: Vec<i64>,
    /// What is not as it was sent.
    pub differences: Vec<String>,
    /// How many there are.
    pub different: usize,
}

/// How many lines there are beyond the first one of their row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Further {
    /// In all.
    pub all: i64,
    /// Of customers that are known.
    pub identified: i64,
    /// Of what costs nothing.
    pub unpriced: i64,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Buyer {
    identities: Vec<Identity>,
}

#[derive(Debug, Deserialize)]
struct Identity {
    value: String,
}

#[derive(Debug, Deserialize)]
struct Order {
    channel_order_no: String,
    placed_at: DateTime<Utc>,
    buyer: Buyer,
    fulfilment: Fulfilment,
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Fulfilment {
    ship_to: Address,
}

#[derive(Debug, Deserialize)]
struct Address {
    country: String,
}

#[derive(Debug, Deserialize)]
struct Line {
    line_no: usize,
    sku: String,
    quantity: i64,
    unit_price_decimal: String,
}

#[derive(Debug, Deserialize)]
struct Return {
    return_no: String,
    order_id: Option<String>,
    status: String,
    buyer: Option<Buyer>,
    returned_at: DateTime<Utc>,
    lines: Vec<ReturnLine>,
}

#[derive(Debug, Deserialize)]
struct ReturnLine {
    position: usize,
    sku: String,
    quantity: i64,
    unit_price_decimal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sku {
    sku: String,
}

#[derive(Debug, Deserialize)]
struct Movement {
    on_hand: i64,
    reason: String,
    reference: Option<String>,
}

/// Every page of a list, one after the other.
async fn pages<T: DeserializeOwned>(api: &Api, path: &str, mut take: impl FnMut(T)) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut cursor = None;
    loop {
        let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Page<T> = api.read(&format!("{path}{separator}limit=500{after}")).await;
        page.items.into_iter().for_each(&mut take);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return;
        }
    }
}

impl Held {
    /// Reads everything back.
    pub async fn read(api: &Api, source: &Source, plan: &Plan) -> Self {
        let mut held = Self { rows: vec![Vec::new(); source.rows.len()], ..Self::default() };
        let rows = &source.rows;
        let orders: HashMap<&str, &[usize]> =
            plan.orders.iter().map(|order| (order.invoice.as_str(), order.rows.as_slice())).collect();
        pages(api, &format!("/v1/orders?channel={CHANNEL}"), |it: Order| held.order(rows, &orders, it)).await;
        let returns: HashMap<&str, &super::plan::Return> =
            plan.returns.iter().map(|it| (it.number.as_str(), it)).collect();
        pages(api, &format!("/v1/returns?channel={CHANNEL}"), |it: Return| held.returned(rows, &returns, it)).await;
        held.put_together(rows);
        held.read_movements(api, rows, plan).await;
        held
    }

    fn order(&mut self, rows: &[Row], orders: &HashMap<&str, &[usize]>, it: Order) {
        let sent = orders.get(it.channel_order_no.as_str()).copied().unwrap_or_default();
        for line in &it.lines {
            let row = line.line_no.checked_sub(1).and_then(|place| sent.get(place)).copied();
            let same = |row: &Row| {
                (row.sku == line.sku
                    && row.quantity == line.quantity
                    && price(&line.unit_price_decimal) == Some(row.price))
                    && row.customer.as_ref() == it.buyer.identities.first().map(|identity| &identity.value)
                    && row.country == it.fulfilment.ship_to.country
            };
            let found = row.filter(|row| same(&rows[*row]));
            self.found(found, &Outcome::OrderLine, || format!("order {} line {line:?}", it.channel_order_no));
        }
        self.check_time(sent.first().map(|row| &rows[*row]), it.placed_at, &it.channel_order_no);
        self.countries.insert(it.fulfilment.ship_to.country);
        self.invoices[0].insert(it.channel_order_no);
    }

    fn returned(&mut self, rows: &[Row], returns: &HashMap<&str, &super::plan::Return>, it: Return) {
        let sent = returns.get(it.return_no.as_str());
        let lines = sent.map(|it| it.lines.as_slice()).unwrap_or_default();
        let is_known = it.order_id.is_some();
        for line in &it.lines {
            let part = line.position.checked_sub(1).and_then(|place| lines.get(place));
            let same = |part: &&plan::ReturnLine| {
                let row = &rows[part.row];
                row.sku == line.sku
                    && part.units == line.quantity
                    && part.line.is_some() == is_known
                    && line.unit_price_decimal.as_deref().and_then(price) == Some(row.price)
                    && it.status == "refunded"
            };
            match part.filter(same) {
                Some(part) => self.back.entry(part.row).or_default().push((part.units, is_known)),
                None => {
                    self.differs(format!("return {} {} line {line:?} is not as it was sent", it.return_no, it.status))
                }
            }
        }
        self.check_time(lines.first().map(|line| &rows[line.row]), it.returned_at, &it.return_no);
        let invoice = it.return_no.split('/').next().unwrap_or_default().to_owned();
        // The buyer of a return with an original is that order's, and only orders of known buyers are searched.
        if is_known || it.buyer.is_some_and(|buyer| !buyer.identities.is_empty()) {
            self.identified_cancellations.insert(invoice.clone());
        }
        self.invoices[1].insert(invoice);
    }

    /// A row may have come back in parts: all of them together are the row.
    fn put_together(&mut self, rows: &[Row]) {
        for (row, parts) in std::mem::take(&mut self.back) {
            let further = i64::try_from(parts.len()).unwrap_or(i64::MAX) - 1;
            self.further.all += further;
            self.further.identified += if rows[row].customer.is_some() { further } else { 0 };
            self.further.unpriced += if rows[row].price.is_zero() { further } else { 0 };
            if parts.iter().map(|(units, _)| units).sum::<i64>() != -rows[row].quantity {
                self.differs(format!("{parts:?} came back of {:?}", rows[row]));
                continue;
            }
            let known = parts.iter().filter(|(_, is_known)| *is_known).count();
            self.rows[row].push(match known {
                0 => Outcome::ReturnWithoutOriginal,
                _ if known == parts.len() => Outcome::ReturnWithOriginal,
                _ => Outcome::ReturnPartlyWithOriginal,
            });
        }
    }

    /// Of every article: whether it moved at all, and each adjustment.
    async fn read_movements(&mut self, api: &Api, rows: &[Row], plan: &Plan) {
        let mut articles = Vec::new();
        pages(api, "/v1/skus", |it: Sku| articles.push(it.sku)).await;
        let moved = |sku: String| async move {
            let path = format!("/v1/stock/{}/movements", encoded(&sku));
            let mut adjustments: Vec<Movement> = Vec::new();
            pages(api, &format!("{path}?kind=adjustment"), |it| adjustments.push(it)).await;
            let mut moved = !adjustments.is_empty();
            for kind in ["shipment", "return"] {
                if !moved {
                    let page: Page<Movement> = api.read(&format!("{path}?kind={kind}&limit=1")).await;
                    moved = !page.items.is_empty();
                }
            }
            (sku, moved, adjustments)
        };
        let mut read = stream::iter(articles).map(moved).buffer_unordered(AT_ONCE);
        let mut sent: BTreeMap<(String, String, i64), Vec<usize>> = BTreeMap::new();
        for index in plan.windows.iter().flat_map(|window| &window.adjustments) {
            let row = &rows[*index];
            sent.entry((row.invoice.clone(), row.sku.clone(), row.quantity)).or_default().push(*index);
        }
        while let Some((sku, moved, adjustments)) = read.next().await {
            for it in adjustments {
                let invoice = it.reference.unwrap_or_default();
                let found = sent.get_mut(&(invoice.clone(), sku.clone(), it.on_hand)).and_then(Vec::pop);
                self.found(found, &Outcome::StockAdjustment, || {
                    format!("adjustment of {sku} by {} for {}", it.on_hand, it.reason)
                });
                self.invoices[2].insert(invoice);
                self.adjustments.push(it.on_hand);
            }
            if moved {
                self.skus.insert(sku);
            }
        }
    }

    fn check_time(&mut self, sent: Option<&Row>, at: DateTime<Utc>, number: &str) {
        let expected: Option<NaiveDateTime> = sent.map(|row| row.at);
        if expected != Some(at.naive_utc()) {
            self.differs(format!("{number} is of {at}, not of {expected:?}"));
        }
    }

    fn found(&mut self, row: Option<usize>, outcome: &Outcome, what: impl FnOnce() -> String) {
        match row {
            Some(row) => self.rows[row].push(outcome.clone()),
            None => self.differs(format!("{} is not as it was sent", what())),
        }
    }

    fn differs(&mut self, what: String) {
        self.different += 1;
        if self.differences.len() < TOLD {
            self.differences.push(what);
        }
    }
}

fn price(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).ok()
}

/// A code in a path.
fn encoded(code: &str) -> String {
    code.replace('%', "%25").replace(' ', "%20").replace('/', "%2F")
}
