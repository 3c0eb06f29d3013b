//! Channels: orders, sent once or twice, changed and cancelled.

use actix_web::http::Method;
use rand::Rng as _;
use serde_json::{Value, json};

use crate::town::{ORDER, PLACES, SOLD, Town, fen};

/// An order as its channel knows it.
#[derive(Clone, Debug)]
pub struct Sold {
    /// Its id here.
    pub id: String,
    /// What the channel says of it.
    pub body: Value,
    /// The minute of its last change.
    minute: u32,
}

impl Sold {
    /// An order that its channel did not hand in, and says nothing of.
    pub fn by_hand(id: &str) -> Self {
        Self { id: id.to_owned(), body: Value::Null, minute: 0 }
    }
}

fn address(longitude: f64) -> Value {
    json!({"country": "CN", "province": "上海市", "latitude": 31.2, "longitude": longitude, "phone": "13800138000"})
}

fn at(minute: u32) -> Value {
    json!(format!("2026-11-01T{:02}:{:02}:00+08:00", minute / 60, minute % 60))
}

impl Town {
    fn somewhere(&mut self) -> Value {
        address([117.0, 118.5, 120.0, 120.9, 121.3, 122.4][self.below(6)])
    }

    /// A channel hands in an order, sometimes twice.
    pub async fn order(&mut self) {
        let number = format!("N-{}", self.orders.len());
        let mut lines = Vec::new();
        for line_no in 1..=self.units(3) {
            let (sku, price) = SOLD[self.below(SOLD.len())];
            let quantity = self.units(3);
            lines.push(json!({"line_no": line_no, "sku": sku, "quantity": quantity, "unit_price": fen(price)}));
        }
        let fulfilment = if self.world.happens(20) {
            json!({"type": "pickup", "location": PLACES[self.below(3)].0})
        } else {
            json!({"type": "ship", "ship_to": self.somewhere()})
        };
        let discount = i64::try_from(self.below(900)).unwrap();
        let terms = [None, None, Some("prepaid"), Some("on_delivery")][self.below(4)];
        let mut body = json!({
            "channel": "web", "channel_order_no": number, "placed_at": "2026-11-01T00:00:00+08:00", "currency": "CNY",
            "channel_updated_at": at(0), "buyer": {"identities": [{"type": "phone", "value": "+8613800138000"}]},
            "fulfilment": fulfilment, "lines": lines, "discount": fen(discount), "freight": fen(1_000),
        });
        if let Some(terms) = terms {
            body["payment_terms"] = json!({"type": terms});
        }
        let reply = self.ask(ORDER, Method::POST, "/v1/orders", body.clone()).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        let id = reply.body["id"].as_str().unwrap().to_owned();
        if self.world.happens(10) {
            let again = self.ask(ORDER, Method::POST, "/v1/orders", body.clone()).await;
            assert_eq!((again.status, again.body["id"].as_str()), (200, Some(id.as_str())), "{}", again.text);
        }
        self.note(format!("{number} {} lines", lines.len()));
        self.orders.push(Sold { id, body, minute: 0 });
    }

    fn any_order(&mut self) -> Option<usize> {
        (!self.orders.is_empty()).then(|| self.below(self.orders.len()))
    }

    /// The channel sends a newer state of an order, or an older one.
    pub async fn update(&mut self) {
        let Some(place) = self.any_order().filter(|place| self.orders[*place].body.is_object()) else { return };
        let mut sold = self.orders[place].clone();
        let older = self.world.happens(30) && sold.minute > 1;
        let minute = if older { sold.minute - 1 } else { sold.minute + 2 };
        sold.body["channel_updated_at"] = at(minute);
        sold.body["note"] = json!(format!("state {minute}"));
        if self.world.happens(40) && sold.body["fulfilment"]["type"] == "ship" {
            sold.body["fulfilment"]["ship_to"] = self.somewhere();
        }
        if self.world.happens(40) && sold.body["lines"][0]["quantity"].as_i64() > Some(1) {
            let quantity = sold.body["lines"][0]["quantity"].as_i64().unwrap();
            sold.body["lines"][0]["quantity"] = json!(quantity - 1);
        }
        if self.world.happens(25) {
            let quantity = sold.body["lines"][0]["quantity"].as_i64().unwrap();
            sold.body["lines"][0]["quantity"] = json!(quantity + self.units(2));
        }
        if self.world.happens(15) {
            let lines = sold.body["lines"].as_array_mut().unwrap();
            let (line_no, (sku, price)) = (lines.len() + 1, SOLD[self.world.random.random_range(0..SOLD.len())]);
            lines.push(json!({"line_no": line_no, "sku": sku, "quantity": 1, "unit_price": fen(price)}));
        }
        let reply = self.ask(ORDER, Method::POST, "/v1/orders", sold.body.clone()).await;
        self.note(format!("update {place} to {minute}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409 | 422), "{}", reply.text);
        assert!(!older || reply.status == 200, "what is older changes nothing: {}", reply.text);
        if !older && reply.status == 200 {
            self.orders[place] = Sold { minute, ..sold };
        }
    }

    /// Somebody changes an order's address by hand. The channel does not know of it.
    pub async fn readdress(&mut self) {
        let Some(place) = self.any_order() else { return };
        let body = json!({"ship_to": self.somewhere()});
        let path = format!("/v1/orders/{}", self.orders[place].id);
        let reply = self.ask(ORDER, Method::PATCH, &path, body).await;
        self.note(format!("readdress {place}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409 | 422), "{}", reply.text);
    }

    /// The buyer wants more, and pays for it where all else is paid. The channel does not know of it.
    pub async fn grow(&mut self) {
        let Some(place) = self.any_order() else { return };
        let path = format!("/v1/orders/{}", self.orders[place].id);
        let order = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        let (sku, price) = SOLD[self.below(SOLD.len())];
        let (units, line_no) = (self.units(2), 100 + self.below(900_000));
        let mut add = json!({"lines": [{"line_no": line_no, "sku": sku, "quantity": units, "unit_price": fen(price)}]});
        if order["payment_terms"].is_object() && order["totals"]["due_amount"]["amount"] == 0 {
            add["payments"] = json!([{"method": "card", "amount": fen(units * price)}]);
        }
        let more = order["lines"][0]["quantity"].as_i64().unwrap();
        let body = if self.world.happens(70) {
            json!({"add": add})
        } else {
            json!({"lines": [{"line_no": order["lines"][0]["line_no"], "quantity": more + 1}]})
        };
        let reply = self.ask(ORDER, Method::PATCH, &path, body).await;
        self.note(format!("grow {place}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409 | 422), "{}", reply.text);
    }

    /// The buyer cancels an order, or a unit of it.
    pub async fn cancel(&mut self) {
        let Some(place) = self.any_order() else { return };
        let body = if self.world.happens(50) { json!({}) } else { json!({"lines": [{"line_no": 1, "quantity": 1}]}) };
        let path = format!("/v1/orders/{}/cancel", self.orders[place].id);
        let reply = self.ask(ORDER, Method::POST, &path, body).await;
        self.note(format!("cancel {place}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
    }

    /// What nobody can fill is given up.
    pub async fn cancel_the_rest(&mut self) {
        for place in 0..self.orders.len() {
            let path = format!("/v1/orders/{}", self.orders[place].id);
            let order = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
            let waits = |line: &Value| {
                let number = |field: &str| line[field].as_i64().unwrap();
                json!({"line_no": line["line_no"], "quantity": number("quantity") - number("cancelled") - number("shipped")})
            };
            if !["backordered", "fulfilling", "sourcing"].contains(&order["status"].as_str().unwrap()) {
                continue;
            }
            let lines = order["lines"].as_array().unwrap().iter().map(waits);
            let lines: Vec<Value> = lines.filter(|line| line["quantity"].as_i64() > Some(0)).collect();
            if !lines.is_empty() {
                let reply = self.ask(ORDER, Method::POST, &format!("{path}/cancel"), json!({"lines": lines})).await;
                assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
            }
        }
    }
}
