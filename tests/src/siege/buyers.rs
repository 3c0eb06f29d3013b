//! What buyers and their orders do.

use rand::Rng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Value, json};

use super::besieger::{Besieger, remember};
use crate::process::unique;

impl Besieger {
    /// Holds something, often for no more than seconds.
    pub async fn hold(&mut self) {
        let lines = self.lines();
        let (channel, ship_to) = (self.channel(), self.address());
        let ttl = if self.random.random_bool(0.3) { self.random.random_range(1..4) } else { 600 };
        let body = json!({ "channel": channel, "lines": lines, "ship_to": ship_to, "ttl_seconds": ttl });
        if let Some(hold) = self.send("hold", Method::POST, "/v1/reservations", body).await
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

    /// Gives a hold back.
    pub async fn give_back(&mut self) {
        let Some((id, _)) = self.some_hold() else { return };
        self.send("release", Method::DELETE, &format!("/v1/reservations/{id}"), Value::Null).await;
    }

    /// Gives one unit of a hold back.
    pub async fn give_a_part_back(&mut self) {
        let Some((id, hold)) = self.some_hold() else { return };
        let body = json!({ "lines": [{ "sku": hold["lines"][0]["sku"], "quantity": 1 }] });
        self.send("release a part", Method::POST, &format!("/v1/reservations/{id}/release"), body).await;
        remember(&mut self.holds, (id, hold));
    }

    /// Gives a hold more time, or less.
    pub async fn extend(&mut self) {
        let Some((id, hold)) = self.some_hold() else { return };
        let body = json!({ "ttl_seconds": self.random.random_range(1..900) });
        self.send("extend", Method::POST, &format!("/v1/reservations/{id}/extend"), body).await;
        remember(&mut self.holds, (id, hold));
    }

    /// An order, perhaps of what is held: sometimes of what ran out, or of another's hold.
    pub async fn order(&mut self) {
        let claimed = if self.random.random_bool(0.4) { self.some_hold() } else { None };
        let (channel, lines, ship_to) = match &claimed {
            Some((_, hold)) => (hold["channel"].clone(), hold["lines"].clone(), hold["ship_to"].clone()),
            None => (json!(self.channel()), json!(self.lines()), self.address()),
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
        if let Some(order) = self.send("order", Method::POST, "/v1/orders", body).await
            && let Some(id) = order["id"].as_str()
        {
            remember(&mut self.orders, id.to_owned());
        }
    }

    /// Cancels an order, or one unit of it.
    pub async fn cancel(&mut self) {
        let Some(id) = self.orders.choose(&mut self.random).cloned() else { return };
        let body = if self.random.random_bool(0.5) {
            json!({ "reason": "no" })
        } else {
            json!({ "reason": "less", "lines": [{ "line_no": 1, "quantity": 1 }] })
        };
        self.send("cancel", Method::POST, &format!("/v1/orders/{id}/cancel"), body).await;
    }

    /// A store takes an offer up, or turns it down. What it ships has left.
    pub async fn fulfil(&mut self) {
        let Some(id) = self.orders.choose(&mut self.random).cloned() else { return };
        let path = format!("/v1/orders/{id}");
        let Some(order) = self.send("read an order", Method::GET, &path, Value::Null).await else { return };
        let offered = order["fulfilments"].as_array().into_iter().flatten().find(|it| it["status"] == "offered");
        let Some(fulfilment) = offered.and_then(|it| it["id"].as_str()) else { return };
        let path = |action: &str| format!("/v1/fulfilments/{fulfilment}/{action}");
        if self.random.random_bool(0.3) {
            self.send("reject", Method::POST, &path("reject"), json!({ "reason": "not found" })).await;
            return;
        }
        for action in ["accept", "pick", "pack"] {
            self.send(action, Method::POST, &path(action), json!({})).await;
        }
        let parcels = json!({ "parcels": [{ "carrier": "SF", "tracking_no": unique() }] });
        let Some(shipped) = self.send("ship", Method::POST, &path("ship"), parcels).await else { return };
        let place = shipped["location"].as_str().expect("a fulfilment has a location");
        for line in shipped["lines"].as_array().into_iter().flatten() {
            let (sku, units) = (line["sku"].as_str().expect("a SKU"), line["quantity"].as_i64().expect("units"));
            self.fought.told.add(sku, place, "shipment", -units);
        }
    }

    /// Looks what a channel may sell, and whether the terms of it add up.
    pub async fn look(&mut self) {
        let (sku, channel) = (self.sku(), self.channel());
        let path = if self.random.random_bool(0.5) {
            format!("/v1/availability?channel={channel}&sku={sku}")
        } else {
            format!("/v1/availability/{sku}/waterfall?channel={channel}")
        };
        let Some(body) = self.send("look", Method::GET, &path, Value::Null).await else { return };
        if let Some(terms) = body["terms"].as_array() {
            let sum: i64 = terms.iter().filter_map(|term| term["units"].as_i64()).sum();
            assert_eq!(body["available"], json!(sum), "the terms of {body}");
        }
    }
}
