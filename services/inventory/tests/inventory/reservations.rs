//! Holds: granted, claimed, extended, released, expired.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{OrderPlaced, ReservationExpired};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Pool, fulfilment_line, id_of, order, pickup, row};

#[actix_web::test]
async fn a_hold_lies_where_an_order_would_ship_from() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 5)]).await;
    let reply = pool.hold(&[("A", 2)], json!({})).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.body["lines"], json!([{"line_no": 1, "sku": "A", "location": "S2", "quantity": 2}]));
    assert_eq!(reply.body["expires_at"], "2026-11-10T16:10:00Z");
    assert_eq!(pool.balance("A", "S2").await, (5, 2, 0, 3));
    let read = pool.service.get(&format!("/v1/reservations/{}", id_of(&reply))).await;
    assert_eq!(read.body, reply.body);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_the_pool_lacks_is_refused_and_leaves_nothing_behind() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("B", "S1", 5)]).await;
    let reply = pool.hold(&[("B", 1), ("A", 1), ("A", 1)], json!({})).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    assert_eq!(reply.body["errors"][0]["detail"], "1 units of A are missing");
    assert_eq!(pool.balance("B", "S1").await, (5, 0, 0, 5));
    // At another store there is enough, but it is collected here.
    pool.receive(&[("A", "S2", 9)]).await;
    let here = json!({"ship_to": null, "pickup_location": "S1"});
    assert_eq!(pool.hold(&[("A", 2)], here).await.status, 409);
}

#[actix_web::test]
async fn an_order_takes_over_the_hold_it_names() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 5)]).await;
    let held = pool.hold(&[("A", 2)], json!({})).await;
    // Meanwhile a nearer store could have it; the hold stays where it is.
    pool.receive(&[("A", "S1", 5)]).await;
    let placed = OrderPlaced { reservation_id: Some(id_of(&held)), ..order(&[("A", 1), ("A", 1)]) };
    let id = pool.place(placed).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 1), row(2, "A", "S2", 1)])]);
    assert_eq!(pool.balance("A", "S2").await, (5, 2, 0, 3));
    let read = pool.service.get(&format!("/v1/reservations/{}", id_of(&held))).await;
    assert_eq!((read.body["state"].as_str(), read.body["order_id"].clone()), (Some("claimed"), json!(id)));
    // It is the order's now: it neither expires nor can it be released.
    pool.service.test.clock.advance(Duration::from_secs(3600));
    pool.service.run_job("sweep_reservations").await;
    let released = pool.service.call(Method::DELETE, &format!("/v1/reservations/{}", id_of(&held)), Value::Null).await;
    assert_eq!(released.status, 409);
    assert_eq!(pool.balance("A", "S2").await, (5, 2, 0, 3));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_hold_that_does_not_fit_is_given_back_and_the_order_planned() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 3)]).await;
    let held = pool.hold(&[("A", 3)], json!({})).await;
    let placed = OrderPlaced { reservation_id: Some(id_of(&held)), ..pickup(&[("A", 3)], "S2") };
    let id = pool.place(placed).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S2", 3)])]);
    assert_eq!(pool.balance("A", "S1").await, (3, 0, 0, 3));
    // Only one order gets a hold; the second that names it is planned.
    let held = pool.hold(&[("A", 1)], json!({})).await;
    let twice = [order(&[("A", 1)]), order(&[("A", 1)])]
        .map(|order| OrderPlaced { reservation_id: Some(id_of(&held)), ..order });
    pool.service.hear(&twice).await.unwrap();
    assert_eq!(pool.balance("A", "S1").await, (3, 2, 0, 1));
    pool.is_proved().await;
}

#[actix_web::test]
async fn an_expired_hold_stops_counting_at_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let held = pool.hold(&[("A", 2)], json!({"ttl_seconds": 5})).await;
    assert_eq!(pool.hold(&[("A", 1)], json!({})).await.status, 409);
    pool.service.test.clock.advance(Duration::from_secs(5));
    // No job has run, and both readers and other buyers see the units as free.
    assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    let read = pool.service.get(&format!("/v1/reservations/{}", id_of(&held))).await;
    assert_eq!(read.body["state"], "expired");
    assert_eq!(pool.hold(&[("A", 2)], json!({})).await.status, 201);
    let told = told::<ReservationExpired>(&pool.service.test.store).await;
    assert_eq!(told.iter().map(|it| it.reservation_id).collect::<Vec<_>>(), [id_of(&held)]);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_late_order_with_an_expired_hold_is_planned_like_any_other() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let held = pool.hold(&[("A", 2)], json!({"ttl_seconds": 5})).await;
    pool.service.test.clock.advance(Duration::from_secs(6));
    let id = pool.place(OrderPlaced { reservation_id: Some(id_of(&held)), ..order(&[("A", 1)]) }).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 1)])]);
    assert_eq!(pool.balance("A", "S1").await, (2, 1, 0, 1));
}

#[actix_web::test]
async fn a_hold_is_extended_and_released() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2)]).await;
    let held = pool.hold(&[("A", 2)], json!({"ttl_seconds": 5})).await;
    let path = format!("/v1/reservations/{}", id_of(&held));
    let extended = pool.service.post(&format!("{path}/extend"), json!({"ttl_seconds": 60})).await;
    assert_eq!((extended.status, extended.body["expires_at"].as_str()), (200, Some("2026-11-10T16:01:00Z")));
    pool.service.test.clock.advance(Duration::from_secs(59));
    pool.service.run_job("sweep_reservations").await;
    assert_eq!(pool.balance("A", "S1").await, (2, 2, 0, 0));
    let released = pool.service.call(Method::DELETE, &path, Value::Null).await;
    assert_eq!((released.status, released.body["state"].as_str()), (200, Some("released")));
    assert_eq!(pool.balance("A", "S1").await, (2, 0, 0, 2));
    assert_eq!(pool.service.post(&format!("{path}/extend"), json!({"ttl_seconds": 60})).await.status, 409);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_buyer_cannot_hold_the_whole_catalogue() {
    let pool = Pool::with(&[("INVENTORY__MAX_HELD_UNITS_PER_BUYER", "3")]).await;
    pool.receive(&[("A", "S1", 9)]).await;
    let greedy = |units: i64| pool_hold(&pool, units, "greedy");
    assert_eq!(greedy(2).await, 201);
    assert_eq!(greedy(2).await, 422);
    assert_eq!(greedy(1).await, 201);
    assert_eq!(pool_hold(&pool, 3, "modest").await, 201);
}

/// Buyers whose holds are granted in one transaction are each counted by what they hold themselves, also in it.
#[actix_web::test]
async fn each_buyer_of_a_batch_is_held_to_their_own_cap() {
    let pool = Pool::with(&[("INVENTORY__MAX_HELD_UNITS_PER_BUYER", "4")]).await;
    pool.receive(&[("A", "S1", 99)]).await;
    // Not in the order of their names, so that an amount that went to the wrong buyer would show.
    for (buyer, units) in [("d", 1), ("a", 4), ("c", 2), ("b", 3)] {
        assert_eq!(pool_hold(&pool, units, buyer).await, 201);
    }
    let asked = ["c", "a", "d", "b", "c", "a", "d", "b", "c", "d", "d", "new", "new", "new", "new", "new"];
    let answers = join_all(asked.map(|buyer| pool_hold(&pool, 1, buyer))).await;
    let granted = |buyer: &str| asked.iter().zip(&answers).filter(|it| *it.0 == buyer && *it.1 == 201).count();
    assert_eq!(["a", "b", "c", "d", "new"].map(granted), [0, 1, 2, 3, 4]);
    pool.is_proved().await;
}

async fn pool_hold(pool: &Pool, units: i64, buyer: &str) -> u16 {
    pool.hold(&[("A", units)], json!({"buyer": buyer})).await.status
}

#[actix_web::test]
async fn the_same_key_holds_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 9)]).await;
    let claims = pool.service.credentials.claims("shop", "*");
    let send = || {
        let body = json!({"channel": "tmall", "lines": [{"sku": "A", "quantity": 1}], "ttl_seconds": 60});
        let request =
            TestRequest::post().uri("/v1/reservations").insert_header(("Idempotency-Key", "cart-1")).set_json(body);
        pool.service.send_as(&claims, request)
    };
    let (first, second, third) = futures_util::join!(send(), send(), send());
    let again = send().await;
    assert_eq!([first.status, second.status, third.status, again.status], [201; 4]);
    assert!([&second, &third, &again].iter().all(|it| it.text == first.text));
    assert_eq!(pool.balance("A", "S1").await, (9, 1, 0, 8));
}

#[actix_web::test]
async fn a_part_of_a_hold_is_given_back_and_the_rest_stays_held() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 4), ("B", "S2", 1)]).await;
    let held = pool.hold(&[("A", 5), ("B", 1)], json!({"buyer": "b"})).await;
    let path = format!("/v1/reservations/{}/release", id_of(&held));
    let release = async |lines: Value| pool.service.post(&path, json!({"lines": lines})).await;
    let too_much = release(json!([{"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 6}])).await;
    assert_eq!((too_much.status, too_much.body["errors"][0]["field"].as_str()), (409, Some("lines[1].quantity")));
    assert_eq!(pool.balance("B", "S2").await, (1, 1, 0, 0));
    let less = release(json!([{"sku": "A", "quantity": 2}])).await;
    assert_eq!((less.status, less.body["state"].as_str(), less.body["version"].as_i64()), (200, Some("held"), Some(2)));
    let units: i64 = less.body["lines"].as_array().unwrap().iter().map(|it| it["quantity"].as_i64().unwrap()).sum();
    assert_eq!(units, 4);
    assert_eq!(pool.number("SELECT sum(reserved) FROM stock").await, 4);
    assert_eq!(pool.service.get(&format!("/v1/reservations/{}", id_of(&held))).await.body, less.body);
    let none = release(json!([{"sku": "A", "quantity": 3}, {"sku": "B", "quantity": 1}])).await;
    assert_eq!((none.status, none.body["state"].as_str()), (200, Some("released")));
    assert_eq!(release(json!([{"sku": "A", "quantity": 1}])).await.status, 409);
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_claimed_hold_is_consumed_when_all_of_its_order_has_shipped_and_released_when_it_is_cancelled() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 4)]).await;
    let claimed = async || {
        let hold = id_of(&pool.hold(&[("A", 2)], json!({})).await);
        (hold, pool.place(OrderPlaced { reservation_id: Some(hold), ..order(&[("A", 2)]) }).await)
    };
    let state = async |hold| pool.service.get(&format!("/v1/reservations/{hold}")).await.body["state"].clone();
    let (first, order) = claimed().await;
    pool.ship(order, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    assert_eq!(state(first).await, "claimed");
    pool.ship(order, "S1", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    assert_eq!(state(first).await, "consumed");
    let (second, order) = claimed().await;
    pool.cancel(order, &[], &[]).await.unwrap();
    assert_eq!(state(second).await, "released");
    pool.is_proved().await;
}
