//! Sends the plan window by window: orders as one stream in time order, then corrections of stock, then what comes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::delivered::Delivered;
use super::plan::{Plan, Return, ReturnLine, Window};
use super::setup::{CHANNEL, CURRENCY, send_lines};
use super::work::act;
use super::{Source, instant};
use crate::api::{Answer, Api};
use crate::shop::text;

/// Orders that may be under way while further ones are placed.
const AHEAD: usize = 400;
/// Customers whose returns are handled at once.
const COUNTERS: usize = 16;
/// Adjustments in one request.
const ADJUSTMENTS: usize = 1_000;
/// Articles that are no goods: what comes back of them is not put on a shelf.
const NO_GOODS: [&str; 9] = ["POST", "DOT", "D", "M", "S", "CRUK", "BANK CHARGES", "AMAZONFEE", "C2"];

/// What is sent, and what became of it.
pub struct Sender<'a> {
    api: &'a Api,
    source: &'a Source,
    plan: &'a Plan,
    delivered: &'a Arc<Delivered>,
    progress: &'a ProgressBar,
    /// The ids of the orders that were taken, by their place in the plan.
    orders: Vec<Option<String>>,
    /// Rows that OnePool refused, with its reason.
    refused: Mutex<Vec<(usize, String)>>,
}

impl<'a> Sender<'a> {
    /// Ready to send.
    pub fn new(
        api: &'a Api,
        source: &'a Source,
        plan: &'a Plan,
        delivered: &'a Arc<Delivered>,
        progress: &'a ProgressBar,
    ) -> Self {
        let orders = vec![None; plan.orders.len()];
        Self { api, source, plan, delivered, progress, orders, refused: Mutex::default() }
    }

    /// Sends everything; answers the rows that OnePool refused, with its reason.
    pub async fn send(mut self) -> Vec<(usize, String)> {
        for window in &self.plan.windows {
            self.delivered.at_most(AHEAD).await;
            self.place(&window.orders).await;
            for rows in window.adjustments.chunks(ADJUSTMENTS) {
                self.adjust(rows).await;
            }
            self.take_back(window).await;
        }
        self.refused.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, rows: impl IntoIterator<Item = usize>, problem: &Value) {
        let fields: Vec<&str> =
            problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect();
        let reason = format!("{} {}", problem["code"].as_str().unwrap_or("unknown"), fields.join(" "));
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.extend(rows.into_iter().map(|row| (row, reason.trim().to_owned())));
    }

    fn done(&self, rows: usize) {
        self.progress.inc(u64::try_from(rows).unwrap_or_default());
    }

    async fn place(&mut self, orders: &[usize]) {
        if orders.is_empty() {
            return;
        }
        let lines: Vec<Value> = orders.iter().map(|order| self.order(*order)).collect();
        let answers = send_lines(self.api, "/v1/orders/import", &lines).await;
        for (order, answer) in orders.iter().zip(answers) {
            let rows = &self.plan.orders[*order].rows;
            match answer["result"]["id"].as_str() {
                Some(id) => {
                    self.delivered.placed(id, rows.iter().map(|row| self.source.rows[*row].quantity).sum());
                    self.orders[*order] = Some(id.to_owned());
                }
                None => self.refuse(rows.iter().copied(), &answer["problem"]),
            }
            self.done(rows.len());
        }
    }

    fn order(&self, order: usize) -> Value {
        let order = &self.plan.orders[order];
        let rows = order.rows.iter().map(|row| &self.source.rows[*row]);
        let first = &self.source.rows[order.rows[0]];
        let place = self.source.places.of_buyer(first);
        let lines: Vec<Value> = (1..)
            .zip(rows)
            .map(|(line_no, row)| {
                let price = row.price.normalize().to_string();
                json!({ "line_no": line_no, "sku": row.sku, "quantity": row.quantity, "unit_price_decimal": price })
            })
            .collect();
        json!({
            "channel": CHANNEL, "channel_order_no": order.invoice, "placed_at": instant(first.at), "currency": CURRENCY,
            "buyer": buyer(first.customer.as_deref()),
            "fulfilment": { "type": "ship", "ship_to": {
                // The country is the customer's own; the city and its coordinates stand in for where in it they live.
                "country": first.country, "city": place.city, "latitude": place.latitude, "longitude": place.longitude,
            } },
            "lines": lines,
        })
    }

    async fn adjust(&self, rows: &[usize]) {
        let bodies: Vec<Value> = rows.iter().map(|row| self.adjustment(*row)).collect();
        let answer = act(self.api, "/v1/stock/adjustments", &json!(bodies)).await;
        if answer.status >= 300 {
            // All or nothing: one by one it shows which of them cannot be.
            for (row, body) in rows.iter().zip(&bodies) {
                let answer = act(self.api, "/v1/stock/adjustments", &json!([body])).await;
                if answer.status >= 300 {
                    self.refuse([*row], &answer.body);
                }
            }
        }
        self.done(rows.len());
    }

    fn adjustment(&self, row: usize) -> Value {
        let row = &self.source.rows[row];
        let reason = if row.description.is_empty() { "no reason given" } else { &row.description };
        let location = &self.source.places.of_correction(&row.sku).code;
        json!({ "sku": row.sku, "location": location, "delta": row.quantity, "reason": reason, "reference": row.invoice })
    }

    /// Returns of different customers at once, those of one customer after each other.
    async fn take_back(&self, window: &Window) {
        let mut customers: BTreeMap<&str, Vec<&Return>> = BTreeMap::new();
        for index in &window.returns {
            let it = &self.plan.returns[*index];
            let row = &self.source.rows[it.lines[0].row];
            customers.entry(row.customer.as_deref().unwrap_or(&row.invoice)).or_default().push(it);
        }
        let one_by_one = |returns: Vec<&'a Return>| async move {
            for it in returns {
                self.bring_back(it).await;
            }
        };
        stream::iter(customers.into_values()).for_each_concurrent(COUNTERS, one_by_one).await;
    }

    async fn bring_back(&self, it: &Return) {
        let order = it.original.and_then(|order| self.orders[order].clone());
        if let Some(order) = &order {
            self.delivered.wait_for(order).await;
        }
        let rows = || it.lines.iter().map(|line| line.row);
        self.done(it.lines.len());
        let asked = act(self.api, "/v1/returns", &self.request(it, order.as_deref())).await;
        if asked.status >= 300 {
            return self.refuse(rows(), &asked.body);
        }
        let id = text(&asked.body["id"]);
        let step = async |action: &str, body: Value| -> Answer {
            act(self.api, &format!("/v1/returns/{id}/{action}"), &body).await
        };
        let inspected: Vec<Value> = (1..)
            .zip(rows())
            .map(|(position, row)| {
                let no_goods = NO_GOODS.contains(&self.source.rows[row].sku.to_uppercase().as_str());
                json!({ "position": position, "disposition": if no_goods { "scrap" } else { "restock" } })
            })
            .collect();
        step("approve", json!({})).await.ok();
        step("receive", json!({})).await.ok();
        step("inspect", json!({ "lines": inspected })).await.ok();
        step("refund", json!({})).await.ok();
    }

    fn request(&self, it: &Return, order: Option<&str>) -> Value {
        let first = &self.source.rows[it.lines[0].row];
        let line = |it: &ReturnLine| {
            let row = &self.source.rows[it.row];
            match it.line {
                Some(line) => json!({ "line_no": line + 1, "sku": row.sku, "quantity": it.units }),
                None => {
                    let price = row.price.normalize().to_string();
                    json!({ "sku": row.sku, "quantity": it.units, "unit_price_decimal": price })
                }
            }
        };
        let mut body = json!({
            "return_no": it.number, "returned_at": instant(first.at), "reason": "cancelled invoice",
            "location": self.source.places.of_buyer(first).code, "lines": it.lines.iter().map(line).collect::<Vec<_>>(),
        });
        match order {
            Some(order) => body["order_id"] = json!(order),
            None => {
                body["channel"] = json!(CHANNEL);
                body["buyer"] = buyer(first.customer.as_deref());
            }
        }
        body
    }
}

fn buyer(customer: Option<&str>) -> Value {
    let identity = |number| json!({ "type": "customer_no", "value": number, "issuer": CHANNEL });
    json!({ "identities": customer.map(identity).into_iter().collect::<Vec<_>>() })
}
