//! Holds and reads of fifty channels that each have a share of their own.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::load::Request;
use super::machine::Sides;
use super::orders::{LOCATIONS, SKUS, sku};
use super::report::{Limit, Report};
use super::stock::costed;
use crate::Api;

/// As many as a large retailer sells on.
const CHANNELS: usize = 50;

fn channel(number: usize) -> String {
    format!("CH-{number:02}")
}

fn location(number: usize) -> String {
    format!("LOC-{number:02}")
}

/// Where a channel may sell from: every fifth one from a part of the locations, one half of these from a fifth, the others
/// from a half.
fn reach(number: usize) -> Range<usize> {
    let first = number % (LOCATIONS / 2);
    match number % 10 {
        0 => first..first + LOCATIONS / 5,
        5 => first..first + LOCATIONS / 2,
        _ => 0..LOCATIONS,
    }
}

/// Five ring-fences and five shared ones with locations of their own, ten quotas, thirty percentages.
fn rule(number: usize) -> Value {
    let bound = || reach(number).map(location).collect::<Vec<_>>();
    let channel = channel(number);
    match number % 10 {
        0 => json!({"channel": channel, "mode": "exclusive", "value": 20, "locations": bound()}),
        5 => json!({"channel": channel, "mode": "shared", "buffer": 2, "locations": bound()}),
        1 | 2 => json!({"channel": channel, "mode": "quota", "value": 100_000}),
        _ => json!({"channel": channel, "mode": "percentage", "value": 90, "buffer": 5}),
    }
}

/// Gives each channel its share, then holds single units and reads ten SKUs' availability for any of them, and takes the
/// shares away again.
pub async fn shared(api: &Api, sides: Sides, holds: usize, reads: usize, report: &mut Report) {
    for number in 0..CHANNELS {
        api.put(&format!("/v1/sharing-rules/{}", channel(number)), &rule(number)).await.ok();
    }
    let mut random = StdRng::seed_from_u64(6);
    let url = api.host("inventory");
    let hold = |buyer: usize| {
        let number = random.random_range(0..CHANNELS);
        let body = json!({ "channel": channel(number), "buyer": format!("buyer-shared-{buyer}"),
            "pickup_location": location(random.random_range(reach(number))),
            "lines": [{ "sku": sku(random.random_range(0..SKUS)), "quantity": 1 }], "ttl_seconds": 3600 });
        Request { method: Method::POST, url: format!("{url}/v1/reservations"), body: body.to_string() }
    };
    let outcome = costed(api, sides, "shared", (0..holds).map(hold).collect(), report).await;
    report.must(&format!("every shared hold was granted, {:?}", outcome.statuses), outcome.with_status(201) == holds);
    report.figure("shared_reservations_per_second", outcome.per_second(), Limit::None);
    report.figure("shared_p99_ms", outcome.percentile_ms(99.0), Limit::None);

    let mut random = StdRng::seed_from_u64(7);
    let read = |_| {
        let skus: Vec<String> = (0..10).map(|_| sku(random.random_range(0..SKUS))).collect();
        let channel = channel(random.random_range(0..CHANNELS));
        let url = format!("{url}/v1/availability?channel={channel}&sku={}", skus.join(","));
        Request { method: Method::GET, url, body: String::new() }
    };
    let outcome = costed(api, sides, "shared_availability", (0..reads).map(read).collect(), report).await;
    report.must(&format!("every shared read was answered, {:?}", outcome.statuses), outcome.with_status(200) == reads);
    report.figure("shared_availability_reads_per_second", outcome.per_second(), Limit::None);
    for number in 0..CHANNELS {
        api.delete(&format!("/v1/sharing-rules/{}", channel(number))).await.ok();
    }
}
