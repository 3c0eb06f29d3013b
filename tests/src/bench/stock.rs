//! Stock: one SKU that everybody wants, the last units of it, and reads of what can be sold.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;

use super::load::{self, Request};
use super::orders::{CONNECTIONS, SKUS, sku};
use super::report::{Limit, Report};
use crate::Api;

/// Holds of one unit of one SKU at one location, for ever more buyers.
fn holds(url: &str, sku: &str, count: usize) -> Vec<Request> {
    let hold = |number: usize| {
        let body = json!({ "channel": "bench", "buyer": format!("buyer-{sku}-{number}"), "pickup_location": "HOT",
            "lines": [{ "sku": sku, "quantity": 1 }], "ttl_seconds": 3600 });
        Request { method: Method::POST, url: format!("{url}/v1/reservations"), body: body.to_string() }
    };
    (0..count).map(hold).collect()
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
pub async fn reservations(api: &Api, count: usize, report: &mut Report) {
    let url = api.host("inventory");
    shelf(api, "HOT-SKU", 100_000_000).await;
    load::run(api.token(), CONNECTIONS, holds(url, "HOT-SKU", count / 10), None).await;
    let outcome = load::run(api.token(), CONNECTIONS, holds(url, "HOT-SKU", count), None).await;
    report.must(&format!("every hold was granted, {:?}", outcome.statuses), outcome.with_status(201) == count);
    report.figure("hot_sku_reservations_per_second", outcome.per_second(), Limit::AtLeast(5_000.0));
    report.figure("hot_sku_p99_ms", outcome.percentile_ms(99.0), Limit::None);

    shelf(api, "LAST-UNITS", 500).await;
    let scramble = load::run(api.token(), CONNECTIONS, holds(url, "LAST-UNITS", 20_000), None).await;
    let (granted, refused) = (scramble.with_status(201), scramble.with_status(409));
    report.must(
        &format!("20,000 buyers, 500 units: {granted} granted, {refused} refused"),
        (granted, refused) == (500, 19_500),
    );
}

/// Reads of ten SKUs' availability a second.
pub async fn availability(api: &Api, count: usize, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(4);
    let url = api.host("inventory");
    let read = |_| {
        let skus: Vec<String> = (0..10).map(|_| sku(random.random_range(0..SKUS))).collect();
        let url = format!("{url}/v1/availability?channel=bench&sku={}", skus.join(","));
        Request { method: Method::GET, url, body: String::new() }
    };
    let outcome = load::run(api.token(), CONNECTIONS, (0..count).map(read).collect(), None).await;
    report.must(&format!("every read was answered, {:?}", outcome.statuses), outcome.with_status(200) == count);
    report.figure("availability_reads_per_second", outcome.per_second(), Limit::None);
    report.figure("availability_p99_ms", outcome.percentile_ms(99.0), Limit::None);
}
