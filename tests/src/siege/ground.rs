//! What is fought over: few goods in a few places, and channels that share them by every kind of rule.

use serde_json::{Value, json};

use super::told::Told;
use crate::checks::settled;
use crate::{Api, Deployment};

/// How many SKUs there are; their popularity falls off as 1/n.
pub const SKUS: usize = 60;
/// How many locations there are.
pub const PLACES: usize = 12;
/// Every channel and, of those that have one, how its rule shares.
pub const CHANNELS: [(&str, Option<&str>); 7] = [
    ("free", None),
    ("open", None),
    ("live", Some("exclusive")),
    ("club", Some("exclusive")),
    ("flash", Some("quota")),
    ("half", Some("percentage")),
    ("banned", Some("excluded")),
];

/// How much there is to be fought over: so little for so many attempts that what is wanted most runs out.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Units of each SKU at each location in the beginning; a multiple of eight.
    pub units: i64,
    /// Orders that every fourth location ships on a day; the others ship any number.
    pub capacity: i64,
}

impl Ground {
    /// The ground for so many attempts.
    pub fn of(attempts: usize) -> Self {
        let attempts = i64::try_from(attempts).expect("attempts that can be counted");
        Self { units: 8 * (attempts / 1_500).clamp(1, 50), capacity: (attempts / 200).max(5) }
    }

    /// What a channel's rule says: percent, or units of each SKU. Of all units of a SKU a sixteenth is kept for `live`, and
    /// half as many at two places alone for `club`.
    pub fn value(&self, channel: &str) -> i64 {
        match channel {
            "live" => self.units * 6 / 8,
            "club" => self.units * 3 / 8,
            "flash" => self.units * 10 / 8,
            "half" => 50,
            _ => 0,
        }
    }
}

/// A SKU's code.
pub fn sku(number: usize) -> String {
    format!("G{number:03}")
}

/// Whether the staff takes nothing of a SKU away: of every other one, the most wanted among them.
pub const fn is_left_alone(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// A location's code.
pub fn place(number: usize) -> String {
    format!("P{number:02}")
}

/// Where a location is.
pub fn point(number: usize) -> (f64, f64) {
    (22.0 + number as f64 * 1.5, 104.0 + (number * 5 % PLACES) as f64 * 1.5)
}

/// Whether a location has a daily capacity.
pub const fn is_limited(number: usize) -> bool {
    number % 4 == 3
}

/// Puts everything in its place; says what was moved for it.
pub async fn prepare(deployment: &Deployment, api: &Api, ground: Ground) -> Told {
    for (channel, _) in CHANNELS {
        let body = json!({ "name": channel, "kind": "marketplace", "currency": "CNY", "status": "active" });
        api.put(&format!("/v1/channels/{channel}"), &body).await.ok();
    }
    let skus = (0..SKUS).map(|n| json!({ "sku": sku(n), "name": sku(n), "status": "active" }));
    taken(&api.post_lines("/v1/skus/import", &skus.collect::<Vec<_>>()).await);
    let places = (0..PLACES).map(|n| {
        let (latitude, longitude) = point(n);
        json!({ "code": place(n), "name": place(n), "kind": if n == 0 { "warehouse" } else { "store" },
            "latitude": latitude, "longitude": longitude, "status": "active",
            "daily_capacity": is_limited(n).then_some(ground.capacity) })
    });
    taken(&api.post_lines("/v1/locations/import", &places.collect::<Vec<_>>()).await);
    settled(deployment).await;
    let stock = (0..SKUS).flat_map(|sku_number| {
        (0..PLACES).map(move |n| json!({ "sku": sku(sku_number), "location": place(n), "on_hand": ground.units }))
    });
    taken(&api.post_lines("/v1/stock/import", &stock.collect::<Vec<_>>()).await);
    let mut told = Told::default();
    for (sku_number, n) in (0..SKUS).flat_map(|sku_number| (0..PLACES).map(move |n| (sku_number, n))) {
        // What is stated is a count.
        told.add(&sku(sku_number), &place(n), "count", ground.units);
    }
    for (channel, rule) in CHANNELS {
        let Some(mode) = rule else { continue };
        let value = if mode == "excluded" { Value::Null } else { json!(ground.value(channel)) };
        let mut body = json!({ "channel": channel, "mode": mode, "value": value });
        if channel == "club" {
            // Kept at two places alone, so that others have to be kept out of them.
            body["locations"] = json!([place(1), place(2)]);
        }
        api.put(&format!("/v1/sharing-rules/{channel}"), &body).await.ok();
    }
    settled(deployment).await;
    told
}

fn taken(answers: &[Value]) {
    assert!(answers.iter().all(|line| line["problem"].is_null()), "every line is taken: {answers:?}");
}
