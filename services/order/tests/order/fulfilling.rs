//! What a location does with its part of an order.

use actix_web::test::TestRequest;
use contracts::Payload;
use contracts::events::{FulfilmentAccepted, FulfilmentDelivered, FulfilmentRejected, FulfilmentShipped};
use serde_json::json;
use testkit::{outbox_events, told};

use crate::support::{Shop, answered, code, line, order};

#[actix_web::test]
async fn from_offered_to_delivered() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let path = |step: &str| format!("/v1/fulfilments/{fulfilment}/{step}");
    for (step, status) in [("accept", "fulfilling"), ("pick", "fulfilling"), ("pack", "fulfilling")] {
        assert_eq!(shop.act(&path(step)).await.status, 200, "{step}");
        assert_eq!(shop.order(&id).await["status"], status, "{step}");
    }
    let parcels =
        json!({"parcels": [{"carrier": "SF", "tracking_no": "SF1", "lines": [{"line_no": 1, "quantity": 2}]}]});
    let shipped = shop.post(&path("ship"), parcels).await;
    assert_eq!((shipped.status, &shipped.body["parcels"][0]["tracking_no"]), (200, &json!("SF1")));
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("shipped"), &json!(2)));
    assert_eq!(shop.act(&path("deliver")).await.status, 200);
    assert_eq!(shop.order(&id).await["status"], "delivered");
    let kinds: Vec<String> = outbox_events(&shop.test.store).await.into_iter().map(|event| event.kind).collect();
    let steps = [FulfilmentAccepted::KIND, FulfilmentShipped::KIND, FulfilmentDelivered::KIND];
    assert_eq!(kinds[2..], steps);
    // There is no way back.
    assert_eq!(shop.act(&path("accept")).await.code(), (409, "state_conflict"));
    assert_eq!(shop.act(&path("ready")).await.code(), (409, "state_conflict"));
}

#[actix_web::test]
async fn every_step_leaves_its_time() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let mut at = std::collections::BTreeMap::new();
    let steps = [("accept", "accepted_at"), ("pack", "packed_at"), ("ship", "shipped_at"), ("deliver", "delivered_at")];
    for (step, field) in steps {
        shop.test.clock.advance(std::time::Duration::from_secs(60));
        let moved = shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
        at.insert(field, moved.body["changed_at"].clone());
    }
    let read = shop.get(&format!("/v1/fulfilments/{fulfilment}")).await;
    for (_, field) in steps {
        assert_eq!(read.body[field], at[field], "{field}");
    }
    assert!(read.body.get("picked_at").is_none(), "it was packed without");
    assert!(at["accepted_at"].as_str() < at["packed_at"].as_str());
}

#[actix_web::test]
async fn parcels_hold_no_more_than_the_fulfilment() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
    let ship = |lines: serde_json::Value| {
        let parcels = json!({"parcels": [{"carrier": "SF", "tracking_no": "1"}, {"carrier": "SF", "tracking_no": "2", "lines": lines}]});
        let (shop, path) = (&shop, format!("/v1/fulfilments/{fulfilment}/ship"));
        async move { shop.post(&path, parcels).await }
    };
    let refused = ship(json!([{"line_no": 1, "quantity": 3}])).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["parcels[1].lines[0]"]));
    assert_eq!(ship(json!([{"line_no": 9, "quantity": 1}])).await.status, 422);
    assert_eq!(shop.order(&id).await["status"], "fulfilling");
}

#[actix_web::test]
async fn a_pickup_is_collected_with_its_code() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "S1", 1)])).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let path = |step: &str| format!("/v1/fulfilments/{fulfilment}/{step}");
    shop.act(&path("accept")).await;
    assert_eq!(shop.act(&path("ship")).await.code(), (409, "state_conflict"));
    let ready = shop.act(&path("ready")).await;
    let secret = ready.body["collect_code"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 6);
    assert_eq!(shop.order(&id).await["fulfilments"][0]["collect_code"], secret);
    let listed = shop.get("/v1/fulfilments?location=S1&status=ready").await;
    assert!(listed.body["items"][0].get("collect_code").is_none(), "the work list does not tell the code");
    let wrong = format!("{:06}", (secret.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert_eq!(shop.post(&path("collect"), json!({"code": wrong})).await.code(), (422, "refused_by_rule"));
    assert_eq!(shop.post(&path("collect"), json!({"code": secret})).await.status, 200);
    assert_eq!(shop.order(&id).await["status"], "delivered");
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await.len(), 1, "the goods left the shelf");
    assert_eq!(told::<FulfilmentDelivered>(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn a_till_sees_and_moves_its_own_location_only() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "S1", 1), (1, "A", "W1", 1)]).await;
    let [at_store, at_warehouse] = shop.fulfilments(&id).await.try_into().unwrap();
    let mut till = shop.claims("fulfilment:*");
    till.locations = Some([code("S1")].into());
    let list = shop.send(&till, TestRequest::get().uri("/v1/fulfilments")).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(list.body["items"][0]["id"], at_store);
    assert_eq!(shop.send(&till, TestRequest::get().uri("/v1/fulfilments?location=W1")).await.status, 403);
    let get = TestRequest::get().uri(&format!("/v1/fulfilments/{at_warehouse}"));
    assert_eq!(shop.send(&till, get).await.status, 403);
    let accept = |id: &str| TestRequest::post().uri(&format!("/v1/fulfilments/{id}/accept"));
    assert_eq!(shop.send(&till, accept(&at_warehouse)).await.status, 403);
    assert_eq!(shop.send(&till, accept(&at_store)).await.status, 200);
    assert_eq!(shop.send(&shop.claims("fulfilment:read"), accept(&at_warehouse)).await.status, 403);
}

#[actix_web::test]
async fn a_stale_version_is_not_overwritten() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let step = |step: &str, version: &str| {
        TestRequest::post()
            .uri(&format!("/v1/fulfilments/{fulfilment}/{step}"))
            .insert_header(("If-Match", version.to_owned()))
    };
    let claims = shop.claims("*");
    let accepted = shop.send(&claims, step("accept", "\"1\"")).await;
    assert_eq!((accepted.status, accepted.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(shop.send(&claims, step("ship", "\"1\"")).await.code(), (412, "precondition_failed"));
    assert_eq!(shop.send(&claims, step("ship", "\"2\"")).await.status, 200);
}

#[actix_web::test]
async fn a_rejection_says_what_needs_another_location() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let path = format!("/v1/fulfilments/{fulfilment}/reject");
    assert_eq!(shop.post(&path, json!({"reason": ""})).await.fields(), ["reason"]);
    assert_eq!(shop.act(&path).await.status, 400, "a rejection says why");
    assert_eq!(shop.post(&path, json!({"reason": "out of stock"})).await.status, 200);
    assert_eq!(shop.order(&id).await["status"], "sourcing");
    let told: Vec<FulfilmentRejected> = told(&shop.test.store).await;
    assert_eq!(
        (told[0].location.as_str(), told[0].lines[0].quantity.get(), told[0].reason.as_str()),
        ("W1", 2, "out of stock")
    );
}
