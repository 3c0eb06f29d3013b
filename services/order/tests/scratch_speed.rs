//! Scratch.
#![allow(clippy::all, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::float_arithmetic, clippy::as_conversions, missing_docs)]
use std::time::Instant;
use order::app::{place_orders::*, references::*, source_orders, identify_buyers::identify_buyers};
use order::domain::{form::OrderForm, intake};
use contracts::events::*;
use contracts::Cause;
use kernel::id::*;
use testkit::TestStore;

#[actix_web::test]
async fn speed() {
    let test = TestStore::new("order", order::DESCRIPTOR.migrations).await;
    let skus: Vec<SkuChanged> = (0..1000).map(|n| SkuChanged { sku: format!("SKU-{n}").parse().unwrap(), name: "x".into(), status: SkuStatus::Active, category: Some("tea".into()), brand: None, weight_grams: None, bundle: vec![], version: 1 }).collect();
    test.store.transact("seed", move |tx| {
        order::store::references::put_skus(tx, &skus)?;
        order::store::references::put_channels(tx, &[ChannelChanged { channel: "tmall".parse().unwrap(), name: "t".into(), currency: "CNY".parse().unwrap(), active: true, version: 1 }])
    }).await.unwrap();
    let refs = References::new(test.store.clone());
    let now = test.store.now();
    let total = 20_000usize;
    let bodies: Vec<String> = (0..total).map(|n| format!(r#"{{"channel":"tmall","channel_order_no":"N-{n}","placed_at":"2026-11-11T00:00:00+08:00","currency":"CNY","buyer":{{"identities":[{{"type":"phone","value":"+86138{n:08}"}}],"name":"Wang"}},"fulfilment":{{"type":"ship","ship_to":{{"name":"Wang","phone":"1380000","country":"CN","province":"Shanghai","city":"Shanghai","district":"Pudong","street":"x 1","latitude":31.2,"longitude":121.4}}}},"lines":[{{"line_no":1,"sku":"SKU-{}","quantity":1,"unit_price":{{"amount":1000,"currency":"CNY"}}}},{{"line_no":2,"sku":"SKU-{}","quantity":2,"unit_price":{{"amount":2000,"currency":"CNY"}}}}],"freight":{{"amount":1000,"currency":"CNY"}}}}"#, n % 1000, (n + 1) % 1000)).collect();
    let t = Instant::now();
    let mut places = Vec::new();
    for body in &bodies {
        let form: OrderForm = serde_json::from_str(body).unwrap();
        let priced = intake::check(&form).unwrap();
        let mut needs = Needs::default();
        needs.add_order(&form);
        let known = refs.find(&needs).await.unwrap();
        let origin = Origin { client: "oms".into(), cause: Cause::default(), key: None };
        places.push(Place::new(form, &priced, &known, origin, now).unwrap().0);
    }
    println!("prepare: {:?} each", t.elapsed() / total as u32);
    let ids: Vec<OrderId> = places.iter().map(|p| p.order.id()).collect();
    for size in [64usize, 256] {
        let half: Vec<Place> = places.drain(..total / 2).collect();
        let t = Instant::now();
        for chunk in half.chunks(size) {
            let chunk = chunk.to_vec();
            test.store.transact("place", move |tx| place_orders(tx, &chunk).map(drop)).await.unwrap();
        }
        println!("place, batches of {size}: {:?} each", t.elapsed() / (total / 2) as u32);
    }
    let answers: Vec<(StockSourced, Cause)> = ids.iter().map(|id| (StockSourced { order_id: *id, decision_id: DecisionId::at(now), attempt: 1, sourced_at: now, allocations: vec![
        Allocation { line_no: 1, sku: "SKU-1".parse().unwrap(), location: "W1".parse().unwrap(), quantity: 1.try_into().unwrap() },
        Allocation { line_no: 2, sku: "SKU-2".parse().unwrap(), location: "W1".parse().unwrap(), quantity: 2.try_into().unwrap() }] }, Cause::default())).collect();
    let t = Instant::now();
    for chunk in answers.chunks(256) {
        let chunk = chunk.to_vec();
        test.store.transact("sourced", move |tx| source_orders::sourced(tx, &chunk, 1).map_err(|e| match e { source_orders::Refusal::Store(e) => e, _ => panic!() })).await.unwrap();
    }
    println!("sourced: {:?} each", t.elapsed() / total as u32);
    let t = Instant::now();
    for chunk in ids.chunks(256) {
        let chunk: Vec<BuyerIdentified> = chunk.iter().map(|id| BuyerIdentified { order_id: *id, member_id: Some(MemberId::at(now)), tier: None }).collect();
        test.store.transact("members", move |tx| identify_buyers(tx, &chunk)).await.unwrap();
    }
    println!("members: {:?} each", t.elapsed() / total as u32);
    println!("hot updates: {} of {}", test.database.number("SELECT n_tup_hot_upd AS number FROM pg_stat_user_tables WHERE relname='orders'"), test.database.number("SELECT n_tup_upd AS number FROM pg_stat_user_tables WHERE relname='orders'"));
}
