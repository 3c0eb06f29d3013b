//! Stock: one SKU that everybody wants, the last units of it, many SKUs, and reads of what can be sold.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;

use super::load::{self, Outcome, Request};
use super::machine::Sides;
use super::orders::{CHANNEL, CONNECTIONS, LOCATIONS, SKUS, sku};
use super::report::{Limit, Report};
use crate::Api;

/// A hold of one unit of a SKU at a location.
pub(super) fn hold(url: &str, buyer: &str, sku: &str, location: &str) -> Request {
    let body = json!({ "channel": CHANNEL, "buyer": buyer, "pickup_location": location,
        "lines": [{ "sku": sku, "quantity": 1 }], "ttl_seconds": 3600 });
    Request { method: Method::POST, url: format!("{url}/v1/reservations"), body: body.to_string() }
}

/// Holds of one unit of one SKU at one location, for ever more buyers.
fn holds(url: &str, sku: &str, count: usize) -> Vec<Request> {
    (0..count).map(|number| hold(url, &format!("buyer-{sku}-{number}"), sku, "HOT")).collect()
}

/// Sends requests as fast as they are answered; what each of them costs is told as a figure.
pub(super) async fn costed(
    api: &Api,
    sides: Sides,
    name: &str,
    requests: Vec<Request>,
    report: &mut Report,
) -> Outcome {
    let (count, before) = (requests.len() as f64, sides.used_us());
    let outcome = load::run(api.token(), CONNECTIONS, requests, None).await;
    for ((side, after), (_, before)) in sides.used_us().into_iter().zip(before) {
        let used = after.saturating_sub(before) as f64;
        report.figure(&format!("{name}_{side}_cpu_us"), used / count, Limit::None);
    }
    outcome
}

async fn shelf(api: &Api, sku: &str, units: i64) {
    api.put(&format!("/v1/skus/{sku}"), &json!({ "name": sku })).await.ok();
    let place = json!({ "name": "Hot", "kind": "store", "latitude": 31.2, "longitude": 121.5,
        "capabilities": ["ship", "pickup"], "status": "active" });
    api.put("/v1/locations/HOT", &place).await.ok();
    let lines = [json!({ "sku": sku, "location": "HOT", "on_hand": units })];
    let answers = api.post_lines("/v1/stock/import", &lines).await;
    assert!(answers.iter().all(|line| line["problem"].is_null()), "the hot shelf is filled: {answers:?}");
}

/// Holds a second on one row, then 20,000 buyers for 500 units.
pub async fn reservations(api: &Api, sides: Sides, count: usize, report: &mut Report) {
    let url = api.host("inventory");
    shelf(api, "HOT-SKU", 100_000_000).await;
    load::run(api.token(), CONNECTIONS, holds(url, "HOT-SKU", count / 10), None).await;
    let outcome = costed(api, sides, "hot_sku", holds(url, "HOT-SKU", count), report).await;
    report.must(&format!("every hold was granted, {:?}", outcome.statuses), outcome.with_status(201) == count);
    report.figure("hot_sku_reservations_per_second", outcome.per_second(), Limit::AtLeast(10_000.0));
    report.figure("hot_sku_p99_ms", outcome.percentile_ms(99.0), Limit::AtMost(50.0));

    shelf(api, "LAST-UNITS", 500).await;
    let scramble = load::run(api.token(), CONNECTIONS, holds(url, "LAST-UNITS", 20_000), None).await;
    let (granted, refused) = (scramble.with_status(201), scramble.with_status(409));
    report.must(
        &format!("20,000 buyers, 500 units: {granted} granted, {refused} refused"),
        (granted, refused) == (500, 19_500),
    );
}

/// Holds a second of single units of any SKU at any location.
pub async fn spread(api: &Api, sides: Sides, count: usize, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(5);
    let url = api.host("inventory");
    let any = |number: usize| {
        let location = format!("LOC-{:02}", random.random_range(0..LOCATIONS));
        hold(url, &format!("buyer-spread-{number}"), &sku(random.random_range(0..SKUS)), &location)
    };
    let outcome = costed(api, sides, "spread", (0..count).map(any).collect(), report).await;
    report.must(&format!("every spread hold was granted, {:?}", outcome.statuses), outcome.with_status(201) == count);
    report.figure("spread_reservations_per_second", outcome.per_second(), Limit::AtLeast(8_000.0));
    report.figure("spread_p99_ms", outcome.percentile_ms(99.0), Limit::None);
}

/// Reads of ten SKUs' availability a second.
pub async fn availability(api: &Api, sides: Sides, count: usize, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(4);
    let url = api.host("inventory");
    let read = |_| {
        let skus: Vec<String> = (0..10).map(|_| sku(random.random_range(0..SKUS))).collect();
        let url = format!("{url}/v1/availability?channel={CHANNEL}&sku={}", skus.join(","));
        Request { method: Method::GET, url, body: String::new() }
    };
    let outcome = costed(api, sides, "availability", (0..count).map(read).collect(), report).await;
    report.must(&format!("every read was answered, {:?}", outcome.statuses), outcome.with_status(200) == count);
    report.figure("availability_reads_per_second", outcome.per_second(), Limit::AtLeast(30_000.0));
    report.figure("availability_p99_ms", outcome.percentile_ms(99.0), Limit::None);
}
