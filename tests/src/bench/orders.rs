//! Orders: placed one by one over HTTP, settled over the bus, counted where a store would look for them.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::lag::{self, Lags};
use super::load::{self, Outcome, Request};
use super::proof;
use super::report::{Limit, Report};
use crate::{Api, Deployment, checks};

/// The channel that sells.
pub const CHANNEL: &str = "bench";
/// SKUs on offer.
pub const SKUS: usize = 2_000;
/// Locations that may ship.
pub const LOCATIONS: usize = 50;
/// Connections that place orders.
pub const CONNECTIONS: usize = 64;
/// How long everything may take to settle after the last order was placed.
const SETTLING: Duration = Duration::from_secs(120);

/// The n-th SKU.
pub fn sku(number: usize) -> String {
    format!("SKU-{number:04}")
}

/// Creates the channel, the SKUs, the locations and a stock that does not run out.
pub async fn stock_up(api: &Api, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let channel = json!({ "name": "Bench", "kind": "marketplace", "currency": "CNY", "status": "active" });
    api.put(&format!("/v1/channels/{CHANNEL}"), &channel).await.ok();
    let skus: Vec<Value> = (0..SKUS).map(|n| json!({ "sku": sku(n), "name": format!("Article {n}") })).collect();
    api.post_lines("/v1/skus/import", &skus).await;
    let mut place = |n: usize| {
        let (latitude, longitude) = point(&mut random);
        json!({ "code": format!("LOC-{n:02}"), "name": format!("Location {n}"), "kind": "store", "latitude": latitude,
            "longitude": longitude, "capabilities": ["ship", "pickup", "return"], "status": "active" })
    };
    let locations: Vec<Value> = (0..LOCATIONS).map(&mut place).collect();
    api.post_lines("/v1/locations/import", &locations).await;
    for location in 0..LOCATIONS {
        let balance =
            |n: usize| json!({ "sku": sku(n), "location": format!("LOC-{location:02}"), "on_hand": 1_000_000 });
        let lines: Vec<Value> = (0..SKUS).map(balance).collect();
        let answers = api.post_lines("/v1/stock/import", &lines).await;
        assert!(
            answers.iter().all(|line| line["problem"].is_null()),
            "the opening stock is taken: {:?}",
            answers.first()
        );
    }
    lag::stock_up(api).await;
    watch(api).await;
}

/// Puts a hold rule of every kind in force, each of which looks at every order and holds none of these.
async fn watch(api: &Api) {
    let never = json!({ "amount": { "currency": "CNY", "at_least": 1_000_000_000 } });
    let rule = |name: &str, when: Value| json!({ "name": name, "reason": "watched", "when": when });
    let rules = json!({ "rules": [
        rule("dear", never.clone()),
        rule("elsewhere", json!({ "channel": ["nowhere"] })),
        rule("there", json!({ "address": { "country": ["CN"], "contains": ["nowhere"] } })),
        rule("many", json!({ "lines": { "sku": [sku(0), sku(1)], "quantity_at_least": 1_000 } })),
        rule("cash", json!({ "payment_method": ["cash_on_delivery"] })),
        rule("collected", json!({ "fulfilment": "pickup" })),
        rule("often", json!({ "velocity": { "orders": 1_000, "within_seconds": 3_600 } })),
        rule("first and dear", json!({ "all": [{ "first_order": true }, never] })),
        rule("known", json!({ "blacklisted": true })),
    ] });
    let added = api.post("/v1/order-hold-rules", &rules).await.ok();
    api.post(&format!("/v1/order-hold-rules/{}/activate", added["version"]), &json!({})).await.ok();
    let entry = json!({ "identity": { "type": "phone", "value": "+8613900000000" }, "reason": "charged back" });
    api.put("/v1/order-blacklist", &entry).await.ok();
}

/// A place between Guangzhou and Beijing.
pub(super) fn point(random: &mut StdRng) -> (f64, f64) {
    (random.random_range(23.0..40.0), random.random_range(104.0..121.0))
}

/// So many orders of one to three lines by 20,000 buyers all over the country.
pub fn orders(url: &str, count: usize, prefix: &str, seed: u64) -> Vec<Request> {
    of_skus(SKUS, url, count, prefix, seed)
}

/// As [`orders`], for so many SKUs.
pub fn of_skus(skus: usize, url: &str, count: usize, prefix: &str, seed: u64) -> Vec<Request> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|number| {
            let (latitude, longitude) = point(&mut random);
            let lines: Vec<Value> = (1..=random.random_range(1..=3))
                .map(|line_no| {
                    json!({ "line_no": line_no, "sku": sku(random.random_range(0..skus)), "quantity": random.random_range(1..=2),
                        "unit_price": { "amount": random.random_range(1_000..50_000), "currency": "CNY" } })
                })
                .collect();
            let phone = format!("+86138{:08}", random.random_range(0..20_000));
            let body = json!({
                "channel": CHANNEL, "channel_order_no": format!("{prefix}-{number}"), "placed_at": "2026-11-11T00:00:00+08:00",
                "currency": "CNY", "buyer": { "identities": [{ "type": "phone", "value": phone }] },
                "fulfilment": { "type": "ship", "ship_to": { "country": "CN", "latitude": latitude, "longitude": longitude } },
                "lines": lines, "guide": format!("GUIDE-{}", random.random_range(0..500)),
            });
            Request { method: Method::POST, url: format!("{url}/v1/orders"), body: body.to_string() }
        })
        .collect()
}

/// Orders as fast as they are taken, then at the pace that is asked for; throughput, latency, and the proof. Answers how
/// long changes of stock took to show at full speed.
pub async fn measure(
    deployment: &Deployment,
    api: &Api,
    name: &str,
    counts: (usize, usize),
    report: &mut Report,
) -> Lags {
    let url = api.host("order");
    eprintln!("{name}: warming up");
    let warm = load::run(api.token(), CONNECTIONS, orders(url, counts.0 / 10, "warm", 1), None).await;
    settled(deployment, warm.with_status(201)).await;

    let began = Instant::now();
    let (before, asked) = (placed(deployment), orders(url, counts.0, "fast", 2));
    let (fast, lags) = lag::during(api, load::run(api.token(), CONNECTIONS, asked, None)).await;
    settled(deployment, placed(deployment).try_into().unwrap_or(0)).await;
    let took = began.elapsed();
    report.must(&format!("{name}: every order was taken, {:?}", fast.statuses), fast.with_status(201) == counts.0);
    let count = (placed(deployment) - before) as f64;
    report.figure(&format!("{name}_orders_per_second"), count / took.as_secs_f64(), Limit::AtLeast(2_500.0));
    http(name, "full_speed", &fast, report);
    checks::settled(deployment).await;
    report.figure(&format!("{name}_booked_orders_per_second"), count / began.elapsed().as_secs_f64(), Limit::None);

    let at = deployment.number("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS number");
    let paced = load::run(api.token(), CONNECTIONS, orders(url, counts.1, "paced", 3), Some(2_000.0)).await;
    settled(deployment, placed(deployment).try_into().unwrap_or(0)).await;
    http(name, "at_2000", &paced, report);
    report.figure(&format!("{name}_placed_to_sourced_p99_ms"), sourced_p99_ms(deployment, at), Limit::AtMost(1_000.0));
    checks::settled(deployment).await;
    prove(deployment, api, name, report).await;
    lags
}

fn http(name: &str, load: &str, outcome: &Outcome, report: &mut Report) {
    report.figure(&format!("{name}_http_p50_ms_{load}"), outcome.percentile_ms(50.0), Limit::None);
    report.figure(&format!("{name}_http_p99_ms_{load}"), outcome.percentile_ms(99.0), Limit::None);
}

fn placed(deployment: &Deployment) -> i64 {
    deployment.number("SELECT count(*) AS number FROM \"order\".orders")
}

/// Waits until so many orders have their fulfilment orders in the order service.
pub(super) async fn settled(deployment: &Deployment, orders: usize) {
    let deadline = Instant::now() + SETTLING;
    let sql = "SELECT count(*) AS number FROM \"order\".orders WHERE status IN ('received', 'sourcing')";
    while deployment.number(sql) > 0 {
        assert!(Instant::now() < deadline, "{orders} orders were not settled within {} s", SETTLING.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// From the order's intake to its first fulfilment order, by the database's own rows.
fn sourced_p99_ms(deployment: &Deployment, since_micros: i64) -> f64 {
    let sql = format!(
        "SELECT (1000000 * percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM f.offered_at - o.created_at)))::bigint \
         AS number FROM \"order\".orders o JOIN \"order\".fulfilments f USING (order_id) \
         WHERE o.created_at > to_timestamp({since_micros} / 1e6)"
    );
    deployment.number(&sql) as f64 / 1_000.0
}

/// No drift, and everything ordered is allocated exactly once.
async fn prove(deployment: &Deployment, api: &Api, name: &str, report: &mut Report) {
    let (_, drift) = proof::whole(api).await;
    report.must(&format!("{name}: the stock proof shows no drift"), drift.is_empty());
    let ordered = deployment.number("SELECT coalesce(sum(quantity), 0)::bigint AS number FROM \"order\".order_lines");
    let allocated = deployment.number(
        "SELECT coalesce(sum((line ->> 'quantity')::bigint), 0)::bigint AS number FROM \"order\".fulfilments, \
         json_array_elements(lines::json) AS line WHERE status NOT IN ('rejected', 'cancelled')",
    );
    report.must(&format!("{name}: allocated {allocated} = ordered {ordered}"), allocated == ordered);
}
