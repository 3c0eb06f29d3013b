//! What a besieger tries, again and again, caring for nothing: refusals and broken links are part of it.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::{CHANNELS, PLACES, SKUS, place, point, sku};
use crate::Api;
use crate::process::unique;

/// Holds and orders that a besieger remembers.
const REMEMBERED: usize = 40;

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// What was granted.
    pub granted: usize,
    /// What was refused by a rule.
    pub refused: usize,
    /// What was not answered, or answered by a service that was not there.
    pub lost: usize,
    /// Processes killed.
    pub kills: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.lost += other.lost;
        self.kills += other.kills;
    }
}

/// One of many.
pub struct Besieger {
    doors: Vec<Api>,
    random: StdRng,
    name: String,
    holds: Vec<(String, Value)>,
    orders: Vec<String>,
    tally: Tally,
}

impl Besieger {
    /// Who goes in by any of these doors.
    pub fn new(doors: &[Api], number: usize, seed: u64) -> Self {
        Self {
            doors: doors.to_vec(),
            random: StdRng::seed_from_u64(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            name: format!("{number}-{}", unique()),
            holds: Vec::new(),
            orders: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Tries until nothing is left to be tried.
    pub async fn fight(mut self, left: Arc<AtomicUsize>) -> Tally {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            match self.random.random_range(0..100) {
                0..40 => self.hold().await,
                40..50 => self.give_back().await,
                50..56 => self.give_a_part_back().await,
                56..60 => self.extend().await,
                60..80 => self.order().await,
                80..86 => self.cancel().await,
                86..91 => self.fulfil().await,
                91..95 => self.adjust().await,
                _ => self.look().await,
            }
        }
        self.tally
    }

    /// One of the SKUs, the first ones most often (Zipf's law).
    fn sku(&mut self) -> String {
        let harmonic: f64 = (1..=SKUS).map(|n| 1.0 / n as f64).sum();
        let mut at = self.random.random_range(0.0..harmonic);
        for number in 0..SKUS {
            at -= 1.0 / (number + 1) as f64;
            if at <= 0.0 {
                return sku(number);
            }
        }
        sku(0)
    }

    fn channel(&mut self) -> &'static str {
        CHANNELS.choose(&mut self.random).map_or("free", |(channel, _)| channel)
    }

    fn lines(&mut self) -> Vec<(String, i64)> {
        (0..self.random.random_range(1..=2)).map(|_| (self.sku(), self.random.random_range(1..=3))).collect()
    }

    fn address(&mut self) -> Value {
        let (latitude, longitude) = point(self.random.random_range(0..PLACES));
        json!({ "country": "CN", "latitude": latitude, "longitude": longitude })
    }

    /// Sends a request; the answer of one that was granted. One in twenty is sent twice under one key, as is one that broke off.
    async fn send(&mut self, method: Method, path: &str, body: Value) -> Option<Value> {
        let door = self.doors.choose(&mut self.random).expect("there is a door").clone();
        let key = unique();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let twice = self.random.random_bool(0.05);
        let mut answer = door.try_bytes(method.clone(), path, body.to_string().into_bytes(), &headers).await;
        if twice || answer.is_err() {
            answer = door.try_bytes(method, path, body.to_string().into_bytes(), &headers).await;
        }
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.tally.granted += 1;
                Some(answer.body)
            }
            Ok(answer) if answer.is_passing() => {
                self.tally.lost += 1;
                None
            }
            Ok(answer) => {
                assert!(answer.status < 500, "{path} was answered with {}: {}", answer.status, answer.body);
                self.tally.refused += 1;
                None
            }
            Err(_) => {
                self.tally.lost += 1;
                None
            }
        }
    }

    async fn hold(&mut self) {
        let lines: Vec<Value> =
            self.lines().into_iter().map(|(sku, units)| json!({ "sku": sku, "quantity": units })).collect();
        let (channel, ship_to) = (self.channel(), self.address());
        let ttl = if self.random.random_bool(0.3) { self.random.random_range(1..4) } else { 600 };
        let body = json!({ "channel": channel, "lines": lines, "ship_to": ship_to, "ttl_seconds": ttl });
        if let Some(hold) = self.send(Method::POST, "/v1/reservations", body).await
            && let Some(id) = hold["id"].as_str()
        {
            remember(
                &mut self.holds,
                (id.to_owned(), json!({ "channel": channel, "lines": lines, "ship_to": ship_to })),
            );
        }
    }

    fn some_hold(&mut self) -> Option<(String, Value)> {
        let index = self.random.random_range(0..self.holds.len().max(1));
        (index < self.holds.len()).then(|| self.holds.swap_remove(index))
    }

    async fn give_back(&mut self) {
        let Some((id, _)) = self.some_hold() else { return };
        self.send(Method::DELETE, &format!("/v1/reservations/{id}"), Value::Null).await;
    }

    async fn give_a_part_back(&mut self) {
        let Some((id, hold)) = self.some_hold() else { return };
        let body = json!({ "lines": [{ "sku": hold["lines"][0]["sku"], "quantity": 1 }] });
        self.send(Method::POST, &format!("/v1/reservations/{id}/release"), body).await;
        remember(&mut self.holds, (id, hold));
    }

    async fn extend(&mut self) {
        let Some((id, hold)) = self.some_hold() else { return };
        let body = json!({ "ttl_seconds": self.random.random_range(1..900) });
        self.send(Method::POST, &format!("/v1/reservations/{id}/extend"), body).await;
        remember(&mut self.holds, (id, hold));
    }

    /// An order, perhaps of what is held: sometimes of what ran out, or of another's hold.
    async fn order(&mut self) {
        let claimed = if self.random.random_bool(0.4) { self.some_hold() } else { None };
        let (channel, lines, ship_to) = match &claimed {
            Some((_, hold)) => (hold["channel"].clone(), hold["lines"].clone(), hold["ship_to"].clone()),
            None => {
                let lines: Vec<Value> =
                    self.lines().into_iter().map(|(sku, units)| json!({ "sku": sku, "quantity": units })).collect();
                (json!(self.channel()), json!(lines), self.address())
            }
        };
        let line = |(number, line): (usize, &Value)| {
            json!({ "line_no": number + 1, "sku": line["sku"], "quantity": line["quantity"],
                "unit_price": { "amount": 1_000, "currency": "CNY" } })
        };
        let lines: Vec<Value> = lines.as_array().into_iter().flatten().enumerate().map(line).collect();
        let mut body = json!({
            "channel": channel, "channel_order_no": format!("{}-{}", self.name, self.random.random::<u64>()),
            "placed_at": "2026-11-11T00:00:01+08:00", "currency": "CNY",
            "fulfilment": { "type": "ship", "ship_to": ship_to }, "lines": lines,
        });
        if let Some((id, _)) = claimed {
            body["reservation_id"] = json!(id);
        }
        if let Some(order) = self.send(Method::POST, "/v1/orders", body).await
            && let Some(id) = order["id"].as_str()
        {
            remember(&mut self.orders, id.to_owned());
        }
    }

    async fn cancel(&mut self) {
        let Some(id) = self.orders.choose(&mut self.random).cloned() else { return };
        let body = if self.random.random_bool(0.5) {
            json!({ "reason": "no" })
        } else {
            json!({ "reason": "less", "lines": [{ "line_no": 1, "quantity": 1 }] })
        };
        self.send(Method::POST, &format!("/v1/orders/{id}/cancel"), body).await;
    }

    /// A store takes an offer up, or turns it down.
    async fn fulfil(&mut self) {
        let Some(id) = self.orders.choose(&mut self.random).cloned() else { return };
        let Some(order) = self.send(Method::GET, &format!("/v1/orders/{id}"), Value::Null).await else { return };
        let offered = order["fulfilments"].as_array().into_iter().flatten().find(|it| it["status"] == "offered");
        let Some(fulfilment) = offered.and_then(|it| it["id"].as_str()) else { return };
        let path = |action: &str| format!("/v1/fulfilments/{fulfilment}/{action}");
        if self.random.random_bool(0.3) {
            self.send(Method::POST, &path("reject"), json!({ "reason": "not found" })).await;
            return;
        }
        let parcels = json!([{ "carrier": "SF", "tracking_no": unique() }]);
        let steps =
            [("accept", json!({})), ("pick", json!({})), ("pack", json!({})), ("ship", json!({ "parcels": parcels }))];
        for (action, body) in steps {
            self.send(Method::POST, &path(action), body).await;
        }
    }

    /// A delivery. Nothing is found missing: that may leave less than is kept for a channel, which is no oversale.
    async fn adjust(&mut self) {
        let delta = self.random.random_range(1..=4);
        let body = json!([{ "sku": self.sku(), "location": place(self.random.random_range(0..PLACES)), "delta": delta,
            "reason": "delivery" }]);
        self.send(Method::POST, "/v1/stock/adjustments", body).await;
    }

    async fn look(&mut self) {
        let (sku, channel) = (self.sku(), self.channel());
        let path = if self.random.random_bool(0.5) {
            format!("/v1/availability?channel={channel}&sku={sku}")
        } else {
            format!("/v1/availability/{sku}/waterfall?channel={channel}")
        };
        let Some(body) = self.send(Method::GET, &path, Value::Null).await else { return };
        if let Some(terms) = body["terms"].as_array() {
            let sum: i64 = terms.iter().filter_map(|term| term["units"].as_i64()).sum();
            assert_eq!(body["available"], json!(sum), "the terms of {body}");
        }
    }
}

fn remember<T>(list: &mut Vec<T>, what: T) {
    if list.len() >= REMEMBERED {
        list.swap_remove(0);
    }
    list.push(what);
}
