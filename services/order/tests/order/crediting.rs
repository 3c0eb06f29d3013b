//! An order is credited to another guide or store after it came: by somebody, or by its channel.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{Credited, OrderChanged, OrderPlaced};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, code, line, order};

async fn patch(shop: &Shop, id: &str, body: Value) -> Answer {
    let request = TestRequest::default().method(Method::PATCH).uri(&format!("/v1/orders/{id}")).set_json(body);
    shop.send(&shop.claims("*"), request).await
}

/// An order that names the guide G1 and the store S1.
fn credited(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = order("T-1", json!([line(1, "A", 2, 1000)]));
    (body["guide"], body["store"]) = (json!("G1"), json!("S1"));
    change(&mut body);
    body
}

async fn found(shop: &Shop, query: &str) -> usize {
    let answer = shop.get(&format!("/v1/orders?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn another_guide_and_store_are_told_found_and_shown() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", credited(|_| {})).await.id();
    shop.run_job("fold_moves").await;
    assert_eq!([found(&shop, "guide=G1").await, found(&shop, "store=S1").await], [1, 1]);
    let changed = patch(&shop, &id, json!({"guide": "G2", "store": "W1", "reason": "served there"})).await;
    assert_eq!((changed.status, &changed.body["guide"], &changed.body["store"]), (200, &json!("G2"), &json!("W1")));
    let removed = patch(&shop, &id, json!({"guide": ""})).await;
    assert_eq!((removed.status, removed.body.get("guide")), (200, None), "{}", removed.body);
    let told: Vec<OrderChanged> = told(&shop.test.store).await;
    let of = |guide: Option<&str>| Some(Credited { guide: guide.map(code), store: Some(code("W1")) });
    assert_eq!(told.iter().map(|it| it.credited.clone()).collect::<Vec<_>>(), [of(Some("G2")), of(None)]);
    assert_eq!(told[0].fields, ["guide", "store"]);
    assert_eq!((&told[0].destination, told[1].version), (&None, removed.body["version"].as_i64().unwrap()));
    // The same again is nothing.
    assert_eq!(patch(&shop, &id, json!({"guide": "", "store": "W1"})).await.body["version"], removed.body["version"]);
    shop.run_job("fold_moves").await;
    for (query, orders) in [("guide=G1", 0), ("guide=G2", 0), ("store=S1", 0), ("store=W1", 1)] {
        assert_eq!(found(&shop, query).await, orders, "{query}");
    }
}

#[actix_web::test]
async fn who_cannot_be_credited_is_named() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", credited(|_| {})).await.id();
    let unknown = patch(&shop, &id, json!({"store": "NOWHERE"})).await;
    assert_eq!((unknown.code(), unknown.fields()), ((422, "unknown_reference"), vec!["store"]), "{}", unknown.body);
    let long = "G".repeat(65);
    let wrong = patch(&shop, &id, json!({"guide": long, "store": long})).await;
    assert_eq!((wrong.code(), wrong.fields()), ((422, "invalid_field"), vec!["guide", "store"]), "{}", wrong.body);
    shop.post(&format!("/v1/orders/{id}/cancel"), json!({})).await;
    assert_eq!(patch(&shop, &id, json!({"guide": "G2"})).await.code(), (409, "state_conflict"));
    assert_eq!(told::<OrderChanged>(&shop.test.store).await, []);
}

#[actix_web::test]
async fn a_completed_order_stays_with_whom_it_is_credited_to() {
    let shop = Shop::with(&[("RETURN_WINDOW_SECONDS", "0")]).await;
    let id = shop.delivered("T-1", json!([line(1, "A", 1, 1000)])).await;
    assert_eq!(patch(&shop, &id, json!({"guide": "G2"})).await.status, 200);
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
    assert_eq!(patch(&shop, &id, json!({"guide": "G1"})).await.code(), (409, "state_conflict"));
    assert_eq!(patch(&shop, &id, json!({"guide": "G2"})).await.status, 200, "that is no change");
}

#[actix_web::test]
async fn a_newer_state_of_the_channel_credits_another() {
    let shop = Shop::new().await;
    let first = credited(|body| body["channel_updated_at"] = json!("2026-11-11T00:10:00+08:00"));
    let id = shop.post("/v1/orders", first).await.id();
    let update = credited(|body| {
        body["channel_updated_at"] = json!("2026-11-11T00:20:00+08:00");
        body["store"] = json!("W2");
        body.as_object_mut().unwrap().remove("guide");
    });
    let updated = shop.post("/v1/orders", update).await;
    assert_eq!((updated.status, updated.id()), (200, id), "{}", updated.body);
    assert_eq!((updated.body.get("guide"), &updated.body["store"]), (None, &json!("W2")));
    let changed: Vec<OrderChanged> = told(&shop.test.store).await;
    assert_eq!(changed[0].credited, Some(Credited { guide: None, store: Some(code("W2")) }));
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!(placed[0].guide, Some(code("G1")), "what was told stays told");
}
