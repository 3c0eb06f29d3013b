//! The proof of more balances than one statement should add up, and of more than one answer should.

use serde_json::{Value, json};

use crate::support::Pool;

/// Changes something past everything that guards it.
fn tamper(pool: &Pool, sql: &str) {
    let unguarded = "SET search_path = inventory; SET session_replication_role = replica;";
    pool.service.test.database.execute(&format!("{unguarded} {sql}"));
}

/// The SKUs whose units on hand are not Σ of their movements.
fn drifted(proof: &Value) -> Vec<&str> {
    let drift = proof["drift"].as_array().unwrap().iter();
    drift.filter(|it| it["balance"] == "on_hand").map(|it| it["sku"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn every_balance_is_proved_however_many_there_are() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    // 120,000 balances of one unit each, of which the first and the last but one say 2; and a movement without a balance.
    tamper(
        &pool,
        "INSERT INTO stock (sku, location, on_hand, version) SELECT 'M' || lpad(n::text, 6, '0'), 'S1', 1, 1 \
            FROM generate_series(1, 120000) n; \
         INSERT INTO availability (sku, available, version) SELECT sku, 1, 1 FROM stock WHERE sku LIKE 'M%'; \
         INSERT INTO movements (sku, location, kind, on_hand, quarantined, on_hand_after, quarantined_after, reason, \
            actor, at) SELECT sku, location, 'count', 1, 0, 1, 0, 'counted', 'test', now() FROM stock WHERE sku LIKE 'M%' \
            UNION ALL SELECT 'M070000A', 'S1', 'count', 1, 0, 1, 0, 'counted', 'test', now(); \
         UPDATE stock SET on_hand = 2 WHERE sku IN ('M000001', 'M119999')",
    );
    let proof = pool.service.get("/v1/stock/proof").await;
    assert_eq!(proof.body["checked"], 120_001);
    assert_eq!(drifted(&proof.body), ["M000001", "M070000A", "M119999"]);
    assert_eq!(proof.body["next_cursor"], Value::Null);
}

#[actix_web::test]
async fn a_proof_goes_on_behind_the_balance_its_cursor_names() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5), ("B", "S1", 5)]).await;
    tamper(&pool, "UPDATE stock SET on_hand = 6 WHERE location = 'S1'");
    let cursor = kernel::Cursor::encode(&("A", "S1"));
    let rest = pool.service.get(&format!("/v1/stock/proof?cursor={cursor}")).await;
    assert_eq!((&rest.body["checked"], drifted(&rest.body)), (&json!(2), vec!["B"]));
    let of_sku = pool.service.get(&format!("/v1/stock/proof?sku=A&cursor={cursor}")).await;
    assert_eq!((&of_sku.body["checked"], drifted(&of_sku.body)), (&json!(1), vec![]));
    assert_eq!(pool.service.get("/v1/stock/proof?cursor=nonsense").await.status, 400);
}

#[actix_web::test]
async fn an_answer_ends_with_enough_drifts_and_the_next_one_goes_on() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    // In the first span there are more drifts than after which an answer ends; all of them are named.
    tamper(
        &pool,
        "INSERT INTO stock (sku, location, on_hand, version) SELECT 'M' || lpad(n::text, 6, '0'), 'S1', 0, 1 \
            FROM generate_series(1, 60000) n; \
         UPDATE stock SET on_hand = 1 WHERE sku <= 'M000700' AND sku LIKE 'M%' OR sku = 'M060000'",
    );
    let first = pool.service.get("/v1/stock/proof").await.body;
    // A and 49,999 others.
    assert_eq!((&first["checked"], drifted(&first).len()), (&json!(50_000), 700));
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(kernel::Cursor::decode::<(String, String)>(cursor).unwrap(), ("M049999".to_owned(), "S1".to_owned()));
    let rest = pool.service.get(&format!("/v1/stock/proof?cursor={cursor}")).await.body;
    assert_eq!((&rest["checked"], drifted(&rest)), (&json!(10_001), vec!["M060000"]));
    assert_eq!(rest["next_cursor"], Value::Null);
}
