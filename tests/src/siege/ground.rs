//! What is fought over: few goods in a few places, and channels that share them by every kind of rule.

use serde_json::{Value, json};

use crate::checks::settled;
use crate::{Api, Deployment};

/// How many SKUs there are; their popularity falls off as 1/n.
pub const SKUS: usize = 60;
/// How many locations there are.
pub const PLACES: usize = 12;
/// Units of each SKU at each location in the beginning.
pub const UNITS: i64 = 400;
/// Every channel; those that have a rule say which.
pub const CHANNELS: [(&str, Option<(&str, i64)>); 7] = [
    ("free", None),
    ("open", None),
    ("live", Some(("exclusive", 300))),
    ("club", Some(("exclusive", 150))),
    ("flash", Some(("quota", 500))),
    ("half", Some(("percentage", 50))),
    ("banned", Some(("excluded", 0))),
];

/// A SKU's code.
pub fn sku(number: usize) -> String {
    format!("G{number:03}")
}

/// A location's code.
pub fn place(number: usize) -> String {
    format!("P{number:02}")
}

/// Where a location is.
pub fn point(number: usize) -> (f64, f64) {
    (22.0 + number as f64 * 1.5, 104.0 + (number * 5 % PLACES) as f64 * 1.5)
}

/// Puts everything in its place.
pub async fn prepare(deployment: &Deployment, api: &Api) {
    for (channel, _) in CHANNELS {
        let body = json!({ "name": channel, "kind": "marketplace", "currency": "CNY", "status": "active" });
        api.put(&format!("/v1/channels/{channel}"), &body).await.ok();
    }
    let skus = (0..SKUS).map(|n| json!({ "sku": sku(n), "name": sku(n), "status": "active" }));
    taken(&api.post_lines("/v1/skus/import", &skus.collect::<Vec<_>>()).await);
    let places = (0..PLACES).map(|n| {
        let (latitude, longitude) = point(n);
        json!({ "code": place(n), "name": place(n), "kind": if n == 0 { "warehouse" } else { "store" },
            "latitude": latitude, "longitude": longitude, "status": "active" })
    });
    taken(&api.post_lines("/v1/locations/import", &places.collect::<Vec<_>>()).await);
    settled(deployment).await;
    let stock = (0..SKUS).flat_map(|sku_number| {
        (0..PLACES).map(move |n| json!({ "sku": sku(sku_number), "location": place(n), "on_hand": UNITS }))
    });
    taken(&api.post_lines("/v1/stock/import", &stock.collect::<Vec<_>>()).await);
    for (channel, rule) in CHANNELS {
        let Some((mode, value)) = rule else { continue };
        let value = if mode == "excluded" { Value::Null } else { json!(value) };
        let mut body = json!({ "channel": channel, "mode": mode, "value": value });
        if channel == "club" {
            // Kept at two places alone, so that others have to be kept out of them.
            body["locations"] = json!([place(1), place(2)]);
        }
        api.put(&format!("/v1/sharing-rules/{channel}"), &body).await.ok();
    }
    settled(deployment).await;
}

fn taken(answers: &[Value]) {
    assert!(answers.iter().all(|line| line["problem"].is_null()), "every line is taken: {answers:?}");
}
