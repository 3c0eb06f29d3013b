//! Exports, and the stock at an instant.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use inventory::store::movements;
use kernel::Timestamp;
use serde_json::{Value, json};

use crate::support::Pool;

async fn export(pool: &Pool, query: &str, accept: &str) -> String {
    let request =
        TestRequest::get().uri(&format!("/v1/stock/export{query}")).insert_header(("Accept", accept.to_owned()));
    let reply = pool.service.send_as(&pool.service.credentials.claims("erp", "stock:read"), request).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[actix_web::test]
async fn an_export_has_every_balance_as_the_list_shows_it() {
    let pool = Pool::new().await;
    assert_eq!(export(&pool, "", "*/*").await, "");
    pool.receive(&[("A", "S1", 5), ("B", "S1", 3), ("A", "S2", 7)]).await;
    assert_eq!(pool.hold(&[("A", 2)], json!({})).await.status, 201);
    let listed = pool.service.get("/v1/stock").await.body["items"].as_array().unwrap().clone();
    assert_eq!(rows(&export(&pool, "", "application/x-ndjson").await), listed);
    assert_eq!(rows(&export(&pool, "?location=S1&sku=A", "*/*").await), [listed[0].clone()]);
    let csv = "sku,location,on_hand,reserved,safety,quarantined,incoming,owed,available,version\n\
        A,S1,5,2,0,0,0,0,3,2\nA,S2,7,0,0,0,0,0,7,1\nB,S1,3,0,0,0,0,0,3,1\n";
    assert_eq!(export(&pool, "", "text/csv").await, csv);
}

#[actix_web::test]
async fn an_export_goes_on_from_page_to_page_and_keeps_to_the_callers_scope() {
    let pool = Pool::new().await;
    pool.service.test.database.execute(
        "INSERT INTO inventory.stock (sku, location) SELECT 'M' || n, 'S' || l FROM generate_series(1, 5000) n, \
         generate_series(1, 2) l",
    );
    let all = rows(&export(&pool, "", "*/*").await);
    assert_eq!(all.len(), 10_000);
    let key = |it: &Value| (it["sku"].as_str().unwrap().to_owned(), it["location"].as_str().unwrap().to_owned());
    assert!(all.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "in order, none twice");
    let mut till = pool.service.credentials.claims("till-2", "stock:read");
    till.locations = Some(["S2".parse().unwrap()].into());
    let own = pool.service.call_as(&till, Method::GET, "/v1/stock/export", Value::Null).await;
    assert_eq!(own.text.lines().count(), 5_000);
    assert!(rows(&own.text).iter().all(|it| it["location"] == "S2"));
    let other = pool.service.call_as(&till, Method::GET, "/v1/stock/export?location=S1", Value::Null).await;
    assert_eq!(other.status, 403);
}

/// 5, then 5 + 3, then 8 with 2 apart, a minute after each other; the instants after each.
async fn moved() -> (Pool, [Timestamp; 4]) {
    let pool = Pool::new().await;
    let mut instants = [pool.service.test.store.now(); 4];
    for (step, instant) in instants.iter_mut().enumerate() {
        *instant = pool.service.test.store.now();
        pool.service.test.clock.advance(Duration::from_secs(60));
        match step {
            0 => pool.receive(&[("A", "S1", 5)]).await,
            1 => pool.receive(&[("A", "S1", 3), ("A", "S2", 1), ("B", "S2", 9)]).await,
            _ => {
                let body = json!([{"sku": "A", "location": "S1", "quantity": 1, "from": "shelf", "to": "quarantine",
                    "reason": "torn"}]);
                assert_eq!(pool.service.post("/v1/stock/damage", body).await.status, 200);
            }
        }
    }
    (pool, instants)
}

async fn at(pool: &Pool, path: &str, instant: Timestamp) -> Value {
    let separator = if path.contains('?') { '&' } else { '?' };
    let reply = pool.service.get(&format!("{path}{separator}at={instant}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["items"].clone()
}

fn held(sku: &str, location: &str, on_hand: i64, quarantined: i64) -> Value {
    json!({"sku": sku, "location": location, "on_hand": on_hand, "quarantined": quarantined})
}

#[actix_web::test]
async fn the_stock_is_shown_as_it_was_at_an_instant() {
    let (pool, [before, first, second, third]) = moved().await;
    assert_eq!(at(&pool, "/v1/stock/A", before).await, json!([held("A", "S1", 0, 0), held("A", "S2", 0, 0)]));
    assert_eq!(at(&pool, "/v1/stock/A", first).await, json!([held("A", "S1", 5, 0), held("A", "S2", 0, 0)]));
    assert_eq!(at(&pool, "/v1/stock/A", second).await, json!([held("A", "S1", 8, 0), held("A", "S2", 1, 0)]));
    assert_eq!(at(&pool, "/v1/stock/A", third).await[0], held("A", "S1", 8, 1));
    // The instant of a movement is after it.
    assert_eq!(at(&pool, "/v1/stock/A", before.plus_seconds(60)).await[0], held("A", "S1", 5, 0));
    let there = at(&pool, "/v1/stock?location=S2", third).await;
    assert_eq!(there, json!([held("A", "S2", 1, 0), held("B", "S2", 9, 0)]));
    let page = pool.service.get(&format!("/v1/stock?at={second}&limit=2")).await.body;
    let rest = format!("/v1/stock?at={second}&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(pool.service.get(&rest).await.body["items"], json!([held("B", "S2", 9, 0)]));
}

#[actix_web::test]
async fn an_instant_that_has_not_come_is_refused() {
    let (pool, [_, _, _, third]) = moved().await;
    for path in ["/v1/stock", "/v1/stock/A"] {
        let reply = pool.service.get(&format!("{path}?at={}", third.plus_seconds(3_600))).await;
        assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (422, Some("at")));
    }
    assert_eq!(pool.service.get(&format!("/v1/stock/NOPE?at={third}")).await.status, 404);
}

#[actix_web::test]
async fn what_many_skus_were_at_an_instant_is_read_at_once() {
    let (pool, [_, first, second, _]) = moved().await;
    let read = |instant: Timestamp| {
        let store = &pool.service.test.store;
        async move {
            let held = store.read("held", move |tx| movements::stock_at(tx, &["A", "B"], instant)).await.unwrap();
            held.into_iter().map(|it| (it.sku, it.location, it.on_hand)).collect::<Vec<_>>()
        }
    };
    let row = |sku: &str, location: &str, on_hand: i64| (sku.to_owned(), location.to_owned(), on_hand);
    assert_eq!(read(first).await, [row("A", "S1", 5)]);
    assert_eq!(read(second).await, [row("A", "S1", 8), row("A", "S2", 1), row("B", "S2", 9)]);
}

#[actix_web::test]
async fn the_ledgers_order_is_the_order_of_time() {
    let (pool, _) = moved().await;
    // Another process's clock is behind by five minutes.
    let behind = pool.service.test.store.now().plus_seconds(-300);
    pool.service.test.clock.set(&behind.to_string());
    pool.receive(&[("A", "S1", 1)]).await;
    let ledger = pool.service.get("/v1/stock/A/movements?location=S1").await.body["items"].as_array().unwrap().clone();
    let instants: Vec<Timestamp> = ledger.iter().map(|it| it["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(instants.is_sorted());
    assert_eq!(instants.last().copied(), instants.iter().rev().nth(1).copied());
}
