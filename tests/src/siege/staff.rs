//! What the staff of stores and warehouses does, which goes through whatever is for sale: it sells at the till, takes goods
//! in, sends them elsewhere, counts and breaks them. Each answer says what moved.
//!
//! Of some SKUs the staff takes nothing away ([`ground::is_left_alone`]): of these all that is kept for a channel must still
//! be there in the end. Of the others the staff may take that too.
//!
//! [`ground::is_left_alone`]: super::ground::is_left_alone

use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::besieger::{Besieger, remember};
use super::ground::{is_left_alone, sku};

/// A document that was begun, and is gone on with later.
#[derive(Clone, Debug)]
pub enum Paper {
    /// Goods that are expected.
    Receipt { id: String, sku: String, place: String },
    /// Goods to be sent, or that are on their way.
    Transfer { id: String, sku: String, from: String, to: String, units: i64, left: bool },
    /// A count, and what will be said to be there.
    Count { id: String, sku: String, place: String, counted: i64 },
}

impl Besieger {
    /// One of the SKUs of which the staff may take something.
    fn exposed_sku(&mut self) -> String {
        loop {
            let number = self.sku_number();
            if !is_left_alone(number) {
                return sku(number);
            }
        }
    }

    fn units(&mut self, most: i64) -> i64 {
        self.random.random_range(1..=most)
    }

    /// A store sells what lies on its shelf, whoever was promised it elsewhere: the sale comes in as what is left less.
    pub async fn sell_at_the_till(&mut self) {
        let (sku, place, units) = (self.exposed_sku(), self.place(), self.units(3));
        let line = json!({ "sku": sku, "location": place, "delta": -units, "reason": "sold at the till" });
        if self.send("till sale", Method::POST, "/v1/stock/adjustments", json!([line])).await.is_some() {
            self.fought.told.add(&sku, &place, "adjustment", -units);
        }
    }

    /// Somebody finds some more.
    pub async fn deliver(&mut self) {
        let (sku, place, units) = (self.sku(), self.place(), self.units(4));
        let line = json!({ "sku": sku, "location": place, "delta": units, "reason": "delivery" });
        if self.send("delivery", Method::POST, "/v1/stock/adjustments", json!([line])).await.is_some() {
            self.fought.told.add(&sku, &place, "adjustment", units);
        }
    }

    /// Breaks something, or sorts what was broken.
    pub async fn damage(&mut self) {
        let (sku, place, units) = (self.exposed_sku(), self.place(), self.units(2));
        let ways = [("shelf", "quarantine"), ("shelf", "scrap"), ("quarantine", "restock"), ("quarantine", "scrap")];
        let (from, to) = ways[self.random.random_range(0..ways.len())];
        let line = json!({ "sku": sku, "location": place, "quantity": units, "from": from, "to": to, "reason": "wet" });
        let done = self.send("damage", Method::POST, "/v1/stock/damage", json!([line])).await;
        if done.is_some() && to == "scrap" {
            self.fought.told.add(&sku, &place, "damage", -units);
        }
    }

    /// Begins a document, or goes on with one.
    pub async fn work_on_papers(&mut self) {
        if self.papers.is_empty() || self.random.random_bool(0.45) {
            match self.random.random_range(0..3) {
                0 => self.expect().await,
                1 => self.request().await,
                _ => self.begin_to_count().await,
            }
            return;
        }
        let index = self.random.random_range(0..self.papers.len());
        match self.papers.swap_remove(index) {
            Paper::Receipt { id, sku, place } => self.take_in(id, sku, place).await,
            paper @ Paper::Transfer { left: false, .. } => self.send_off(paper).await,
            Paper::Transfer { id, sku, to, units, .. } => self.arrive(&id, &sku, &to, units).await,
            Paper::Count { id, sku, place, counted } => self.count(&id, &sku, &place, counted).await,
        }
    }

    /// Goods from a supplier, some of which are there at once.
    async fn expect(&mut self) {
        let (sku, place, units) = (self.sku(), self.place(), self.units(6));
        let there = self.random.random_bool(0.3);
        let body = json!({ "location": place, "received": there, "lines": [{ "sku": sku, "quantity": units }] });
        let Some(id) = self.begun("expect", "/v1/receipts", body).await else { return };
        if there {
            self.fought.told.add(&sku, &place, "receipt", units);
        } else {
            remember(&mut self.papers, Paper::Receipt { id, sku, place });
        }
    }

    /// A lorry comes, with more or less than was expected, or nothing comes any more.
    async fn take_in(&mut self, id: String, sku: String, place: String) {
        if self.random.random_bool(0.3) {
            self.send("close", Method::POST, &format!("/v1/receipts/{id}/close"), json!({})).await;
            return;
        }
        let units = self.units(4);
        let damaged = self.random.random_range(0..=1);
        let body = json!({ "lines": [{ "sku": sku, "received": units, "damaged": damaged }] });
        if self.send("receive", Method::POST, &format!("/v1/receipts/{id}/receive"), body).await.is_some() {
            self.fought.told.add(&sku, &place, "receipt", units);
        }
        remember(&mut self.papers, Paper::Receipt { id, sku, place });
    }

    /// Goods for another store.
    async fn request(&mut self) {
        let (sku, from, to, units) = (self.exposed_sku(), self.place(), self.place(), self.units(5));
        let body = json!({ "from": from, "to": to, "lines": [{ "sku": sku, "quantity": units }] });
        // One in twelve goes to where the goods are, which is refused.
        if let Some(id) = self.begun("request", "/v1/transfers", body).await {
            remember(&mut self.papers, Paper::Transfer { id, sku, from, to, units, left: false });
        }
    }

    /// They leave, or they do not.
    async fn send_off(&mut self, paper: Paper) {
        let Paper::Transfer { id, sku, from, to, units, .. } = paper else { return };
        if self.random.random_bool(0.25) {
            self.send("cancel a transfer", Method::POST, &format!("/v1/transfers/{id}/cancel"), json!({})).await;
            return;
        }
        if self.send("send off", Method::POST, &format!("/v1/transfers/{id}/ship"), json!({})).await.is_some() {
            self.fought.told.add(&sku, &from, "transfer_out", -units);
            remember(&mut self.papers, Paper::Transfer { id, sku, from, to, units, left: true });
        }
    }

    /// They arrive, one less or broken at times.
    async fn arrive(&mut self, id: &str, sku: &str, to: &str, sent: i64) {
        let units = sent - self.random.random_range(0..=1);
        let damaged = self.random.random_range(0..=units.min(1));
        let body = json!({ "lines": [{ "sku": sku, "received": units, "damaged": damaged }] });
        if self.send("arrive", Method::POST, &format!("/v1/transfers/{id}/receive"), body).await.is_some() {
            self.fought.told.add(sku, to, "transfer_in", units);
        }
    }

    /// Begins to count, and finds about what is there: who counts errs, and is not told what the books say.
    async fn begin_to_count(&mut self) {
        let (sku, place) = (self.exposed_sku(), self.place());
        let body = json!({ "location": place, "skus": [sku] });
        let Some(id) = self.begun("begin a count", "/v1/counts", body).await else { return };
        let path = format!("/v1/stock?sku={sku}&location={place}");
        let there = self.send("walk along a shelf", Method::GET, &path, Value::Null).await;
        let there = there.and_then(|page| page["items"][0]["on_hand"].as_i64()).unwrap_or(0);
        let counted = (there + self.random.random_range(-2..=2)).max(0);
        remember(&mut self.papers, Paper::Count { id, sku, place, counted });
    }

    /// Says what was counted: the difference that is posted is in the answer.
    async fn count(&mut self, id: &str, sku: &str, place: &str, counted: i64) {
        if self.random.random_bool(0.1) {
            self.send("cancel a count", Method::POST, &format!("/v1/counts/{id}/cancel"), json!({})).await;
            return;
        }
        let body = json!({ "lines": [{ "sku": sku, "counted": counted }] });
        let path = format!("/v1/counts/{id}/submit");
        let Some(count) = self.send("count", Method::POST, &path, body).await else { return };
        let line = &count["lines"][0];
        let (counted, booked) = (line["counted"].as_i64().expect("counted"), line["booked"].as_i64().expect("booked"));
        self.fought.told.add(sku, place, "count", counted - booked);
    }

    /// The id of a document that was begun.
    async fn begun(&mut self, what: &str, path: &str, body: Value) -> Option<String> {
        let document = self.send(what, Method::POST, path, body).await?;
        Some(document["id"].as_str().expect("a document has an id").to_owned())
    }
}
