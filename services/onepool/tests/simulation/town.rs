//! The chain: its services, its shelves, and what happens in it step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::Method;
use contracts::events::{BundleComponent, ChannelChanged, SkuChanged, SkuStatus};
use rand::Rng as _;
use serde_json::{Value, json};
use testkit::{Faults, Reply, World, event};

use crate::channels::Sold;
use crate::tills::Till;

/// Where the services stand in the world.
pub const ORDER: usize = 0;
/// As [`ORDER`].
pub const INVENTORY: usize = 1;

/// The locations, with their longitudes; the last one is a warehouse.
pub const PLACES: [(&str, f64); 4] = [("S1", 121.0), ("S2", 121.5), ("S3", 122.0), ("W1", 118.0)];
/// What is stocked.
pub const STOCKED: [&str; 5] = ["A", "B", "C", "CUP", "POT"];
/// What is sold, with its price in fen; `SET` is two cups and a pot.
pub const SOLD: [(&str, i64); 5] = [("A", 4_900), ("B", 12_900), ("C", 999), ("CUP", 2_000), ("SET", 8_800)];

/// A chain in the middle of its month.
pub struct Town {
    /// Its services.
    pub world: World,
    /// Its orders.
    pub orders: Vec<Sold>,
    /// Its returns, by id.
    pub returns: Vec<String>,
    /// Its tills.
    pub tills: Vec<Till>,
    /// Units that came to and left the shelves other than by orders, returns and tills.
    pub stocked: BTreeMap<String, i64>,
    /// What happened, without ids: the same for the same seed.
    pub diary: Vec<String>,
}

/// Fen.
pub fn fen(amount: i64) -> Value {
    json!({"amount": amount, "currency": "CNY"})
}

/// What one unit is made of.
pub fn parts(sku: &str) -> Vec<(&str, i64)> {
    if sku == "SET" { vec![("CUP", 2), ("POT", 1)] } else { vec![(sku, 1)] }
}

impl Town {
    /// A chain with some stock everywhere.
    pub async fn build(faults: Faults, seed: u64) -> Self {
        let services = [(&order::DESCRIPTOR, &[][..]), (&inventory::DESCRIPTOR, &[][..])];
        let world = World::new(&services, Faults::NONE, seed).await;
        let tills = PLACES[..3].iter().flat_map(|(store, _)| ["T1", "T2"].map(|it| Till::new(store, it))).collect();
        let (orders, returns, stocked, diary) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        let mut town = Self { world, orders, returns, tills, stocked, diary };
        for name in ["web", "pos"] {
            let (channel, currency) = (name.parse().unwrap(), "CNY".parse().unwrap());
            town.tell(&ChannelChanged { channel, name: name.to_owned(), currency, active: true, version: 1 });
        }
        for name in STOCKED.iter().chain(&["SET"]) {
            let part = |(sku, units): (&str, i64)| BundleComponent {
                sku: sku.parse().unwrap(),
                quantity: units.try_into().unwrap(),
            };
            let bundle = if *name == "SET" { parts(name).into_iter().map(part).collect() } else { Vec::new() };
            town.tell(&SkuChanged {
                sku: name.parse().unwrap(),
                name: (*name).to_owned(),
                status: SkuStatus::Active,
                category: None,
                brand: None,
                weight_grams: None,
                bundle,
                version: 1,
            });
        }
        for (name, longitude) in PLACES {
            let kind = if name.starts_with('S') { "store" } else { "warehouse" };
            let mut body = json!({"name": name, "kind": kind, "latitude": 31.2, "longitude": longitude});
            // Two of the stores hand over what others send them.
            if ["S1", "S2"].contains(&name) {
                body["capabilities"] = json!(["ship", "pickup", "return", "ship_to_store"]);
            }
            let reply = town.world.service(INVENTORY).put(&format!("/v1/locations/{name}"), body).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
        }
        town.world.settle().await;
        for sku in STOCKED {
            for (place, _) in PLACES {
                town.stock(sku, place, 12).await;
            }
        }
        town.world.faults = faults;
        town
    }

    fn tell<P: contracts::Payload>(&mut self, payload: &P) {
        let told = event(payload, kernel::Clock::now(&*self.world.clock));
        self.world.tell(&told);
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        self.world.random.random_range(0..end)
    }

    /// A number of units.
    pub fn units(&mut self, most: i64) -> i64 {
        self.world.random.random_range(1..=most)
    }

    /// Asks a service; it answers, whatever it answers.
    pub async fn ask(&mut self, service: usize, method: Method, path: &str, body: Value) -> Reply {
        let reply = self.world.service(service).call(method, path, body).await;
        assert!(reply.status < 500, "{path}: {}", reply.text);
        reply
    }

    /// Notes what happened.
    pub fn note(&mut self, what: String) {
        self.diary.push(what);
    }

    /// Units come to, or leave, a shelf; says whether they did.
    pub async fn stock(&mut self, sku: &str, place: &str, units: i64) -> bool {
        let body = json!([{"sku": sku, "location": place, "delta": units, "reason": "delivered"}]);
        let reply = self.ask(INVENTORY, Method::POST, "/v1/stock/adjustments", body).await;
        self.note(format!("stock {sku} {place} {units}: {}", reply.status));
        let done = reply.status == 200;
        if done {
            *self.stocked.entry(sku.to_owned()).or_default() += units;
        }
        done
    }

    /// One step of so many in a month.
    pub async fn step(&mut self, steps: u64) {
        match self.below(100) {
            0..=11 => self.order().await,
            12..=59 => self.work().await,
            60..=64 => self.ring_up().await,
            65..=67 => self.pay().await,
            68 => self.hold().await,
            69 => self.release().await,
            70..=73 => self.cancel().await,
            74..=77 => self.update().await,
            78..=80 => self.readdress().await,
            81..=84 => self.ask_for_return().await,
            85..=92 => self.handle_return().await,
            93..=94 => self.grow().await,
            _ => {
                let (sku, place) = (STOCKED[self.below(STOCKED.len())], PLACES[self.below(PLACES.len())].0);
                let units = if self.world.happens(20) { -2 } else { self.units(12) };
                self.stock(sku, place, units).await;
            }
        }
        for _ in 0..self.below(6) {
            self.world.deliver().await;
        }
        let minutes = 30 * 24 * 60 / steps.max(1);
        let pause = self.world.random.random_range(0..=2 * minutes.max(1));
        if self.world.happens(30) {
            self.world.pass(Duration::from_secs(pause * 60)).await;
        } else {
            self.world.clock.advance(Duration::from_secs(pause * 60 + 1));
        }
    }

    /// The month is over: nothing new comes, nothing goes wrong any more on purpose, and everybody works off what there is.
    pub async fn close(&mut self) {
        self.send_everything().await;
        for round in 0..40 {
            self.world.settle().await;
            self.world.pass(Duration::from_secs(3_600)).await;
            self.world.settle().await;
            if round == 20 {
                self.cancel_the_rest().await;
            } else if round < 20 {
                for sku in STOCKED {
                    for (place, _) in PLACES {
                        self.stock(sku, place, 5).await;
                    }
                }
            }
            self.clear_up().await;
            let open = self.work_off().await + self.finish_returns().await;
            if open == 0 && round > 20 {
                break;
            }
        }
        self.world.settle().await;
        // The return window of everything passes.
        self.world.pass(Duration::from_secs(9 * 24 * 3_600)).await;
        self.world.settle().await;
    }
}
