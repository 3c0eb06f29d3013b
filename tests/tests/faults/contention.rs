//! Many who want the same thing at the same moment, and channels that say things twice or contradict themselves.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::checks::{everything_is_final, settled};
use system_tests::shop::{NewOrder, Shelf, Shop, places, text};
use system_tests::{Answer, Deployment, Topology};
use tokio::task::JoinSet;

use crate::SETTINGS;
use crate::load::{CHANNEL, open};

/// Who wants the last unit.
const CLIENTS: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn many_want_what_only_one_can_have() {
    let deployment = Deployment::start(Topology::AllInOneOverRabbit, &SETTINGS).await;
    let shop = open(&deployment).await;
    shop.skus(&[("LAST", "rare"), ("HELD", "rare")]).await;
    settled(&deployment).await;
    shop.opening_stock(&[("LAST", "WH-SH", 1), ("HELD", "WH-SH", 1)]).await;
    one_hold_wins(&shop).await;
    one_order_wins(&shop).await;
    the_same_order_is_taken_once(&shop).await;
    a_contradiction_changes_nothing(&shop).await;
    an_answer_is_replayed(&shop).await;
    everything_is_final(&deployment, &shop.api).await;
}

/// The same request from every client at once.
async fn all_at_once(shop: &Shop, path: &'static str, body: impl Fn(usize) -> Value) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for client in 0..CLIENTS {
        let (api, body) = (shop.api.clone(), body(client));
        asking.spawn(async move { api.post(path, &body).await });
    }
    asking.join_all().await
}

/// One of 64 holds is granted; the next one is when that was given back, and one more when the next has run out.
async fn one_hold_wins(shop: &Shop) {
    let (latitude, longitude) = places::SHANGHAI;
    let hold = |buyer: usize, seconds: i64| {
        json!({ "channel": CHANNEL, "buyer": format!("buyer-{buyer}"), "ttl_seconds": seconds,
            "lines": [{ "sku": "HELD", "quantity": 1 }],
            "ship_to": { "country": "CN", "latitude": latitude, "longitude": longitude } })
    };
    let answers = all_at_once(shop, "/v1/reservations", |client| hold(client, 600)).await;
    let (granted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(granted.len(), 1, "exactly one hold is granted");
    for answer in refused {
        answer.problem(409, "insufficient_stock");
    }
    let path = |hold: &Value| format!("/v1/reservations/{}", text(&hold["id"]));
    shop.api.delete(&path(&granted[0].body)).await.ok();
    let short = shop.api.post("/v1/reservations", &hold(1, 1)).await.status(201);
    shop.api.get_until(&path(&short), "the hold has run out", |hold| hold["state"] == "expired").await;
    let next = shop.api.post("/v1/reservations", &hold(2, 600)).await.status(201);
    shop.api.delete(&path(&next)).await.ok();
    shop.shelf_once("HELD", "WH-SH", Shelf::of(1, 0)).await;
}

/// 64 orders for the last unit are all taken; one is sourced, the others wait, and say so.
async fn one_order_wins(shop: &Shop) {
    let order =
        |client: usize| NewOrder::new(CHANNEL, &format!("LAST-{client}"), places::SHANGHAI).line("LAST", 1, 100);
    let answers = all_at_once(shop, "/v1/orders", |client| order(client).body().clone()).await;
    let orders: Vec<String> = answers.into_iter().map(|answer| text(&answer.status(201)["id"])).collect();
    let (mut sourced, mut waiting) = (Vec::new(), Vec::new());
    for order in orders {
        let path = format!("/v1/orders/{order}");
        let decided = |order: &Value| ["sourced", "backordered"].iter().any(|status| order["status"] == *status);
        let found = shop.api.get_until(&path, "it is sourced or waits", decided).await;
        if found["status"] == "sourced" { sourced.push(order) } else { waiting.push(order) }
    }
    assert_eq!((sourced.len(), waiting.len()), (1, CLIENTS - 1));
    assert_eq!(shop.shelf("LAST", "WH-SH").await, Shelf::of(1, 1));
    for order in waiting {
        shop.api.post(&format!("/v1/orders/{order}/cancel"), &json!({ "reason": "sold out" })).await.ok();
    }
    shop.see_through(&sourced[0]).await;
    shop.shelf_once("LAST", "WH-SH", Shelf::of(0, 0)).await;
}

async fn the_same_order_is_taken_once(shop: &Shop) {
    let order = NewOrder::new(CHANNEL, "TWICE", places::SHANGHAI).line("RED", 1, 100);
    let answers = all_at_once(shop, "/v1/orders", |_| order.body().clone()).await;
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(new, 1, "one answer says that it is new");
    let ids: HashSet<String> = answers.into_iter().map(|answer| text(&answer.ok()["id"])).collect();
    assert_eq!(ids.len(), 1, "every answer names the same order");
    for id in ids {
        shop.see_through(&id).await;
    }
}

async fn a_contradiction_changes_nothing(shop: &Shop) {
    let order = NewOrder::new(CHANNEL, "TWO-FACED", places::SHANGHAI).line("RED", 1, 100);
    let id = shop.place(&order).await;
    let other = NewOrder::new(CHANNEL, "TWO-FACED", places::SHANGHAI).line("RED", 2, 100);
    shop.api.post("/v1/orders", other.body()).await.problem(409, "contradiction");
    let kept = shop.order(&id).await;
    assert_eq!(kept["lines"][0]["quantity"], 1);
    shop.see_through(&id).await;
}

/// A key names one request: its answer is given again, and another request with it is refused.
async fn an_answer_is_replayed(shop: &Shop) {
    let adjust = |delta: i64| json!([{ "sku": "RED", "location": "WH-SH", "delta": delta, "reason": "found" }]);
    let key = [("idempotency-key", "found-one")];
    let before = shop.shelf("RED", "WH-SH").await;
    for _ in 0..3 {
        shop.api.send(Method::POST, "/v1/stock/adjustments", &adjust(1), &key).await.ok();
    }
    let refused = shop.api.send(Method::POST, "/v1/stock/adjustments", &adjust(2), &key).await;
    refused.problem(409, "idempotency_key_reused");
    assert_eq!(shop.shelf("RED", "WH-SH").await.on_hand, before.on_hand + 1);
}
