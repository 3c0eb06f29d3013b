//! Random documents against a model of the books that is kept by hand: equal after every step, and proved.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::Pool;

const SKUS: [&str; 2] = ["A", "B"];
const PLACES: [&str; 3] = ["S1", "S2", "S3"];

/// `n` chooses among what is open.
#[derive(Clone, Debug)]
enum Step {
    Expect { sku: usize, place: usize, units: i64, there: bool },
    Receive { n: usize, received: i64, damaged: i64 },
    Close { n: usize },
    Request { sku: usize, from: usize, to: usize, units: i64 },
    Ship { n: usize },
    Cancel { n: usize },
    TakeIn { n: usize, received: i64, damaged: i64 },
    Count { place: usize },
    Submit { n: usize, sku: usize, difference: i64 },
    Damage { sku: usize, place: usize, units: i64, kind: usize },
    Adjust { sku: usize, place: usize, delta: i64, safety: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (sku, place, units, n) = (0usize..2, 0usize..3, 1i64..8, 0usize..4);
    let came = (n.clone(), 0i64..9, 0i64..3);
    let step =
        prop_oneof![
            (sku.clone(), place.clone(), units.clone(), any::<bool>())
                .prop_map(|(sku, place, units, there)| Step::Expect { sku, place, units, there }),
            came.clone().prop_map(|(n, received, damaged)| Step::Receive { n, received, damaged }),
            n.clone().prop_map(|n| Step::Close { n }),
            (sku.clone(), place.clone(), place.clone(), units.clone())
                .prop_map(|(sku, from, to, units)| Step::Request { sku, from, to, units }),
            n.clone().prop_map(|n| Step::Ship { n }),
            n.clone().prop_map(|n| Step::Cancel { n }),
            came.prop_map(|(n, received, damaged)| Step::TakeIn { n, received, damaged }),
            place.clone().prop_map(|place| Step::Count { place }),
            (n, sku.clone(), -3i64..4).prop_map(|(n, sku, difference)| Step::Submit { n, sku, difference }),
            (sku.clone(), place.clone(), units, 0usize..4).prop_map(|(sku, place, units, kind)| Step::Damage {
                sku,
                place,
                units,
                kind
            }),
            (sku, place, -4i64..9, 0i64..3).prop_map(|(sku, place, delta, safety)| Step::Adjust {
                sku,
                place,
                delta,
                safety
            }),
        ];
    prop::collection::vec(step, 60..80)
}

/// A balance as the model keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shelf {
    on_hand: i64,
    reserved: i64,
    quarantined: i64,
    incoming: i64,
    safety: i64,
}

impl Shelf {
    fn free(&self) -> i64 {
        self.on_hand - self.reserved - self.quarantined
    }
}

type Key = (usize, usize);

/// A receipt, or a transfer with the place it comes from.
#[derive(Clone, Debug)]
struct Open {
    path: String,
    sku: usize,
    from: Option<usize>,
    to: usize,
    expected: i64,
    received: i64,
    shipped: bool,
}

impl Open {
    fn missing(&self) -> i64 {
        (self.expected - self.received).max(0)
    }
}

/// A count: where, and what each SKU had there when it began, but for what other counts have put right since.
#[derive(Clone, Debug)]
struct Counting {
    path: String,
    place: usize,
    booked: [i64; 2],
}

struct World {
    pool: Pool,
    shelves: BTreeMap<Key, Shelf>,
    receipts: Vec<Open>,
    transfers: Vec<Open>,
    counts: Vec<Counting>,
    refused: usize,
}

impl World {
    fn shelf(&mut self, sku: usize, place: usize) -> &mut Shelf {
        self.shelves.entry((sku, place)).or_default()
    }

    /// Sends a request that the model expects to be done, or to be refused; its answer.
    async fn send(&mut self, path: &str, body: Value, done: bool) -> Value {
        let reply = self.pool.service.post(path, body.clone()).await;
        assert_eq!(reply.status < 300, done, "{path} {body}: {}", reply.text);
        if !done {
            assert_eq!(reply.status, 409, "{path} {body}: {}", reply.text);
            self.refused += 1;
        }
        reply.body
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Expect { sku, place, units, there } => self.expect(sku, place, units, there).await,
            Step::Receive { n, received, damaged } if n < self.receipts.len() => {
                let damaged = damaged.min(received);
                let open = &mut self.receipts[n];
                let before = open.missing();
                open.received += received;
                let (path, sku, to, gone) = (open.path.clone(), open.sku, open.to, before - open.missing());
                self.take_in(sku, to, (received, damaged, gone));
                self.send(&format!("{path}/receive"), came(sku, received, damaged), true).await;
            }
            Step::Close { n } if n < self.receipts.len() => {
                let open = self.receipts.remove(n);
                self.shelf(open.sku, open.to).incoming -= open.missing();
                self.send(&format!("{}/close", open.path), Value::Null, true).await;
            }
            Step::Request { sku, from, to, units } if from != to => self.request((sku, from, to), units).await,
            Step::Ship { n } if n < self.transfers.len() => self.ship(n).await,
            Step::Cancel { n } if n < self.transfers.len() => self.cancel(n).await,
            Step::TakeIn { n, received, damaged } if n < self.transfers.len() && self.transfers[n].shipped => {
                let (open, damaged) = (self.transfers.remove(n), damaged.min(received));
                self.take_in(open.sku, open.to, (received, damaged, open.expected));
                self.send(&format!("{}/receive", open.path), came(open.sku, received, damaged), true).await;
            }
            Step::Count { place } => {
                let booked = [self.shelf(0, place).on_hand, self.shelf(1, place).on_hand];
                let body = json!({"location": PLACES[place], "skus": SKUS});
                let id = self.send("/v1/counts", body, true).await["id"].as_str().unwrap().to_owned();
                self.counts.push(Counting { path: format!("/v1/counts/{id}"), place, booked });
            }
            Step::Submit { n, sku, difference } if n < self.counts.len() => self.submit(n, sku, difference).await,
            Step::Damage { sku, place, units, kind } => self.damage((sku, place), units, kind).await,
            Step::Adjust { sku, place, delta, safety } if delta != 0 => self.adjust((sku, place), delta, safety).await,
            _ => {}
        }
    }

    fn take_in(&mut self, sku: usize, place: usize, (received, damaged, no_longer_expected): (i64, i64, i64)) {
        let shelf = self.shelf(sku, place);
        shelf.on_hand += received;
        shelf.quarantined += damaged;
        shelf.incoming -= no_longer_expected;
    }

    async fn expect(&mut self, sku: usize, place: usize, units: i64, there: bool) {
        let lines = json!([{"sku": SKUS[sku], "quantity": units}]);
        let body = json!({"location": PLACES[place], "received": there, "lines": lines});
        let id = self.send("/v1/receipts", body, true).await["id"].as_str().unwrap().to_owned();
        let received = if there { units } else { 0 };
        self.shelf(sku, place).on_hand += received;
        self.shelf(sku, place).incoming += units - received;
        let path = format!("/v1/receipts/{id}");
        self.receipts.push(Open { path, sku, from: None, to: place, expected: units, received, shipped: true });
    }

    async fn request(&mut self, (sku, from, to): (usize, usize, usize), units: i64) {
        let shelf = self.shelf(sku, from);
        let done = shelf.free() - shelf.safety >= units;
        let lines = json!([{"sku": SKUS[sku], "quantity": units}]);
        let body = json!({"from": PLACES[from], "to": PLACES[to], "lines": lines});
        let reply = self.send("/v1/transfers", body, done).await;
        if done {
            self.shelf(sku, from).reserved += units;
            let path = format!("/v1/transfers/{}", reply["id"].as_str().unwrap());
            let open = Open { path, sku, from: Some(from), to, expected: units, received: 0, shipped: false };
            self.transfers.push(open);
        }
    }

    async fn ship(&mut self, n: usize) {
        let open = self.transfers[n].clone();
        self.send(&format!("{}/ship", open.path), Value::Null, !open.shipped).await;
        if !open.shipped {
            self.transfers[n].shipped = true;
            let shelf = self.shelf(open.sku, open.from.unwrap());
            shelf.on_hand -= open.expected;
            shelf.reserved -= open.expected;
            self.shelf(open.sku, open.to).incoming += open.expected;
        }
    }

    async fn cancel(&mut self, n: usize) {
        let open = self.transfers[n].clone();
        self.send(&format!("{}/cancel", open.path), Value::Null, !open.shipped).await;
        if !open.shipped {
            self.transfers.remove(n);
            self.shelf(open.sku, open.from.unwrap()).reserved -= open.expected;
        }
    }

    async fn submit(&mut self, n: usize, sku: usize, difference: i64) {
        let count = self.counts[n].clone();
        let counted = (count.booked[sku] + difference).max(0);
        let difference = counted - count.booked[sku];
        let done = self.shelf(sku, count.place).free() + difference >= 0;
        let body = json!({"lines": [{"sku": SKUS[sku], "counted": counted}]});
        self.send(&format!("{}/submit", count.path), body, done).await;
        if done {
            self.counts.remove(n);
            self.shelf(sku, count.place).on_hand += difference;
            for other in self.counts.iter_mut().filter(|other| other.place == count.place) {
                other.booked[sku] += difference;
            }
        }
    }

    async fn damage(&mut self, (sku, place): Key, units: i64, kind: usize) {
        let (from, to, on_hand, quarantined) = [
            ("shelf", "quarantine", 0, 1),
            ("shelf", "scrap", -1, 0),
            ("quarantine", "scrap", -1, -1),
            ("quarantine", "restock", 0, -1),
        ][kind];
        let shelf = self.shelf(sku, place);
        let done = if from == "shelf" { shelf.free() >= units } else { shelf.quarantined >= units };
        if done {
            shelf.on_hand += on_hand * units;
            shelf.quarantined += quarantined * units;
        }
        let body = json!([{"sku": SKUS[sku], "location": PLACES[place], "quantity": units, "from": from, "to": to,
            "reason": "torn"}]);
        self.send("/v1/stock/damage", body, done).await;
    }

    async fn adjust(&mut self, (sku, place): Key, delta: i64, safety: i64) {
        let shelf = self.shelf(sku, place);
        let done = shelf.free() + delta >= 0;
        if done {
            shelf.on_hand += delta;
            shelf.safety = safety;
        }
        let body = json!([{"sku": SKUS[sku], "location": PLACES[place], "delta": delta, "safety": safety,
            "reason": "found"}]);
        self.send("/v1/stock/adjustments", body, done).await;
    }

    async fn is_as_the_model_says(&self, step: &Step) {
        let reply = self.pool.service.get("/v1/stock").await;
        let mut shelves: BTreeMap<Key, Shelf> = BTreeMap::new();
        for it in reply.body["items"].as_array().unwrap() {
            let number = |field: &str| it[field].as_i64().unwrap();
            let sku = SKUS.iter().position(|sku| it["sku"] == *sku).unwrap();
            let place = PLACES.iter().position(|place| it["location"] == *place).unwrap();
            let shelf = Shelf {
                on_hand: number("on_hand"),
                reserved: number("reserved"),
                quarantined: number("quarantined"),
                incoming: number("incoming"),
                safety: number("safety"),
            };
            shelves.insert((sku, place), shelf);
        }
        let nothing = |(_, shelf): &(&Key, &Shelf)| **shelf != Shelf::default();
        let ours: Vec<_> = self.shelves.iter().filter(nothing).collect();
        let theirs: Vec<_> = shelves.iter().filter(nothing).collect();
        assert_eq!(ours, theirs, "after {step:?}");
        self.pool.is_proved().await;
    }
}

fn came(sku: usize, received: i64, damaged: i64) -> Value {
    json!({"lines": [{"sku": SKUS[sku], "received": received, "damaged": damaged}]})
}

#[actix_web::test]
async fn documents_in_any_order_leave_the_books_as_a_naive_model_has_them() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..2 {
        let (pool, shelves) = (Pool::new().await, BTreeMap::new());
        let mut world =
            World { pool, shelves, receipts: Vec::new(), transfers: Vec::new(), counts: Vec::new(), refused: 0 };
        for step in steps().new_tree(&mut runner).unwrap().current() {
            world.run(step.clone()).await;
            world.is_as_the_model_says(&step).await;
        }
        assert!(world.refused > 0, "a history in which nothing is refused tries too little");
    }
}
