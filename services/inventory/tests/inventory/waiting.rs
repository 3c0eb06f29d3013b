//! What ends the waiting of orders besides stock that arrives, and where they may not go then.

use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::{OrderPlaced, StockBackordered};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::extending_lost::restated;
use crate::support::{Pool, fulfilment_line, id_of, order, pickup, row};

/// Puts a ruleset of one tier in force.
async fn activate(pool: &Pool, tier: Value) {
    let added = pool.service.post("/v1/sourcing/rulesets", json!({"name": "test", "tiers": [tier]})).await;
    assert_eq!(added.status, 201, "{}", added.text);
    activate_version(pool, added.body["version"].as_i64().unwrap()).await;
}

async fn activate_version(pool: &Pool, version: i64) {
    let path = format!("/v1/sourcing/rulesets/{version}/activate");
    let activated = pool.service.post(&path, Value::Null).await;
    assert_eq!(activated.status, 200, "{}", activated.text);
}

async fn serve(pool: &Pool) {
    pool.service.run_job("look_again").await;
    pool.service.run_job("serve_backorders").await;
}

#[actix_web::test]
async fn a_new_day_serves_those_for_whom_every_store_was_full() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 1})).await;
    pool.receive(&[("A", "S1", 9)]).await;
    pool.place(order(&[("A", 1)])).await;
    let second = pool.place(order(&[("A", 1)])).await;
    serve(&pool).await;
    assert_eq!(pool.sourced(second).await, []);
    pool.service.test.clock.advance(Duration::from_secs(24 * 3600));
    serve(&pool).await;
    assert_eq!(pool.sourced(second).await, [(2, vec![row(1, "A", "S1", 1)])]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_larger_capacity_serves_at_once() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 1})).await;
    pool.receive(&[("A", "S1", 9)]).await;
    pool.place(order(&[("A", 1)])).await;
    let second = pool.place(order(&[("A", 1)])).await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 2})).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(second).await, [(2, vec![row(1, "A", "S1", 1)])]);
}

#[actix_web::test]
async fn another_ruleset_serves_at_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 9)]).await;
    activate(&pool, json!({"name": "dealers", "filters": {"kinds": ["dealer"]}, "sort": ["distance"]})).await;
    let waiting = pool.place(order(&[("A", 1)])).await;
    serve(&pool).await;
    assert_eq!(pool.sourced(waiting).await, []);
    activate_version(&pool, 1).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(waiting).await, [(2, vec![row(1, "A", "S1", 1)])]);
}

#[actix_web::test]
async fn what_waits_of_an_order_does_not_go_to_who_rejected_another_part_either() {
    let pool = Pool::new().await;
    let tier = json!({"name": "partial", "sort": ["distance"], "split": {"max_parts": 2, "partial": true}});
    activate(&pool, tier).await;
    pool.receive(&[("A", "S1", 2)]).await;
    let id = pool.place(order(&[("A", 3)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 2)])]);
    pool.receive(&[("A", "S2", 2), ("A", "S1", 5)]).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(1, "A", "S2", 2)]));
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.len(), 2);
    pool.receive(&[("A", "S3", 1)]).await;
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await[2], (3, vec![row(1, "A", "S3", 1)]));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_rejected_pickup_is_offered_to_its_store_again_when_something_arrives_there() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let id = pool.place(pickup(&[("A", 1)], "S2")).await;
    pool.reject(id, "S2", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    // Not at once: the store has just said that it cannot.
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await.len(), 1);
    pool.receive(&[("A", "S2", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await[1], (3, vec![row(1, "A", "S2", 1)]));
}

#[actix_web::test]
async fn a_bundle_that_was_rejected_stays_together() {
    let pool = Pool::new().await;
    let split = json!({"max_parts": 3, "keep_bundles_together": true});
    activate(&pool, json!({"name": "together", "sort": ["distance"], "split": split})).await;
    pool.receive(&[("CUP", "S1", 2), ("POT", "S1", 1), ("CUP", "S2", 2), ("POT", "S3", 1)]).await;
    let id = pool.place(order(&[("SET", 1)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "CUP", "S1", 2), row(1, "POT", "S1", 1)])]);
    pool.reject(id, "S1", vec![fulfilment_line(1, "CUP", 2), fulfilment_line(1, "POT", 1)]).await.unwrap();
    assert_eq!(pool.waits(id).await, [(2, vec![("CUP".to_owned(), 2), ("POT".to_owned(), 1)])]);
    pool.receive(&[("POT", "S2", 1)]).await;
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await[1], (3, vec![row(1, "CUP", "S2", 2), row(1, "POT", "S2", 1)]));
}

#[actix_web::test]
async fn a_hold_where_the_order_cannot_be_fulfilled_is_given_back() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "capabilities": ["pickup"]})).await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let here = json!({"ship_to": null, "pickup_location": "S1"});
    let held = pool.hold(&[("A", 2)], here.clone()).await;
    let id = pool.place(OrderPlaced { reservation_id: Some(id_of(&held)), ..order(&[("A", 2)]) }).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 2)])]);
    assert_eq!(pool.balance("A", "S1").await, (5, 0, 0, 5));
    // Nor where the location has closed since.
    let held = pool.hold(&[("A", 2)], here).await;
    pool.location("S1", json!({"longitude": 1.0, "capabilities": ["pickup"], "status": "inactive"})).await;
    let id = pool.place(OrderPlaced { reservation_id: Some(id_of(&held)), ..pickup(&[("A", 2)], "S1") }).await;
    assert_eq!(pool.sourced(id).await, []);
    assert_eq!(pool.balance("A", "S1").await.1, 0);
    pool.is_proved().await;
}

#[actix_web::test]
async fn however_many_holds_run_out_together_none_of_them_counts() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1_100)]).await;
    let holds = join_all((0..1_100).map(|_| pool.hold(&[("A", 1)], json!({})))).await;
    assert!(holds.iter().all(|it| it.status == 201));
    pool.service.test.clock.advance(Duration::from_secs(600));
    let all = pool.hold(&[("A", 1_100)], json!({"ttl_seconds": 60})).await;
    assert_eq!(all.status, 201, "{}", all.text);
    // Nor do they stand in the way of whoever takes units off the shelf.
    pool.service.test.clock.advance(Duration::from_secs(60));
    let gone = json!([{"sku": "A", "location": "S1", "delta": -1_100, "reason": "sold"}]);
    let adjusted = pool.service.post("/v1/stock/adjustments", gone).await;
    assert_eq!(adjusted.status, 200, "{}", adjusted.text);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_hold_that_changed_since_it_was_read_is_left_alone() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let held = pool.hold(&[("A", 2)], json!({})).await;
    let extend = |version: &'static str| {
        let request = TestRequest::post().uri(&format!("/v1/reservations/{}/extend", id_of(&held)));
        let request = request.insert_header(("If-Match", version)).set_json(json!({"ttl_seconds": 60}));
        let claims = pool.service.credentials.claims("shop", "reservation:write");
        let service = &pool.service;
        async move { service.send_as(&claims, request).await.status }
    };
    assert_eq!(extend("\"7\"").await, 412);
    assert_eq!(extend("\"1\"").await, 200);
}

#[actix_web::test]
async fn who_rejected_is_asked_again_once_more_has_come_there() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.len(), 1, "what is there was not found");
    pool.receive(&[("B", "S1", 5)]).await;
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.len(), 1, "other goods have come");
    pool.receive(&[("A", "S1", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await.last(), Some(&(3, vec![row(1, "A", "S1", 1)])));
    // Rejected once more, it waits for what comes from then on.
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.len(), 2);
    pool.is_proved().await;
}

#[actix_web::test]
async fn who_rejected_is_asked_again_after_a_day() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let id = pool.place(order(&[("A", 1)])).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    pool.service.test.clock.advance(Duration::from_secs(24 * 3600 - 1));
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.len(), 1);
    pool.service.test.clock.advance(Duration::from_secs(1));
    serve(&pool).await;
    assert_eq!(pool.sourced(id).await.last(), Some(&(3, vec![row(1, "A", "S1", 1)])));
}

/// What is missing of the order and what of that nobody could ever give, as told last.
async fn told_of(pool: &Pool, id: kernel::id::OrderId) -> (Vec<String>, Vec<String>) {
    let all: Vec<StockBackordered> = told(&pool.service.test.store).await;
    let it = all.into_iter().rfind(|it| it.order_id == id).unwrap();
    let missing = it.missing.iter().map(|it| it.sku.to_string()).collect();
    let explained = pool.service.get(&format!("/v1/orders/{id}/sourcing")).await.body;
    let unfillable: Vec<String> = it.unfillable.iter().map(ToString::to_string).collect();
    assert_eq!(explained["unfillable"], json!(unfillable));
    (missing, unfillable)
}

fn named(skus: &[&str]) -> Vec<String> {
    skus.iter().map(ToString::to_string).collect()
}

#[actix_web::test]
async fn what_no_location_could_ever_give_is_told_until_one_could() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    // S1 to S3 lie 111, 222 and 334 km away: S1 alone is near enough, and more may come there.
    activate(&pool, json!({"name": "near", "filters": {"max_distance_metres": 200_000}, "split": {"partial": true}}))
        .await;
    let waits = pool.place(order(&[("A", 2), ("SET", 1)])).await;
    assert_eq!(told_of(&pool, waits).await, (named(&["A", "CUP", "POT"]), vec![]));
    // Of A the channel may sell what lies in S2 alone, and S2 is too far away. All that is missing is one of A beyond its share.
    let rule = json!({"channel": "south", "mode": "shared", "locations": ["S2"], "scope": {"sku": "A"}});
    assert_eq!(pool.service.put("/v1/sharing-rules/south", rule).await.status, 201);
    let south = OrderPlaced { channel: crate::support::code("south"), ..order(&[("A", 1), ("CUP", 1)]) };
    let south = pool.place(south).await;
    assert_eq!(told_of(&pool, south).await, (named(&["A"]), named(&["A"])));
    // Without S1 nobody is near.
    pool.location("S1", json!({"longitude": 1.0, "status": "inactive"})).await;
    let placed = order(&[("CUP", 1)]);
    let nobody = pool.place(placed.clone()).await;
    assert_eq!(told_of(&pool, nobody).await, (named(&["CUP"]), named(&["CUP"])));
    // An answer that was lost is told again as it was.
    pool.service.hear(&[restated(&placed, &[(1, "CUP", 1)], &[(1, "CUP", 1)])]).await.unwrap();
    let answers: Vec<StockBackordered> = told(&pool.service.test.store).await;
    let answers: Vec<_> = answers.iter().filter(|it| it.order_id == nobody).collect();
    assert_eq!((answers.len(), answers[1]), (2, answers[0]));
    // S3 hands nothing over, however much lies there; S2 does, however little.
    pool.location("S3", json!({"longitude": 3.0, "capabilities": ["ship"]})).await;
    for (store, unfillable) in [("S3", named(&["B"])), ("S2", vec![])] {
        let id = pool.place(pickup(&[("B", 1)], store)).await;
        assert_eq!(told_of(&pool, id).await, (named(&["B"]), unfillable), "{store}");
    }
    // It takes part again, and gets some: who waited is served.
    pool.location("S1", json!({"longitude": 1.0})).await;
    pool.receive(&[("CUP", "S1", 9)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(nobody).await, [(2, vec![row(1, "CUP", "S1", 1)])]);
    pool.is_proved().await;
}
