//! The proof names each drift down to the movement.

use serde_json::{Value, json};

use crate::support::Pool;

/// Changes something past everything that guards it.
pub fn tamper(pool: &Pool, sql: &str) {
    pool.service
        .test
        .database
        .execute(&format!("SET search_path = inventory; SET session_replication_role = replica; {sql}"));
}

/// The ledger of A at S1, `(movement, at)` by place.
async fn ledger(pool: &Pool) -> Vec<(i64, Value)> {
    let reply = pool.service.get("/v1/stock/A/movements?location=S1").await;
    let items = reply.body["items"].as_array().unwrap().clone();
    items.iter().map(|it| (it["id"].as_i64().unwrap(), it["at"].clone())).collect()
}

/// What the endpoint finds, which is what the job finds too.
async fn drift(pool: &Pool) -> Value {
    let found = pool.service.get("/v1/stock/proof?sku=A").await.body["drift"].clone();
    assert_eq!(json!(pool.prove().await.0), found);
    assert_eq!(pool.service.get("/v1/stock/proof").await.body["drift"], found);
    found
}

async fn moved_three_times() -> Pool {
    let pool = Pool::new().await;
    for units in [5, 3, 4] {
        pool.service.test.clock.advance(std::time::Duration::from_secs(1));
        pool.receive(&[("A", "S1", units), ("B", "S1", units)]).await;
    }
    pool.is_proved().await;
    pool
}

#[actix_web::test]
async fn a_balance_changed_past_the_ledger_is_named_with_the_last_movement_that_is_right() {
    let pool = moved_three_times().await;
    tamper(&pool, "UPDATE stock SET on_hand = 13 WHERE sku = 'A'");
    let (movement, at) = ledger(&pool).await[2].clone();
    let since = json!({"movement": movement, "at": at, "is": 12, "should_be": 12});
    let expected =
        json!({"sku": "A", "location": "S1", "balance": "on_hand", "is": 13, "should_be": 12, "since": since});
    // What may be promised of the one unit is not in the SKU's total either.
    let total = json!({"sku": "A", "balance": "available", "is": 12, "should_be": 13});
    assert_eq!(drift(&pool).await, json!([expected, total]));
    assert_eq!(pool.service.get("/v1/stock/proof?sku=B").await.body, json!({"checked": 1, "drift": []}));
    // What moves afterwards goes on from the wrong balance, and is the first that does not follow.
    pool.receive(&[("A", "S1", 1)]).await;
    let (movement, at) = ledger(&pool).await[3].clone();
    let since = json!({"movement": movement, "at": at, "is": 14, "should_be": 13});
    let expected =
        json!({"sku": "A", "location": "S1", "balance": "on_hand", "is": 14, "should_be": 13, "since": since});
    let total = json!({"sku": "A", "balance": "available", "is": 13, "should_be": 14});
    assert_eq!(drift(&pool).await, json!([expected, total]));
}

#[actix_web::test]
async fn a_movement_that_was_changed_is_named_itself() {
    let pool = moved_three_times().await;
    let (second, at) = ledger(&pool).await[1].clone();
    // 3 units came, and now it says 2: 5 + 2 are not the 8 it says were there afterwards.
    tamper(&pool, &format!("UPDATE movements SET on_hand = 2 WHERE id = {second}"));
    let since = json!({"movement": second, "at": at, "is": 8, "should_be": 7});
    let expected =
        json!({"sku": "A", "location": "S1", "balance": "on_hand", "is": 12, "should_be": 11, "since": since});
    assert_eq!(drift(&pool).await, json!([expected]));
}

#[actix_web::test]
async fn a_chain_that_is_broken_is_found_though_its_sum_is_right() {
    let pool = moved_three_times().await;
    let (second, at) = ledger(&pool).await[1].clone();
    tamper(&pool, &format!("UPDATE movements SET quarantined_after = 1 WHERE id = {second}"));
    let since = json!({"movement": second, "at": at, "is": 1, "should_be": 0});
    let expected =
        json!({"sku": "A", "location": "S1", "balance": "quarantined", "is": 0, "should_be": 0, "since": since});
    assert_eq!(drift(&pool).await, json!([expected]));
}

#[actix_web::test]
async fn promises_and_expectations_are_proved_too() {
    let pool = moved_three_times().await;
    let body = json!({"location": "S1", "lines": [{"sku": "A", "quantity": 7}]});
    assert_eq!(pool.service.post("/v1/receipts", body).await.status, 201);
    pool.is_proved().await;
    tamper(&pool, "UPDATE stock SET incoming = 6, reserved = 1 WHERE sku = 'A'");
    let expected = json!([
        {"sku": "A", "location": "S1", "balance": "incoming", "is": 6, "should_be": 7},
        {"sku": "A", "location": "S1", "balance": "reserved", "is": 1, "should_be": 0},
        {"sku": "A", "balance": "available", "is": 12, "should_be": 11},
    ]);
    assert_eq!(drift(&pool).await, expected);
}

#[actix_web::test]
async fn drift_is_counted_where_metrics_are_read() {
    let pool = moved_three_times().await;
    let count = |text: &str| -> i64 {
        let line = text.lines().find(|line| line.starts_with("onepool_stock_drift_total{balance=\"quarantined\"}"));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
    };
    runtime::telemetry::metrics_text();
    pool.service.run_job("prove_stock").await;
    let before = count(&runtime::telemetry::metrics_text());
    tamper(&pool, "UPDATE stock SET quarantined = 1 WHERE sku = 'A'");
    pool.service.run_job("prove_stock").await;
    assert!(count(&runtime::telemetry::metrics_text()) > before);
}
