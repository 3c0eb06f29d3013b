//! A ruleset in shadow: decides beside the one in force, and changes nothing.

use actix_web::http::Method;
use contracts::events::OrderPlaced;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::support::{Pool, code, order, pickup, row};

const PATH: &str = "/v1/sourcing/rulesets";

/// A pool with a warehouse, and `warehouse-first` as version 2, in shadow or not.
async fn pool(shadow: bool) -> Pool {
    let pool = Pool::new().await;
    pool.location("WH", json!({"longitude": 10.0, "kind": "warehouse", "daily_capacity": 3})).await;
    let examples = pool.service.get(&format!("{PATH}/examples")).await.body;
    let example = examples.as_array().unwrap().iter().find(|it| it["name"] == "warehouse-first").unwrap();
    assert_eq!(pool.service.post(PATH, example.clone()).await.body["version"], 2);
    if shadow {
        assert_eq!(pool.service.post(&format!("{PATH}/2/shadow"), Value::Null).await.status, 200);
    }
    pool
}

#[actix_web::test]
async fn the_shadow_is_compared_and_takes_nothing() {
    let pool = pool(true).await;
    pool.receive(&[("A", "S1", 2), ("A", "WH", 1)]).await;
    let first = pool.place(order(&[("A", 1)])).await;
    pool.service.hear(&[order(&[("A", 1)]), order(&[("B", 1)])]).await.unwrap();
    assert_eq!(pool.sourced(first).await, [(1, vec![row(1, "A", "S1", 1)])]);
    let report = pool.service.get(&format!("{PATH}/2/shadow-report")).await.body;
    assert_eq!((&report["version"], &report["days"]), (&json!(2), &json!(["2026-11-11"])));
    // The warehouse has one A, and both orders find it: what the shadow gives, it does not take.
    let report = &report["report"];
    assert_eq!((&report["moved"], &report["happened"]["orders"]), (&json!(2), &json!(3)));
    assert_eq!(
        (&report["happened"]["mean_metres"], &report["candidate"]["mean_metres"]),
        (&json!(111_195), &json!(1_111_951))
    );
    assert_eq!((&report["happened"]["backordered"], &report["candidate"]["backordered"]), (&json!(1), &json!(1)));
    assert_eq!(report["locations"][0], json!({"location": "S1", "happened": 2, "candidate": 0, "change": -2}));
    assert_eq!(report["tiers_candidate"][0]["name"], "warehouse");
    // In force, it is watched no longer.
    assert_eq!(pool.service.post(&format!("{PATH}/2/activate"), Value::Null).await.status, 200);
    pool.place(order(&[("A", 1)])).await;
    let after = pool.service.get(&format!("{PATH}/2/shadow-report")).await.body;
    assert_eq!(after["report"]["happened"]["orders"], 3);
    let mut claims = pool.service.credentials.claims("shop", "sourcing:read");
    claims.channels = Some([code("tmall")].into());
    let path = format!("{PATH}/2/shadow-report");
    assert_eq!(pool.service.call_as(&claims, Method::GET, &path, Value::Null).await.status, 403);
    assert_eq!(pool.service.get(&format!("{PATH}/9/shadow-report")).await.status, 404);
    pool.is_proved().await;
}

/// The decisions as they are stored, in their order.
async fn documents(pool: &Pool) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        document: String,
    }
    let rows = pool.service.test.store.read("documents", |tx| {
        let query = diesel::sql_query("SELECT document FROM decisions ORDER BY seq");
        Ok::<Vec<Row>, store::Error>(diesel::RunQueryDsl::load(query, tx.conn())?)
    });
    rows.await.unwrap().into_iter().map(|row| row.document).collect()
}

/// Forty orders of any shape, by a seed.
fn orders(seed: u64) -> Vec<OrderPlaced> {
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let skus = ["A", "B", "SET"];
    let mut any = move |_| {
        let lines: Vec<(&str, i64)> = (0..=next(2))
            .map(|_| (skus[usize::try_from(next(3)).unwrap()], i64::try_from(next(3)).unwrap() + 1))
            .collect();
        if next(8) == 0 { pickup(&lines, "S2") } else { order(&lines) }
    };
    (0..40).map(&mut any).collect()
}

#[actix_web::test]
async fn live_decisions_are_the_same_to_the_byte() {
    let (plain, watched) = (pool(false).await, pool(true).await);
    for seed in 1..=5 {
        for pool in [&plain, &watched] {
            pool.receive(&[("A", "S1", 9), ("A", "WH", 9), ("B", "S2", 9), ("B", "WH", 5), ("CUP", "S3", 9)]).await;
            pool.receive(&[("POT", "S3", 4), ("CUP", "WH", 6), ("POT", "WH", 3)]).await;
            for batch in orders(seed).chunks(7) {
                pool.service.hear(batch).await.unwrap();
            }
        }
    }
    let decisions = documents(&plain).await;
    assert_eq!(decisions.len(), 200);
    assert_eq!(decisions, documents(&watched).await);
    assert_eq!(plain.number("SELECT count(*) FROM shadow_days").await, 0);
    let report = watched.service.get(&format!("{PATH}/2/shadow-report")).await.body;
    assert_eq!(report["report"]["candidate"]["orders"], 200);
}
