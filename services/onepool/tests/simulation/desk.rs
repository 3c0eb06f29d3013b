//! People at their desks: they take payments, and hold and release orders.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::town::{ORDER, Town, fen};

impl Town {
    /// A buyer pays what is due of an order, or a part of it.
    pub async fn pay(&mut self) {
        if self.orders.is_empty() {
            return;
        }
        let place = self.below(self.orders.len());
        let due = self.due(place).await;
        let amount = if self.world.happens(30) { due / 2 + 1 } else { due };
        let status = self.pay_for(place, amount).await;
        self.note(format!("pay {amount} of {due} for {place}: {status}"));
    }

    async fn due(&mut self, place: usize) -> i64 {
        let path = format!("/v1/orders/{}", self.orders[place].id);
        let order = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        order["totals"]["due_amount"]["amount"].as_i64().unwrap()
    }

    async fn pay_for(&mut self, place: usize, amount: i64) -> u16 {
        let path = format!("/v1/orders/{}/payments", self.orders[place].id);
        let reply = self.ask(ORDER, Method::POST, &path, json!({"method": "alipay", "amount": fen(amount)})).await;
        assert!(matches!(reply.status, 200 | 409 | 422), "{}", reply.text);
        reply.status
    }

    /// Somebody doubts an order.
    pub async fn hold(&mut self) {
        if self.orders.is_empty() {
            return;
        }
        let place = self.below(self.orders.len());
        let path = format!("/v1/orders/{}/hold", self.orders[place].id);
        let reply = self.ask(ORDER, Method::POST, &path, json!({"reason": "suspicious"})).await;
        self.note(format!("hold {place}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
    }

    /// Nobody doubts anything any more, and everybody pays what is still due.
    pub async fn clear_up(&mut self) {
        for place in 0..self.orders.len() {
            let path = format!("/v1/orders/{}/release", self.orders[place].id);
            let reply = self.ask(ORDER, Method::POST, &path, json!({})).await;
            assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
            let due = self.due(place).await;
            if due > 0 {
                self.pay_for(place, due).await;
            }
        }
    }

    /// Somebody looks into an order and lets it go on.
    pub async fn release(&mut self) {
        if self.orders.is_empty() {
            return;
        }
        let place = self.below(self.orders.len());
        let path = format!("/v1/orders/{}/release", self.orders[place].id);
        let reply = self.ask(ORDER, Method::POST, &path, json!({})).await;
        self.note(format!("release {place}: {}", reply.status));
        assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
    }
}
