//! Random histories of channels that share by rules, held against a naive model after every step: what each channel may
//! sell is added up again from nothing, and a request is granted exactly when the model says that it can be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::http::Method;
use contracts::events::OrderPlaced;
use kernel::id::OrderId;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Pool, code, fulfilment_line, order};

const SKUS: [&str; 2] = ["A", "B"];
const PLACES: [&str; 3] = ["S1", "S2", "S3"];
const CHANNELS: [&str; 4] = ["tmall", "live", "club", "flash"];

#[derive(Clone, Copy, Debug)]
enum Mode {
    Shared,
    Percentage(i64),
    Quota(i64),
    Exclusive(i64),
    Excluded,
}

/// A rule of a channel for everything: its mode, its buffer, from where it may sell, and the number of its count.
#[derive(Clone, Debug)]
struct Rule {
    mode: Mode,
    buffer: i64,
    places: BTreeSet<usize>,
    count: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Receive(usize, usize, i64),
    Hold(usize, usize, i64, u64),
    GiveBack(usize),
    Order(usize, Vec<(usize, i64)>),
    Ship(usize),
    Reject(usize),
    Cancel(usize),
    Rule(usize, Mode, i64, BTreeSet<usize>),
    NoRule(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mode = prop_oneof![
        Just(Mode::Shared),
        (0i64..=100).prop_map(Mode::Percentage),
        (0i64..12).prop_map(Mode::Quota),
        (1i64..8).prop_map(Mode::Exclusive),
        Just(Mode::Excluded),
    ];
    let places = prop::collection::btree_set(0usize..3, 1..4);
    let step = prop_oneof![
        4 => (0usize..2, 0usize..3, 1i64..9).prop_map(|(sku, place, units)| Step::Receive(sku, place, units)),
        4 => (0usize..4, 0usize..2, 1i64..5, 1u64..60).prop_map(|(who, sku, units, ttl)| Step::Hold(who, sku, units, ttl)),
        1 => (0usize..20).prop_map(Step::GiveBack),
        4 => (0usize..4, prop::collection::vec((0usize..2, 1i64..4), 1..3)).prop_map(|(who, lines)| Step::Order(who, lines)),
        2 => (0usize..20).prop_map(Step::Ship),
        1 => (0usize..20).prop_map(Step::Reject),
        1 => (0usize..20).prop_map(Step::Cancel),
        2 => (0usize..4, mode, 0i64..4, places).prop_map(|(who, mode, buffer, at)| Step::Rule(who, mode, buffer, at)),
        1 => (0usize..4).prop_map(Step::NoRule),
        1 => (1u64..40).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 30..45)
}

/// Units promised to somebody.
#[derive(Clone, Debug)]
struct Promise {
    owner: String,
    sku: usize,
    place: usize,
    units: i64,
    count: Option<usize>,
    until: Option<u64>,
}

#[derive(Debug, Default)]
struct Model {
    on_hand: BTreeMap<(usize, usize), i64>,
    promises: Vec<Promise>,
    rules: BTreeMap<usize, Rule>,
    /// Units shipped by count and SKU.
    shipped: BTreeMap<(usize, usize), i64>,
    counts: usize,
    now: u64,
    orders: Vec<(OrderId, usize)>,
    holds: Vec<String>,
}

impl Model {
    fn lapse(&mut self) {
        self.promises.retain(|it| it.until.is_none_or(|until| until > self.now));
    }

    fn free(&self, sku: usize, place: usize) -> i64 {
        let promised: i64 =
            self.promises.iter().filter(|it| (it.sku, it.place) == (sku, place)).map(|it| it.units).sum();
        self.on_hand.get(&(sku, place)).copied().unwrap_or(0) - promised
    }

    fn used(&self, count: usize, sku: usize) -> i64 {
        let promised = self.promises.iter().filter(|it| it.count == Some(count) && it.sku == sku);
        promised.map(|it| it.units).sum::<i64>() + self.shipped.get(&(count, sku)).copied().unwrap_or(0)
    }

    fn counted(&self, channel: usize) -> Option<usize> {
        self.rules.get(&channel).filter(|it| matches!(it.mode, Mode::Quota(_) | Mode::Exclusive(_))).map(|it| it.count)
    }

    fn may_sell(&self, channel: usize, sku: usize) -> i64 {
        let everywhere: BTreeSet<usize> = (0..PLACES.len()).collect();
        let rule = self.rules.get(&channel);
        let reach = rule.map_or(&everywhere, |rule| &rule.places);
        let total: i64 = (0..PLACES.len()).map(|place| self.free(sku, place)).sum();
        let there: i64 = reach.iter().map(|place| self.free(sku, *place)).sum();
        // Ring-fences lie anywhere here, so that only their sum counts.
        let kept: i64 = self
            .rules
            .iter()
            .filter(|(other, _)| **other != channel)
            .map(|(_, rule)| match rule.mode {
                Mode::Exclusive(units) => (units - self.used(rule.count, sku)).max(0),
                _ => 0,
            })
            .sum();
        let open = there.min(total - kept).max(0);
        let left = |units: i64| (units - self.used(rule.map_or(0, |it| it.count), sku)).max(0);
        let may = match rule.map_or(Mode::Shared, |it| it.mode) {
            Mode::Shared => open,
            Mode::Percentage(percent) => open * percent / 100,
            Mode::Quota(units) => open.min(left(units)),
            Mode::Exclusive(units) => there.min(left(units)),
            Mode::Excluded => 0,
        };
        (may - rule.map_or(0, |it| it.buffer)).max(0)
    }

    fn promise(&mut self, owner: &str, channel: usize, lines: &Value, until: Option<u64>) {
        for line in lines.as_array().unwrap() {
            let at = |names: &[&str], field: &str| names.iter().position(|name| line[field] == *name).unwrap();
            self.promises.push(Promise {
                owner: owner.to_owned(),
                sku: at(&SKUS, "sku"),
                place: at(&PLACES, "location"),
                units: line["quantity"].as_i64().unwrap(),
                count: self.counted(channel),
                until,
            });
        }
    }
}

async fn run(pool: &Pool, model: &mut Model, step: Step) {
    match step {
        Step::Receive(sku, place, units) => {
            pool.receive(&[(SKUS[sku], PLACES[place], units)]).await;
            *model.on_hand.entry((sku, place)).or_default() += units;
        }
        Step::Hold(channel, sku, units, ttl) => {
            let granted = model.may_sell(channel, sku) >= units;
            let fields = json!({"channel": CHANNELS[channel], "ttl_seconds": ttl});
            let reply = pool.hold(&[(SKUS[sku], units)], fields).await;
            assert_eq!(reply.status, if granted { 201 } else { 409 }, "{}", reply.text);
            if granted {
                let id = reply.body["id"].as_str().unwrap().to_owned();
                model.promise(&id, channel, &reply.body["lines"], Some(model.now + ttl));
                model.holds.push(id);
            }
        }
        Step::GiveBack(n) if n < model.holds.len() => {
            let id = model.holds[n].clone();
            let reply = pool.service.call(Method::DELETE, &format!("/v1/reservations/{id}"), Value::Null).await;
            assert!([200, 409].contains(&reply.status), "{}", reply.text);
            model.promises.retain(|it| it.owner != id);
        }
        Step::Order(channel, lines) => place(pool, model, channel, &lines).await,
        Step::Ship(n) if n < model.orders.len() => send(pool, model, n, true).await,
        Step::Reject(n) if n < model.orders.len() => send(pool, model, n, false).await,
        Step::Cancel(n) if n < model.orders.len() => give_up(pool, model, model.orders[n].0).await,
        Step::Rule(channel, mode, buffer, places) => set_rule(pool, model, channel, (mode, buffer, places)).await,
        Step::NoRule(channel) if model.rules.remove(&channel).is_some() => {
            let path = format!("/v1/sharing-rules/{}", CHANNELS[channel]);
            assert_eq!(pool.service.call(Method::DELETE, &path, Value::Null).await.status, 204);
        }
        Step::Wait(seconds) => {
            pool.service.test.clock.advance(Duration::from_secs(seconds));
            model.now += seconds;
            model.lapse();
        }
        Step::GiveBack(_) | Step::Ship(_) | Step::Reject(_) | Step::Cancel(_) | Step::NoRule(_) => {}
    }
}

/// What an order has at its first place ships, or is rejected there.
async fn send(pool: &Pool, model: &mut Model, n: usize, ships: bool) {
    let (id, channel) = model.orders[n];
    let owner = id.to_string();
    let Some(first) = model.promises.iter().find(|it| it.owner == owner).cloned() else { return };
    let here = |it: &Promise| (&it.owner, it.sku, it.place) == (&owner, first.sku, first.place);
    let all: Vec<Promise> = model.promises.extract_if(.., |it| here(it)).collect();
    let units = all.iter().map(|it| it.units).sum();
    // An order of the model has a line per SKU, with its number.
    let line_no = i32::try_from(first.sku).unwrap() + 1;
    let line = vec![fulfilment_line(line_no, SKUS[first.sku], units)];
    if ships {
        pool.ship(id, PLACES[first.place], line).await.unwrap();
        *model.on_hand.entry((first.sku, first.place)).or_default() -= units;
        for it in all {
            if let Some(count) = it.count {
                *model.shipped.entry((count, it.sku)).or_default() += it.units;
            }
        }
    } else {
        let before = pool.sourced(id).await.len();
        pool.reject(id, PLACES[first.place], line).await.unwrap();
        let told = pool.sourced(id).await;
        if told.len() > before {
            let (_, rows) = told.last().unwrap().clone();
            let lines: Vec<Value> = rows
                .iter()
                .map(|(_, sku, location, units)| json!({"sku": sku, "location": location, "quantity": units}))
                .collect();
            model.promise(&owner, channel, &json!(lines), None);
        } else {
            give_up(pool, model, id).await;
        }
    }
}

async fn place(pool: &Pool, model: &mut Model, channel: usize, lines: &[(usize, i64)]) {
    let mut needs: BTreeMap<usize, i64> = BTreeMap::new();
    for (sku, units) in lines {
        *needs.entry(*sku).or_default() += units;
    }
    let granted = needs.iter().all(|(sku, units)| model.may_sell(channel, *sku) >= *units);
    let mut placed = order(&needs.iter().map(|(sku, units)| (SKUS[*sku], *units)).collect::<Vec<_>>());
    for (line, sku) in placed.lines.iter_mut().zip(needs.keys()) {
        line.line_no = i32::try_from(*sku).unwrap() + 1;
    }
    let id = pool.place(OrderPlaced { channel: code(CHANNELS[channel]), ..placed }).await;
    let sourced = pool.sourced(id).await;
    assert_eq!(!sourced.is_empty(), granted, "{needs:?} of {}", CHANNELS[channel]);
    model.orders.push((id, channel));
    match sourced.first() {
        Some((_, rows)) => {
            let lines: Vec<Value> = rows
                .iter()
                .map(|(_, sku, location, units)| json!({"sku": sku, "location": location, "quantity": units}))
                .collect();
            model.promise(&id.to_string(), channel, &json!(lines), None);
        }
        // The model knows no queue.
        None => give_up(pool, model, id).await,
    }
}

async fn give_up(pool: &Pool, model: &mut Model, id: OrderId) {
    pool.cancel(id, &[], &[]).await.unwrap();
    model.promises.retain(|it| it.owner != id.to_string());
}

async fn set_rule(pool: &Pool, model: &mut Model, channel: usize, wanted: (Mode, i64, BTreeSet<usize>)) {
    let (mode, buffer, places) = wanted;
    let (name, value) = match mode {
        Mode::Shared => ("shared", None),
        Mode::Percentage(value) => ("percentage", Some(value)),
        Mode::Quota(value) => ("quota", Some(value)),
        Mode::Exclusive(value) => ("exclusive", Some(value)),
        Mode::Excluded => ("excluded", None),
    };
    let exclusive = matches!(mode, Mode::Exclusive(_));
    let places = if exclusive { (0..PLACES.len()).collect() } else { places };
    let mut body = json!({"channel": CHANNELS[channel], "mode": name, "value": value, "buffer": buffer});
    if !exclusive {
        body["locations"] = places.iter().map(|place| PLACES[*place]).collect();
    }
    let reply = pool.service.put(&format!("/v1/sharing-rules/{}", CHANNELS[channel]), body).await;
    assert!(reply.status < 300, "{}", reply.text);
    let same = model.rules.get(&channel).filter(|it| std::mem::discriminant(&it.mode) == std::mem::discriminant(&mode));
    let count = same.map_or(model.counts + 1, |it| it.count);
    model.counts = model.counts.max(count);
    model.rules.insert(channel, Rule { mode, buffer, places, count });
}

#[actix_web::test]
async fn the_service_agrees_with_a_naive_model_after_every_step() {
    let mut runner = TestRunner::deterministic();
    // The last time the service remembers the balances of one SKU alone.
    for remembered in ["1000", "1000", "1000", "3"] {
        let pool = Pool::with(&[("INVENTORY__MAX_BALANCES_IN_MEMORY", remembered)]).await;
        let mut model = Model::default();
        for step in steps().new_tree(&mut runner).unwrap().current() {
            let said = format!("{step:?}");
            run(&pool, &mut model, step).await;
            for (channel, name) in CHANNELS.iter().enumerate() {
                for (sku, sku_name) in SKUS.iter().enumerate() {
                    let path = format!("/v1/availability/{sku_name}/waterfall?channel={name}");
                    let body = pool.service.get(&path).await.body;
                    assert_eq!(
                        body["available"],
                        model.may_sell(channel, sku),
                        "{sku_name} for {name} after {said}: {body}"
                    );
                }
            }
            for (sku, sku_name) in SKUS.iter().enumerate() {
                for (place, place_name) in PLACES.iter().enumerate() {
                    let Some(on_hand) = model.on_hand.get(&(sku, place)) else { continue };
                    let (is, reserved, _, _) = pool.balance(sku_name, place_name).await;
                    assert_eq!(
                        (is, is - reserved),
                        (*on_hand, model.free(sku, place)),
                        "{sku_name} at {place_name} after {said}"
                    );
                }
            }
        }
        pool.is_proved().await;
    }
}
