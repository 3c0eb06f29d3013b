//! The proof names what is counted beside the balances: availability, shares, and the orders of a location's day.

use serde_json::{Value, json};

use crate::proof::tamper;
use crate::support::{Pool, fulfilment_line, order};

/// What the job finds on one round through all books, which is what the endpoint finds.
async fn drift(pool: &Pool) -> Value {
    let found = pool.service.get("/v1/stock/proof").await.body["drift"].clone();
    assert_eq!(json!(pool.prove().await.0), found);
    found
}

/// 12 units of A at S1, of which tmall may have 10, and an order of theirs for 3.
async fn with_a_quota() -> (Pool, kernel::id::OrderId, i64) {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 12), ("B", "S1", 12)]).await;
    let rule = json!({"channel": "tmall", "scope": {"sku": "A"}, "mode": "quota", "value": 10});
    assert_eq!(pool.service.put("/v1/sharing-rules/few", rule).await.status, 201);
    let order = pool.place(order(&[("A", 3)])).await;
    pool.is_proved().await;
    let count = pool.number("SELECT count_id FROM sharing_rules WHERE id = 'few'").await;
    (pool, order, count)
}

#[actix_web::test]
async fn availability_that_is_not_the_sum_of_the_balances_is_named() {
    let (pool, ..) = with_a_quota().await;
    tamper(&pool, "UPDATE availability SET available = 10 WHERE sku = 'A'");
    let expected = json!({"sku": "A", "balance": "available", "is": 10, "should_be": 9});
    assert_eq!(drift(&pool).await, json!([expected]));
    assert_eq!(pool.service.get("/v1/stock/proof?sku=A").await.body["drift"], json!([expected]));
    assert_eq!(pool.service.get("/v1/stock/proof?sku=B").await.body["drift"], json!([]));
    tamper(&pool, "DELETE FROM availability WHERE sku = 'A'");
    assert_eq!(drift(&pool).await, json!([{"sku": "A", "balance": "available", "is": 0, "should_be": 9}]));
}

#[actix_web::test]
async fn what_cannot_be_promised_is_not_available() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 7)]).await;
    let safety = json!([{"sku": "A", "location": "S1", "safety": 9, "reason": "wrong counts"}]);
    assert_eq!(pool.service.post("/v1/stock/adjustments", safety).await.status, 200);
    pool.location("S2", json!({"longitude": 2.0, "status": "inactive"})).await;
    pool.is_proved().await;
    // S1 lacks 4 units of its safety stock, and S2 takes no part.
    tamper(&pool, "UPDATE availability SET available = 3 WHERE sku = 'A'");
    assert_eq!(drift(&pool).await, json!([{"sku": "A", "balance": "available", "is": 3, "should_be": 0}]));
}

#[actix_web::test]
async fn a_share_that_has_not_promised_what_its_lines_say_is_named_with_its_rule() {
    let (pool, _, count) = with_a_quota().await;
    tamper(&pool, "UPDATE shares_used SET promised = 2");
    let named = |is: i64, should_be: i64| json!({"sku": "A", "balance": "share_promised", "is": is, "should_be": should_be, "count": count, "rule": "few"});
    assert_eq!(drift(&pool).await, json!([named(2, 3)]));
    tamper(&pool, "DELETE FROM shares_used");
    assert_eq!(drift(&pool).await, json!([named(0, 3)]));
    tamper(
        &pool,
        &format!(
            "INSERT INTO shares_used (sku, count_id, promised, shipped) VALUES ('A', {count}, 3, 0), ('A', 999, 1, 0)"
        ),
    );
    let unknown = json!({"sku": "A", "balance": "share_promised", "is": 1, "should_be": 0, "count": 999});
    assert_eq!(drift(&pool).await, json!([unknown]));
}

#[actix_web::test]
async fn shares_have_not_shipped_more_than_has_shipped() {
    let (pool, order, _) = with_a_quota().await;
    pool.ship(order, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    pool.is_proved().await;
    tamper(&pool, "UPDATE shares_used SET shipped = 3");
    assert_eq!(drift(&pool).await, json!([{"sku": "A", "balance": "share_shipped", "is": 3, "should_be": 2}]));
}

#[actix_web::test]
async fn a_day_that_has_not_the_orders_that_use_it_is_named() {
    let pool = Pool::new().await;
    pool.location("S1", json!({"longitude": 1.0, "daily_capacity": 9})).await;
    pool.receive(&[("A", "S1", 12)]).await;
    for _ in 0..2 {
        pool.place(order(&[("A", 1)])).await;
    }
    pool.is_proved().await;
    // The test's clock shows the first second of 11 November in Shanghai.
    let named = |is: i64, should_be: i64| json!({"location": "S1", "balance": "day_orders", "is": is, "should_be": should_be, "day": "2026-11-11"});
    tamper(&pool, "UPDATE location_days SET orders = 1");
    assert_eq!(drift(&pool).await, json!([named(1, 2)]));
    tamper(&pool, "DELETE FROM location_days");
    assert_eq!(drift(&pool).await, json!([named(0, 2)]));
    tamper(&pool, "INSERT INTO location_days VALUES ('S1', '2026-11-11', 2), ('S2', '2026-11-11', 0)");
    pool.is_proved().await;
}

/// The job takes some hundred balances and days at a time; in one round it comes by each of them once.
#[actix_web::test]
async fn a_round_of_the_job_finds_each_drift_once() {
    let pool = Pool::new().await;
    // 1,100 SKUs at two locations each, and 450 days, none of them with anything behind it.
    tamper(
        &pool,
        "INSERT INTO stock (sku, location) SELECT 'N' || n, l FROM generate_series(1, 1100) n, (VALUES ('S1'), ('S2')) t (l);
         INSERT INTO availability SELECT 'N' || n, 1, 1 FROM generate_series(1, 1100) n;
         INSERT INTO location_days SELECT 'S1', DATE '2026-01-01' + n, 1 FROM generate_series(1, 450) n",
    );
    let mut found = std::collections::BTreeMap::new();
    loop {
        let (drift, more) = pool.prove().await;
        for it in drift {
            let key = (it["balance"].to_string(), it["sku"].to_string(), it["day"].to_string());
            *found.entry(key).or_insert(0) += 1;
        }
        if !more {
            break;
        }
    }
    let of = |balance: &str| found.keys().filter(|(name, ..)| name == &format!("\"{balance}\"")).count();
    assert_eq!((of("available"), of("day_orders"), found.len()), (1_100, 450, 1_550));
    // The days are fewer, and have begun again when the balances are through: 200 of them in each of five steps.
    let once = found.iter().filter(|((name, ..), _)| name == "\"available\"").all(|(_, times)| *times == 1);
    assert!(once, "a SKU is proved once in a round");
}
