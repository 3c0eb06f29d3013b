//! Stores: they take orders on or not, do not find everything, ship, deliver and hand over.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::town::{ORDER, PLACES, Town};

/// What may still come of a fulfilment order.
const OPEN: [&str; 7] = ["offered", "accepted", "picked", "packed", "ready", "shipped", "sent"];

impl Town {
    /// Somebody in a store does something with one of its fulfilment orders.
    pub async fn work(&mut self) {
        let (mut list, mut found_at) = (Vec::new(), ("", ""));
        let (first, status) = (self.below(PLACES.len()), self.below(OPEN.len()));
        for turn in 0..PLACES.len() * OPEN.len() {
            found_at = (PLACES[(first + turn) % PLACES.len()].0, OPEN[(status + turn / PLACES.len()) % OPEN.len()]);
            let path = format!("/v1/fulfilments?location={}&status={}&limit=20", found_at.0, found_at.1);
            let page = self.ask(ORDER, Method::GET, &path, Value::Null).await;
            list = self.in_order(&page.body);
            if !list.is_empty() {
                break;
            }
        }
        if list.is_empty() {
            return;
        }
        let chosen = list[self.below(list.len())].clone();
        let (step, body) = self.next(&chosen, true).await;
        if let Some(step) = step {
            let reply = self.act(&chosen, step, body).await;
            self.note(format!("{found_at:?} {step}: {reply}"));
        }
    }

    /// A page's fulfilment orders by their orders' ages. Ids that were made in the same moment are in no order.
    fn in_order(&self, page: &Value) -> Vec<Value> {
        let mut all = page["items"].as_array().unwrap().clone();
        let place = |it: &Value| self.orders.iter().position(|order| it["order_id"] == order.id);
        all.sort_by_key(|it| (place(it), it["attempt"].as_i64(), it["sent_from"].as_str().map(ToOwned::to_owned)));
        all
    }

    async fn act(&mut self, fulfilment: &Value, step: &str, body: Value) -> u16 {
        let path = format!("/v1/fulfilments/{}/{step}", fulfilment["id"].as_str().unwrap());
        let reply = self.ask(ORDER, Method::POST, &path, body).await;
        assert!(matches!(reply.status, 200 | 409 | 422), "{step}: {}", reply.text);
        // What was sent to a store and did not come is on no shelf any more.
        if reply.status == 200 && fulfilment["status"] == "sent" {
            let came = if reply.body["status"] == "ready" { &reply.body["lines"] } else { &Value::Null };
            for (sign, lines) in [(-1, &fulfilment["lines"]), (1, came)] {
                for line in lines.as_array().into_iter().flatten() {
                    let units = sign * line["quantity"].as_i64().unwrap();
                    *self.stocked.entry(line["sku"].as_str().unwrap().to_owned()).or_default() += units;
                }
            }
        }
        reply.status
    }

    /// What comes next, with its body; sometimes something else, where not all goes well.
    async fn next(&mut self, it: &Value, mishaps: bool) -> (Option<&'static str>, Value) {
        let pickup = it["type"] == "pickup";
        let mishap = |town: &mut Self, percent| mishaps && town.world.happens(percent);
        match it["status"].as_str().unwrap() {
            "offered" if mishap(self, 10) => (Some("reject"), json!({"reason": "not found"})),
            "offered" if mishap(self, 10) => (None, Value::Null),
            "offered" => (Some("accept"), Value::Null),
            "accepted" if mishap(self, 5) => (Some("reject"), json!({"reason": "damaged"})),
            "accepted" if mishap(self, 15) => (Some("pick"), self.short_of(it)),
            "accepted" => (Some("pick"), Value::Null),
            "picked" if !pickup => (Some("pack"), Value::Null),
            "picked" | "packed" if pickup => (Some("ready"), Value::Null),
            "packed" => {
                let number = format!("SF{}", it["id"].as_str().unwrap());
                (Some("ship"), json!({"parcels": [{"carrier": "SF", "tracking_no": number}]}))
            }
            "shipped" => (Some("deliver"), Value::Null),
            "sent" if mishap(self, 20) => (Some("ready"), self.short_of(it)),
            "sent" => (Some("ready"), Value::Null),
            "ready" if mishap(self, 20) => (None, Value::Null),
            "ready" => (Some("collect"), json!({"code": self.code_of(it).await})),
            _ => (None, Value::Null),
        }
    }

    /// One unit less of the first line than there should be.
    fn short_of(&mut self, it: &Value) -> Value {
        let mut lines: Vec<Value> = Vec::new();
        for (index, line) in it["lines"].as_array().unwrap().iter().enumerate() {
            let units = line["quantity"].as_i64().unwrap() - i64::from(index == 0);
            let mut found = json!({"line_no": line["line_no"], "quantity": units});
            if line["sku"] != Value::Null && it["lines"].as_array().unwrap().len() > 1 {
                found["sku"] = line["sku"].clone();
            }
            lines.push(found);
        }
        json!({"lines": lines})
    }

    /// The code that the buyer got.
    async fn code_of(&mut self, it: &Value) -> Value {
        let path = format!("/v1/orders/{}", it["order_id"].as_str().unwrap());
        let order = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        let all = order["fulfilments"].as_array().unwrap().clone();
        all.iter().find(|other| other["id"] == it["id"]).map_or(Value::Null, |other| other["collect_code"].clone())
    }

    /// Every store does its next step of everything, without mishaps; how much was open.
    pub async fn work_off(&mut self) -> usize {
        let mut open = 0;
        for (place, _) in PLACES {
            for status in OPEN {
                let path = format!("/v1/fulfilments?location={place}&status={status}&limit=500");
                let list = self.ask(ORDER, Method::GET, &path, Value::Null).await.body;
                for it in self.in_order(&list) {
                    open += 1;
                    let (step, body) = self.next(&it, false).await;
                    if let Some(step) = step {
                        self.act(&it, step, body).await;
                    }
                }
            }
        }
        open
    }
}
