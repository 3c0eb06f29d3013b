//! A retailer to act as: its channels, goods, places and stock, and the orders that come in.

use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::wait::until;

/// Where the test retailer's places and buyers are: latitude and longitude.
pub mod places {
    /// Shanghai.
    pub const SHANGHAI: (f64, f64) = (31.2304, 121.4737);
    /// Hangzhou: 165 km from Shanghai, 236 km from Nanjing.
    pub const HANGZHOU: (f64, f64) = (30.2741, 120.1551);
    /// Nanjing.
    pub const NANJING: (f64, f64) = (32.0603, 118.7969);
    /// Beijing: more than 1,000 km from the others.
    pub const BEIJING: (f64, f64) = (39.9042, 116.4074);
}

/// An amount of yuan in minor units.
pub fn yuan(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

/// Units of a SKU at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// Units there.
    pub on_hand: i64,
    /// Units promised.
    pub reserved: i64,
    /// Units kept apart.
    pub quarantined: i64,
    /// Units that may be promised.
    pub available: i64,
}

impl Shelf {
    /// Units on the shelf of which some are promised and none kept apart.
    pub const fn of(on_hand: i64, reserved: i64) -> Self {
        Self { on_hand, reserved, quarantined: 0, available: on_hand - reserved }
    }
}

/// An order as a channel sends it.
#[derive(Clone, Debug)]
pub struct NewOrder(Value);

impl NewOrder {
    /// An order of a channel, to be shipped to a place.
    pub fn new(channel: &str, number: &str, (latitude, longitude): (f64, f64)) -> Self {
        Self(json!({
            "channel": channel,
            "channel_order_no": number,
            "placed_at": "2026-11-11T00:00:01+08:00",
            "currency": "CNY",
            "fulfilment": {
                "type": "ship",
                "ship_to": { "name": "王芳", "country": "CN", "latitude": latitude, "longitude": longitude },
            },
            "lines": [],
        }))
    }

    /// Adds a line at a unit price in minor units.
    #[must_use]
    pub fn line(mut self, sku: &str, quantity: i64, unit_price: i64) -> Self {
        let lines = self.0["lines"].as_array_mut().expect("lines are an array");
        let line_no = lines.len() + 1;
        lines.push(json!({ "line_no": line_no, "sku": sku, "quantity": quantity, "unit_price": yuan(unit_price) }));
        self
    }

    /// Sets any field.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }

    /// Names the buyer by a phone number.
    #[must_use]
    pub fn phone(self, number: &str) -> Self {
        self.with("buyer", json!({ "identities": [{ "type": "phone", "value": number }] }))
    }

    /// The request's body.
    pub const fn body(&self) -> &Value {
        &self.0
    }
}

/// The retailer, by way of one client.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The client.
    pub api: Api,
}

impl Shop {
    /// Acts by way of this client.
    pub const fn new(api: Api) -> Self {
        Self { api }
    }

    /// Opens a channel that trades in yuan.
    pub async fn channel(&self, code: &str) {
        let body = json!({ "name": code, "kind": "marketplace", "currency": "CNY", "status": "active" });
        self.api.put(&format!("/v1/channels/{code}"), &body).await.ok();
    }

    /// Imports SKUs, each with its category.
    pub async fn skus(&self, skus: &[(&str, &str)]) {
        let line = |(sku, category): &(&str, &str)| json!({ "sku": sku, "name": format!("The {sku}"), "category": category, "status": "active" });
        let lines: Vec<Value> = skus.iter().map(line).collect();
        all_taken(&self.api.post_lines("/v1/skus/import", &lines).await, lines.len());
    }

    /// Imports locations: code, kind, place.
    pub async fn locations(&self, locations: &[(&str, &str, (f64, f64))]) {
        let line = |(code, kind, (latitude, longitude)): &(&str, &str, (f64, f64))| {
            json!({
                "code": code, "name": format!("The {code}"), "kind": kind, "latitude": latitude,
                "longitude": longitude, "capabilities": ["ship", "pickup", "return"], "status": "active",
            })
        };
        let lines: Vec<Value> = locations.iter().map(line).collect();
        all_taken(&self.api.post_lines("/v1/locations/import", &lines).await, lines.len());
    }

    /// Imports opening balances: SKU, location, units.
    pub async fn opening_stock(&self, balances: &[(&str, &str, i64)]) {
        let line = |(sku, location, on_hand): &(&str, &str, i64)| json!({ "sku": sku, "location": location, "on_hand": on_hand });
        let lines: Vec<Value> = balances.iter().map(line).collect();
        all_taken(&self.api.post_lines("/v1/stock/import", &lines).await, lines.len());
    }

    /// Adds to or takes from one balance.
    pub async fn adjust(&self, sku: &str, location: &str, delta: i64) {
        let adjustment = json!({ "sku": sku, "location": location, "delta": delta, "reason": "delivery" });
        self.api.post("/v1/stock/adjustments", &json!([adjustment])).await.ok();
    }

    /// Places an order, and answers its id.
    pub async fn place(&self, order: &NewOrder) -> String {
        text(&self.api.post("/v1/orders", order.body()).await.status(201)["id"])
    }

    /// Places an order, however often the link breaks on the way.
    pub async fn place_for_sure(&self, order: &NewOrder) -> String {
        text(&self.api.persist("/v1/orders", order.body()).await.ok()["id"])
    }

    /// An order as it stands.
    pub async fn order(&self, id: &str) -> Value {
        self.api.get(&format!("/v1/orders/{id}")).await.ok()
    }

    /// An order, once it has this status.
    pub async fn order_once(&self, id: &str, status: &str) -> Value {
        let path = format!("/v1/orders/{id}");
        self.api.get_until(&path, &format!("order {id} is {status}"), |order| order["status"] == status).await
    }

    /// The fulfilment order of an order that a location has not answered yet.
    pub async fn offer(&self, order: &str, location: &str) -> Value {
        let path = format!("/v1/orders/{order}");
        let offered = |order: &Value| offers(order).find(|it| it["location"] == location).cloned();
        let what = format!("order {order} is offered to {location}");
        let order = self.api.get_until(&path, &what, |order| offered(order).is_some()).await;
        offered(&order).expect("it was there a moment ago")
    }

    /// Does something with a fulfilment order.
    pub async fn act(&self, fulfilment: &str, action: &str, body: Value) -> Answer {
        self.api.persist(&format!("/v1/fulfilments/{fulfilment}/{action}"), &body).await
    }

    /// Takes an offered fulfilment order all the way to the buyer.
    pub async fn deliver(&self, fulfilment: &str) {
        let parcels = json!([{ "carrier": "SF", "tracking_no": format!("SF-{fulfilment}") }]);
        let steps = [
            ("accept", json!({})),
            ("pick", json!({})),
            ("pack", json!({})),
            ("ship", json!({ "parcels": parcels })),
            ("deliver", json!({})),
        ];
        for (action, body) in steps {
            self.act(fulfilment, action, body).await.ok();
        }
    }

    /// Delivers whatever is offered of an order until it is completed.
    pub async fn see_through(&self, order: &str) {
        let path = format!("/v1/orders/{order}");
        let what = format!("order {order} is offered or completed");
        loop {
            let seen = |order: &Value| order["status"] == "completed" || offers(order).next().is_some();
            let order = self.api.get_until(&path, &what, seen).await;
            let Some(offer) = offers(&order).next() else { return };
            self.deliver(&text(&offer["id"])).await;
        }
    }

    /// A balance.
    pub async fn shelf(&self, sku: &str, location: &str) -> Shelf {
        let found = self.api.get(&format!("/v1/stock/{sku}")).await.ok();
        let levels = found["items"].as_array().expect("a balance per location");
        // Where a SKU never was, there is nothing of it.
        let Some(level) = levels.iter().find(|level| level["location"] == location) else { return Shelf::of(0, 0) };
        Shelf {
            on_hand: whole(&level["on_hand"]),
            reserved: whole(&level["reserved"]),
            quarantined: whole(&level["quarantined"]),
            available: whole(&level["available"]),
        }
    }

    /// A balance, once it is this.
    pub async fn shelf_once(&self, sku: &str, location: &str, expected: Shelf) {
        until(&format!("{sku} at {location} is {expected:?}"), async || {
            let shelf = self.shelf(sku, location).await;
            if shelf == expected { Ok(()) } else { Err(format!("{shelf:?}")) }
        })
        .await;
    }

    /// What a channel may sell of a SKU, once it is so many units: it shows within a second.
    pub async fn sellable_once(&self, channel: &str, sku: &str, units: i64) {
        let path = format!("/v1/availability?channel={channel}&sku={sku}");
        let what = format!("{channel} may sell {units} of {sku}");
        self.api.get_until(&path, &what, |found| found[0]["available"] == units).await;
    }
}

fn offers(order: &Value) -> impl Iterator<Item = &Value> {
    order["fulfilments"].as_array().into_iter().flatten().filter(|it| it["status"] == "offered")
}

fn all_taken(results: &[Value], lines: usize) {
    assert_eq!(results.len(), lines, "a result line per input line: {results:?}");
    for result in results {
        assert!(result.get("problem").is_none(), "a line was refused: {result}");
    }
}

/// A text that must be there.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// A whole number that must be there.
#[track_caller]
pub fn whole(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("a whole number, not {value}"))
}
