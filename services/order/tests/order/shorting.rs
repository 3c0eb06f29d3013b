//! A till has sold what is promised to orders: what nobody has picked is taken back, as much as is owed.

use contracts::events::{FulfilmentRejected, StockOwing, StockShorted};
use kernel::Timestamp;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, code, line, order};

/// Of `A` at `W1` so many units are owed, promised to these orders.
fn shorted(units: i64, promised: &[(&str, i64)]) -> StockShorted {
    let owing = |(order, units): &(&str, i64)| StockOwing {
        order_id: order.parse().unwrap(),
        quantity: (*units).try_into().unwrap(),
    };
    StockShorted {
        sku: code("A"),
        location: code("W1"),
        units: units.try_into().unwrap(),
        promised: promised.iter().map(owing).collect(),
        shorted_at: Timestamp::EPOCH,
    }
}

/// An order of so many of `A`, offered to `W1`.
async fn offered(shop: &Shop, number: &str, units: i64) -> String {
    shop.sourced(number, json!([line(1, "A", units, 1000)]), &[(1, "A", "W1", units)]).await
}

async fn step(shop: &Shop, order: &str, step: &str) {
    let [fulfilment] = shop.fulfilments(order).await.try_into().unwrap();
    let Answer { status, body, .. } = shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
    assert_eq!(status, 200, "{step}: {body}");
}

/// What the first fulfilment order of an order is.
async fn state(shop: &Shop, order: &str) -> String {
    shop.order(order).await["fulfilments"][0]["status"].as_str().unwrap().to_owned()
}

async fn rejected(shop: &Shop) -> Vec<(String, i64)> {
    let all: Vec<FulfilmentRejected> = told(&shop.test.store).await;
    assert!(all.iter().all(|it| it.recalled && it.reason == FulfilmentRejected::SHORTED));
    all.iter().map(|it| (it.order_id.to_string(), it.lines[0].quantity.get())).collect()
}

#[actix_web::test]
async fn as_much_is_taken_back_as_is_owed_the_newest_first() {
    let shop = Shop::new().await;
    let one = offered(&shop, "T-1", 1).await;
    let two = offered(&shop, "T-2", 2).await;
    let three = offered(&shop, "T-3", 1).await;
    let promised = [(three.as_str(), 1), (two.as_str(), 2), (one.as_str(), 1)];
    shop.hear(&shorted(2, &promised)).await;
    assert_eq!(rejected(&shop).await, [(three.clone(), 1), (two.clone(), 2)]);
    let taken = shop.order(&two).await;
    assert_eq!((&taken["status"], &taken["fulfilments"][0]["recalled"]), (&json!("sourcing"), &json!(true)));
    let last = taken["history"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["what"], &last["reason"]),
        (&json!("taken back from its location; order sourcing"), &json!("a till sold A of W1"))
    );
    // The inventory has not heard of it yet and asks again: what is on its way back counts.
    shop.hear(&shorted(2, &promised)).await;
    shop.hear(&shorted(3, &promised)).await;
    assert_eq!(rejected(&shop).await.len(), 2);
    shop.hear(&shorted(4, &promised)).await;
    assert_eq!(rejected(&shop).await.len(), 3);
    shop.hear(&answered(&two, 2, &[(1, "A", "W2", 2)])).await;
    assert_eq!(shop.order(&two).await["status"], "sourced");
}

#[actix_web::test]
async fn what_was_picked_stays_and_what_left_gives_nothing_back() {
    let shop = Shop::new().await;
    let accepted = offered(&shop, "T-1", 1).await;
    step(&shop, &accepted, "accept").await;
    let untouched = offered(&shop, "T-2", 1).await;
    let picked = offered(&shop, "T-3", 1).await;
    let gone = offered(&shop, "T-4", 1).await;
    for id in [&picked, &gone] {
        step(&shop, id, "accept").await;
        step(&shop, id, "pick").await;
    }
    step(&shop, &gone, "ship").await;
    let all = [gone.as_str(), &picked, &untouched, &accepted].map(|id| (id, 1));
    shop.hear(&shorted(1, &all)).await;
    assert_eq!(rejected(&shop).await, [(untouched.clone(), 1)], "before what was accepted");
    shop.hear(&shorted(9, &all)).await;
    assert_eq!(rejected(&shop).await, [(untouched, 1), (accepted, 1)]);
    assert_eq!((state(&shop, &picked).await, state(&shop, &gone).await), ("picked".to_owned(), "shipped".to_owned()));
}

#[actix_web::test]
async fn a_pickup_is_taken_back_last_and_waits_at_its_store() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "W1"});
    let shipped = offered(&shop, "T-0", 1).await;
    let pickup = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&pickup, 1, &[(1, "A", "W1", 1)])).await;
    let both = [(pickup.as_str(), 1), (shipped.as_str(), 1)];
    shop.hear(&shorted(1, &both)).await;
    assert_eq!(rejected(&shop).await, [(shipped.clone(), 1)]);
    shop.hear(&shorted(2, &both)).await;
    assert_eq!(rejected(&shop).await, [(shipped, 1), (pickup.clone(), 1)]);
    assert_eq!(shop.order(&pickup).await["status"], "sourcing");
}

#[actix_web::test]
async fn two_skus_of_one_fulfilment_order_are_short() {
    let shop = Shop::new().await;
    let lines = json!([line(1, "A", 1, 1000), line(2, "B", 1, 1000)]);
    let id = shop.sourced("T-1", lines, &[(1, "A", "W1", 1), (2, "B", "W1", 1)]).await;
    shop.hear(&shorted(1, &[(&id, 1)])).await;
    shop.hear(&StockShorted { sku: code("B"), ..shorted(1, &[(&id, 1)]) }).await;
    let all: Vec<FulfilmentRejected> = told(&shop.test.store).await;
    assert_eq!(all.iter().map(|it| it.lines.len()).collect::<Vec<_>>(), [2], "it moves as a whole, once");
}

#[actix_web::test]
async fn an_order_whose_location_is_not_known_yet_is_asked_for_later() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let known = offered(&shop, "T-0", 1).await;
    let both: [(&str, i64); 2] = [(&id, 1), (&known, 1)];
    shop.hear(&shorted(1, &both)).await;
    assert_eq!(rejected(&shop).await, [(known, 1)]);
    assert_eq!(shop.order(&id).await["fulfilments"], Value::Array(Vec::new()));
}
