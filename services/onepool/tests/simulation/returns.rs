//! Returns: asked for, also for more than was bought and for something else instead, and taken step by step.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::channels::Sold;
use crate::town::{ORDER, PLACES, SOLD, Town, fen};

impl Town {
    /// A buyer wants to return some units.
    pub async fn ask_for_return(&mut self) {
        if self.orders.is_empty() {
            return;
        }
        let place = self.below(self.orders.len());
        let quantity = self.units(4);
        let reason = ["does_not_fit", "damaged"][self.below(2)];
        let mut body = json!({"order_id": self.orders[place].id, "lines": [{"line_no": 1, "quantity": quantity}],
            "reason_code": reason});
        if self.world.happens(40) {
            let (sku, price) = SOLD[self.below(SOLD.len())];
            let line = json!({"line_no": 1, "sku": sku, "quantity": self.units(2), "unit_price": fen(price)});
            body["exchange"] = json!({"lines": [line]});
        }
        let reply = self.ask(ORDER, Method::POST, "/v1/returns", body).await;
        self.note(format!("return of {place} × {quantity}: {}", reply.status));
        assert!(matches!(reply.status, 201 | 409 | 422), "{}", reply.text);
        if reply.status == 201 {
            self.returns.push(reply.body["id"].as_str().unwrap().to_owned());
        }
    }

    /// Somebody takes a return one step on.
    pub async fn handle_return(&mut self) {
        if self.returns.is_empty() {
            return;
        }
        let place = self.below(self.returns.len());
        let id = self.returns[place].clone();
        let status = self.step_return(&id, true).await;
        self.note(format!("return {place}: {status}"));
    }

    async fn step_return(&mut self, id: &str, mishaps: bool) -> u16 {
        let path = format!("/v1/returns/{id}");
        let it = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        let (step, body) = match it["status"].as_str().unwrap() {
            "requested" if mishaps && self.world.happens(20) => ("cancel", Value::Null),
            "requested" => ("approve", Value::Null),
            "approved" => ("receive", json!({"location": PLACES[self.below(PLACES.len())].0})),
            "received" => {
                let disposition = ["restock", "quarantine", "scrap"][self.below(3)];
                let line = |line: &Value| json!({"position": line["position"], "disposition": disposition});
                let lines: Vec<Value> = it["lines"].as_array().unwrap().iter().map(line).collect();
                ("inspect", json!({"lines": lines}))
            }
            "inspected" => ("refund", Value::Null),
            _ => return 0,
        };
        let reply = self.ask(ORDER, Method::POST, &format!("{path}/{step}"), body).await;
        assert!(matches!(reply.status, 200 | 409), "{step}: {}", reply.text);
        if let (200, "approve", Some(order)) = (reply.status, step, reply.body["exchange_order_id"].as_str()) {
            self.orders.push(Sold::by_hand(order));
        }
        reply.status
    }

    /// Every return goes one step on; how many were open.
    pub async fn finish_returns(&mut self) -> usize {
        let mut open = 0;
        for id in self.returns.clone() {
            if self.step_return(&id, false).await > 0 {
                open += 1;
            }
        }
        open
    }
}
