//! Tills: sales, returns, exchanges and voids, written offline and sent late, twice and in any order.

use actix_web::http::Method;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use crate::town::{ORDER, SOLD, Town, fen};

const DAY: &str = "2026-11-11";

/// A till: what it wrote, and what of that it has not sent yet.
#[derive(Clone, Debug)]
pub struct Till {
    /// Its store.
    pub store: &'static str,
    /// Its name there.
    pub terminal: &'static str,
    /// What it wrote, in its order.
    pub written: Vec<Value>,
    unsent: Vec<Value>,
}

impl Till {
    /// A new till.
    pub fn new(store: &'static str, terminal: &'static str) -> Self {
        Self { store, terminal, written: Vec::new(), unsent: Vec::new() }
    }

    fn write(&mut self, kind: &str, lines: &[(&str, i64, i64, &str)]) {
        let lines: Vec<Value> = (1..)
            .zip(lines)
            .map(|(line_no, (sku, quantity, price, disposition))| {
                let mut line = json!({"line_no": line_no, "sku": sku, "quantity": quantity, "unit_price": fen(*price)});
                if *quantity < 0 {
                    line["disposition"] = json!(disposition);
                }
                line
            })
            .collect();
        let total = |line: &Value| line["quantity"].as_i64().unwrap() * line["unit_price"]["amount"].as_i64().unwrap();
        let total: i64 = lines.iter().map(total).sum();
        let tenders = if total == 0 { json!([]) } else { json!([{"method": "cash", "amount": fen(total)}]) };
        self.keep(json!({"kind": kind, "lines": lines, "tenders": tenders}));
    }

    fn void(&mut self, sequence: usize) {
        let voids = json!({"business_date": DAY, "sequence": sequence});
        self.keep(json!({"kind": "void", "voids": voids, "lines": [], "tenders": []}));
    }

    fn keep(&mut self, mut body: Value) {
        for (field, value) in [
            ("store", json!(self.store)),
            ("terminal", json!(self.terminal)),
            ("business_date", json!(DAY)),
            ("sequence", json!(self.written.len() + 1)),
            ("occurred_at", json!("2026-11-11T10:00:00+08:00")),
            ("channel", json!("pos")),
            ("currency", json!("CNY")),
        ] {
            body[field] = value;
        }
        self.written.push(body.clone());
        self.unsent.push(body);
    }
}

impl Town {
    /// A till writes something, and perhaps sends.
    pub async fn ring_up(&mut self) {
        let place = self.below(self.tills.len());
        let ((sku, price), units) = (SOLD[self.below(SOLD.len())], self.units(3));
        let disposition = ["restock", "quarantine", "scrap"][self.below(3)];
        let written = self.tills[place].written.len();
        match self.below(10) {
            0 | 1 => self.tills[place].write("return", &[(sku, -units, price, disposition)]),
            2 => self.tills[place].write("exchange", &[(sku, -1, price, disposition), ("A", 1, 4_900, "")]),
            3 if written > 0 => {
                let sequence = 1 + self.below(written);
                self.tills[place].void(sequence);
            }
            _ => self.tills[place].write("sale", &[(sku, units, price, "")]),
        }
        if self.world.happens(40) {
            self.send(place).await;
        }
    }

    /// A till sends some of what it has, in any order, and forgets only what was answered; sometimes it sends all again.
    async fn send(&mut self, place: usize) {
        let mut batch = std::mem::take(&mut self.tills[place].unsent);
        batch.shuffle(&mut self.world.random);
        let kept = if self.world.happens(30) { batch.split_off(batch.len() / 2) } else { Vec::new() };
        if self.world.happens(20) {
            batch.extend(self.tills[place].written.last().cloned());
        }
        self.tills[place].unsent = kept;
        if batch.is_empty() {
            return;
        }
        let reply = self.ask(ORDER, Method::POST, "/v1/pos/transactions", json!(batch)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let results: Vec<&str> =
            reply.body.as_array().unwrap().iter().map(|it| it["result"].as_str().unwrap()).collect();
        assert!(!results.contains(&"refused"), "{}", reply.text);
        let note = format!("till {place} {results:?}");
        self.note(note);
    }

    /// Every till sends what it still has.
    pub async fn send_everything(&mut self) {
        for place in 0..self.tills.len() {
            while !self.tills[place].unsent.is_empty() {
                self.send(place).await;
            }
        }
    }
}
