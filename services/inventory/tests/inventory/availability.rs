//! What can be promised, answered from memory.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use crate::support::Pool;

async fn available(pool: &Pool, skus: &str) -> Vec<(String, i64)> {
    let reply = pool.service.get(&format!("/v1/availability?channel=tmall&sku={skus}")).await;
    let items = reply.body.as_array().unwrap_or_else(|| panic!("{}", reply.text));
    let pair = |it: &Value| (it["sku"].as_str().unwrap().to_owned(), it["available"].as_i64().unwrap());
    items.iter().map(pair).collect()
}

#[actix_web::test]
async fn availability_is_the_sum_over_locations_and_follows_every_change() {
    let pool = Pool::new().await;
    let both = |a: i64, b: i64| vec![("A".to_owned(), a), ("B".to_owned(), b)];
    assert_eq!(available(&pool, "A,B").await, both(0, 0));
    pool.receive(&[("A", "S1", 5), ("A", "S2", 2), ("B", "S1", 1)]).await;
    let shows = async |a: i64, b: i64| {
        eventually("the change shows", async || (available(&pool, "A,B").await == both(a, b)).then_some(())).await;
    };
    shows(7, 1).await;
    assert_eq!(pool.hold(&[("A", 3)], json!({})).await.status, 201);
    shows(4, 1).await;
    pool.service.test.clock.advance(Duration::from_secs(601));
    pool.service.run_job("sweep_reservations").await;
    shows(7, 1).await;
}

#[actix_web::test]
async fn safety_stock_is_not_promised_and_does_not_eat_into_other_locations() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 4)]).await;
    let request = actix_web::test::TestRequest::post()
        .uri("/v1/stock/import")
        .set_payload(r#"{"sku":"A","location":"S1","on_hand":1,"safety":3}"#);
    pool.service.send_as(&pool.service.credentials.claims("erp", "*"), request).await;
    assert_eq!(available(&pool, "A").await, [("A".to_owned(), 4)]);
    pool.receive(&[("A", "S1", 3)]).await;
    eventually("one unit is above the safety stock", async || {
        (available(&pool, "A").await == [("A".to_owned(), 5)]).then_some(())
    })
    .await;
}
