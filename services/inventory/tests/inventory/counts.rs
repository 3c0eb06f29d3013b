//! Counts: what is sold or received while somebody counts does not falsify them.

use std::time::Duration;

use actix_web::http::Method;
use serde_json::{Value, json};
use testkit::Reply;

use crate::support::{Pool, fulfilment_line, order};

/// Starts a count; its path.
async fn start(pool: &Pool, body: Value) -> String {
    let reply = pool.service.post("/v1/counts", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    format!("/v1/counts/{}", reply.body["id"].as_str().unwrap())
}

async fn submit(pool: &Pool, count: &str, lines: Value) -> Reply {
    pool.service.post(&format!("{count}/submit"), json!({"lines": lines})).await
}

async fn sell(pool: &Pool, units: i64) {
    let sold = pool.place(order(&[("A", units)])).await;
    pool.ship(sold, "S1", vec![fulfilment_line(1, "A", units)]).await.unwrap();
}

#[actix_web::test]
async fn nobody_sees_what_the_books_say_before_they_have_counted() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10), ("B", "S1", 3), ("CUP", "S2", 1)]).await;
    let reply = pool.service.post("/v1/counts", json!({"location": "S1", "reference": "INV-1"})).await;
    assert_eq!(reply.body["lines"], json!([{"sku": "A"}, {"sku": "B"}]));
    let count = format!("/v1/counts/{}", reply.body["id"].as_str().unwrap());
    assert_eq!(pool.service.get(&count).await.body, reply.body);
    let done = submit(&pool, &count, json!([{"sku": "A", "counted": 10}])).await;
    assert_eq!((done.body["status"].as_str(), done.header("ETag")), (Some("submitted"), Some("\"2\"")));
    let lines = json!([{"sku": "A", "booked": 10, "counted": 10, "difference": 0}, {"sku": "B"}]);
    assert_eq!(done.body["lines"], lines);
    // What was right needs no movement, and what was not counted stays.
    assert_eq!(pool.number("SELECT count(*) FROM movements WHERE kind = 'count'").await, 0);
    assert_eq!(pool.balance("B", "S1").await, (3, 0, 0, 3));
    assert_eq!(submit(&pool, &count, json!([{"sku": "A", "counted": 9}])).await.status, 409);
}

#[actix_web::test]
async fn sales_and_receipts_during_a_count_do_not_falsify_it() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10)]).await;
    let count = start(&pool, json!({"location": "S1"})).await;
    pool.service.test.clock.advance(Duration::from_secs(60));
    sell(&pool, 2).await;
    pool.receive(&[("A", "S1", 5)]).await;
    assert_eq!(pool.balance("A", "S1").await.0, 13);
    // 9 were there when counting began, one less than booked.
    let done = submit(&pool, &count, json!([{"sku": "A", "counted": 9}])).await;
    assert_eq!(done.body["lines"][0]["difference"], -1);
    assert_eq!(pool.balance("A", "S1").await.0, 12);
    pool.is_proved().await;
}

#[actix_web::test]
async fn who_says_when_they_counted_is_compared_with_the_books_of_then() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10), ("B", "S1", 4)]).await;
    let count = start(&pool, json!({"location": "S1"})).await;
    pool.service.test.clock.advance(Duration::from_secs(60));
    sell(&pool, 2).await;
    pool.service.test.clock.advance(Duration::from_secs(60));
    let after_the_sale = pool.service.test.store.now();
    pool.service.test.clock.advance(Duration::from_secs(60));
    sell(&pool, 3).await;
    let lines = json!([
        {"sku": "A", "counted": 9, "counted_at": after_the_sale.to_string()},
        {"sku": "B", "counted": 4, "counted_at": after_the_sale.plus_seconds(3_600).to_string()},
    ]);
    let future = submit(&pool, &count, lines.clone()).await;
    assert_eq!((future.status, future.body["errors"][0]["field"].as_str()), (422, Some("lines[1].counted_at")));
    let done = submit(&pool, &count, json!([lines[0]])).await;
    // 10 − 2 were booked, 9 were found; then 3 more were sold.
    assert_eq!((&done.body["lines"][0]["booked"], &done.body["lines"][0]["difference"]), (&json!(8), &json!(1)));
    assert_eq!(pool.balance("A", "S1").await.0, 6);
    pool.is_proved().await;
}

#[actix_web::test]
async fn promised_and_quarantined_units_must_be_there() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10), ("B", "S1", 4)]).await;
    let quarantine =
        json!([{"sku": "A", "location": "S1", "quantity": 1, "from": "shelf", "to": "quarantine", "reason": "torn"}]);
    assert_eq!(pool.service.post("/v1/stock/damage", quarantine).await.status, 200);
    assert_eq!(pool.hold(&[("A", 6)], json!({})).await.status, 201);
    let count = start(&pool, json!({"location": "S1"})).await;
    let reply = submit(&pool, &count, json!([{"sku": "B", "counted": 1}, {"sku": "A", "counted": 6}])).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    let expected = json!([{"field": "lines[1].counted", "detail": "6 were counted of 10 booked, and 10 are booked now: 6 would \
        be left, of which 6 are promised and 1 quarantined"}]);
    assert_eq!(reply.body["errors"], expected);
    assert_eq!(pool.balance("B", "S1").await.0, 4);
    assert_eq!(submit(&pool, &count, json!([{"sku": "A", "counted": 7}])).await.status, 200);
    assert_eq!(pool.balance("A", "S1").await, (7, 6, 1, 0));
}

#[actix_web::test]
async fn what_nobody_looked_for_is_opened() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1)]).await;
    let count = start(&pool, json!({"location": "S1", "skus": ["A", "B"]})).await;
    let unknown = submit(&pool, &count, json!([{"sku": "NOPE", "counted": 1}])).await;
    assert_eq!((unknown.status, unknown.body["code"].as_str()), (422, Some("unknown_reference")));
    let found = json!([{"sku": "B", "counted": 2}, {"sku": "CUP", "counted": 3}]);
    assert_eq!(submit(&pool, &count, found).await.status, 200);
    assert_eq!(pool.balance("B", "S1").await, (2, 0, 0, 2));
    assert_eq!(pool.balance("CUP", "S1").await, (3, 0, 0, 3));
    pool.is_proved().await;
}

#[actix_web::test]
async fn two_counts_at_once_correct_a_mistake_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10)]).await;
    let one = start(&pool, json!({"location": "S1"})).await;
    let other = start(&pool, json!({"location": "S1"})).await;
    assert_eq!(submit(&pool, &one, json!([{"sku": "A", "counted": 8}])).await.status, 200);
    let done = submit(&pool, &other, json!([{"sku": "A", "counted": 8}])).await;
    assert_eq!((&done.body["lines"][0]["booked"], &done.body["lines"][0]["difference"]), (&json!(8), &json!(0)));
    assert_eq!(pool.balance("A", "S1").await.0, 8);
}

#[actix_web::test]
async fn a_cancelled_count_posts_nothing() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10)]).await;
    let count = start(&pool, json!({"location": "S1"})).await;
    let cancelled = pool.service.post(&format!("{count}/cancel"), Value::Null).await;
    assert_eq!(cancelled.body["status"], "cancelled");
    let late = submit(&pool, &count, json!([{"sku": "A", "counted": 1}])).await;
    assert_eq!((late.status, late.body["detail"].as_str()), (409, Some("the count is cancelled")));
    let listed = pool.service.get("/v1/counts?location=S1&status=cancelled").await;
    assert_eq!(listed.body["items"][0]["version"], 2);
    assert_eq!(pool.service.get("/v1/counts?status=counting").await.body["items"], json!([]));
}

#[actix_web::test]
async fn who_counts_need_not_see_the_stock_and_sees_their_store_only() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10), ("A", "S2", 10)]).await;
    let mut clerk = pool.service.credentials.claims("clerk", "count:read count:write");
    clerk.locations = Some(["S1".parse().unwrap()].into());
    let call = |method: Method, path: String, body: Value| {
        let (service, clerk) = (&pool.service, &clerk);
        async move { service.call_as(clerk, method, &path, body).await }
    };
    assert_eq!(call(Method::GET, "/v1/stock/A".to_owned(), Value::Null).await.status, 403);
    assert_eq!(call(Method::POST, "/v1/counts".to_owned(), json!({"location": "S1"})).await.status, 201);
    assert_eq!(call(Method::POST, "/v1/counts".to_owned(), json!({"location": "S2"})).await.status, 403);
    let elsewhere = start(&pool, json!({"location": "S2"})).await;
    assert_eq!(call(Method::GET, elsewhere.clone(), Value::Null).await.status, 403);
    let body = json!({"lines": [{"sku": "A", "counted": 1}]});
    assert_eq!(call(Method::POST, format!("{elsewhere}/submit"), body).await.status, 403);
}

#[actix_web::test]
async fn a_location_with_too_many_skus_is_counted_in_parts() {
    let pool = Pool::new().await;
    pool.service
        .test
        .database
        .execute("INSERT INTO inventory.stock (sku, location) SELECT 'M' || n, 'S1' FROM generate_series(1, 5001) n");
    let reply = pool.service.post("/v1/counts", json!({"location": "S1"})).await;
    assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (422, Some("skus")));
    let reply = pool.service.post("/v1/counts", json!({"location": "S1", "skus": ["NOPE"]})).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (422, Some("unknown_reference")));
}
