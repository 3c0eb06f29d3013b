//! Batches of what tills wrote, a hundred transactions each.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::load::Request;
use super::machine::Sides;
use super::orders::{CHANNEL, LOCATIONS, SKUS, sku};
use super::report::{Limit, Report};
use super::stock::costed;
use crate::Api;

/// Transactions of one request: what a till that was offline for an hour sends.
const BATCH: usize = 100;

fn sale(random: &mut StdRng, till: usize, sequence: usize) -> Value {
    let cny = |amount: i64| json!({"amount": amount, "currency": "CNY"});
    let lines: Vec<Value> = (1..=random.random_range(1..=3))
        .map(|line_no| {
            json!({"line_no": line_no, "sku": sku(random.random_range(0..SKUS)), "quantity": 1, "unit_price": cny(4_900)})
        })
        .collect();
    let total = i64::try_from(lines.len()).expect("a few lines") * 4_900;
    json!({"store": format!("LOC-{:02}", till % LOCATIONS), "terminal": format!("T{till}"), "business_date": "2026-11-11",
        "sequence": sequence, "kind": "sale", "occurred_at": "2026-11-11T10:00:00+08:00", "channel": CHANNEL,
        "currency": "CNY", "lines": lines, "tenders": [{"method": "card", "amount": cny(total)}]})
}

/// Transactions in all stores' days.
async fn booked(api: &Api) -> i64 {
    let mut booked = 0;
    for number in 0..LOCATIONS {
        let days: Value = api.read(&format!("/v1/pos/days?store=LOC-{number:02}&limit=500")).await;
        let days = days["items"].as_array().expect("a page of days");
        booked += days.iter().filter_map(|day| day["transactions"].as_i64()).sum::<i64>();
    }
    booked
}

/// Transactions a second, each till's batches in their order.
pub async fn transactions(api: &Api, sides: Sides, count: usize, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(8);
    let url = format!("{}/v1/pos/transactions", api.host("order"));
    let batch = |number: usize| {
        let (till, first) = (number % 200, number / 200 * BATCH + 1);
        let batch: Vec<Value> = (first..first + BATCH).map(|sequence| sale(&mut random, till, sequence)).collect();
        Request { method: Method::POST, url: url.clone(), body: Value::Array(batch).to_string() }
    };
    let batches: Vec<Request> = (0..count / BATCH).map(batch).collect();
    let sent = batches.len();
    let outcome = costed(api, sides, "till_batch", batches, report).await;
    report.must(&format!("every till's batch was taken, {:?}", outcome.statuses), outcome.with_status(200) == sent);
    let booked = booked(api).await;
    report.must(&format!("every transaction is in its till's day: {booked}"), booked == (sent * BATCH) as i64);
    let per_second = outcome.per_second() * BATCH as f64;
    report.figure("till_transactions_per_second", per_second, Limit::AtLeast(10_000.0));
    report.figure("till_batch_p99_ms", outcome.percentile_ms(99.0), Limit::None);
}
