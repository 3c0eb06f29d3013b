//! Adjustments, imports, the ledger and its proof.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::StockChanged;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Pool, sku};

fn line(sku: &str, location: &str, fields: Value) -> Value {
    let mut line = json!({"sku": sku, "location": location, "reason": "counted"});
    line.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    line
}

#[actix_web::test]
async fn an_adjustment_is_made_whole_or_not_at_all() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let body = json!([
        line("A", "S1", json!({"delta": 1})),
        line("A", "S2", json!({"on_hand": 7})),
        line("B", "S1", json!({"delta": -1})),
        line("A", "S1", json!({"on_hand": 9, "expected_on_hand": 5})),
    ]);
    let reply = pool.service.post("/v1/stock/adjustments", body).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    let fields: Vec<_> =
        reply.body["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    // The last line finds six units, since the first one adds one.
    assert_eq!(fields, ["[2].delta", "[3].expected_on_hand"]);
    assert_eq!(pool.balance("A", "S1").await, (5, 0, 0, 5));
    let body =
        json!([line("A", "S1", json!({"delta": 1})), line("A", "S1", json!({"on_hand": 9, "expected_on_hand": 6}))]);
    let reply = pool.service.post("/v1/stock/adjustments", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.balance("A", "S1").await, (9, 0, 0, 9));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_stale_expectation_is_a_conflict_that_names_its_line() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let reply = pool
        .service
        .post("/v1/stock/adjustments", json!([line("A", "S1", json!({"on_hand": 4, "expected_on_hand": 6}))]))
        .await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("expectation_failed")));
    assert_eq!(reply.body["errors"][0]["field"], "[0].expected_on_hand");
}

#[actix_web::test]
async fn promised_units_cannot_be_adjusted_away() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    assert_eq!(pool.hold(&[("A", 3)], json!({})).await.status, 201);
    let reply = pool.service.post("/v1/stock/adjustments", json!([line("A", "S1", json!({"delta": -3}))])).await;
    assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (409, Some("[0].delta")));
    let reply = pool.service.post("/v1/stock/adjustments", json!([line("A", "S1", json!({"delta": -2}))])).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.balance("A", "S1").await, (3, 3, 0, 0));
}

#[actix_web::test]
async fn safety_stock_is_set_beside_a_change_or_alone() {
    let pool = Pool::new().await;
    let body = json!([line("A", "S1", json!({"delta": 5, "safety": 2})), line("A", "S2", json!({"safety": 1}))]);
    let reply = pool.service.post("/v1/stock/adjustments", body).await;
    assert_eq!((reply.status, reply.body[1]["safety"].as_i64()), (200, Some(1)), "{}", reply.text);
    assert_eq!(pool.balance("A", "S1").await, (5, 0, 0, 3));
    pool.service.post("/v1/stock/adjustments", json!([line("A", "S1", json!({"safety": 4}))])).await;
    assert_eq!(pool.balance("A", "S1").await, (5, 0, 0, 1));
    for (fields, field) in [(json!({"safety": -1}), "[0].safety"), (json!({}), "[0].delta")] {
        let reply = pool.service.post("/v1/stock/adjustments", json!([line("A", "S1", fields)])).await;
        assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (422, Some(field)));
    }
    pool.is_proved().await;
}

#[actix_web::test]
async fn damaged_units_are_put_apart_put_back_or_destroyed_all_or_nothing() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 10)]).await;
    assert_eq!(pool.hold(&[("A", 3)], json!({})).await.status, 201);
    let damage =
        |quantity: i64, from: &str, to: &str| line("A", "S1", json!({"quantity": quantity, "from": from, "to": to}));
    let send = |lines: Vec<Value>| {
        let service = &pool.service;
        async move { service.post("/v1/stock/damage", json!(lines)).await }
    };
    let reply = send(vec![damage(4, "shelf", "quarantine"), damage(1, "quarantine", "restock")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.balance("A", "S1").await, (10, 3, 3, 4));
    // Of the 4 units on the shelf that are not promised the first line takes 2.
    let reply =
        send(vec![damage(2, "shelf", "scrap"), damage(3, "shelf", "scrap"), damage(4, "quarantine", "scrap")]).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    let fields: Vec<_> =
        reply.body["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["[1].quantity", "[2].quantity"]);
    assert_eq!(pool.balance("A", "S1").await, (10, 3, 3, 4));
    let reply = send(vec![damage(2, "shelf", "scrap"), damage(2, "quarantine", "scrap")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.balance("A", "S1").await, (6, 3, 1, 2));
    assert_eq!(pool.number("SELECT count(*) FROM movements WHERE kind = 'damage'").await, 4);
    for (from, to) in [("shelf", "restock"), ("quarantine", "quarantine")] {
        let reply = send(vec![damage(1, from, to)]).await;
        assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (422, Some("[0].to")));
    }
    pool.is_proved().await;
}

#[actix_web::test]
async fn unknown_skus_and_locations_are_refused_by_name() {
    let pool = Pool::new().await;
    let body = json!([
        line("NOPE", "S1", json!({"delta": 1})),
        line("A", "NOWHERE", json!({"delta": 1})),
        line("SET", "S1", json!({"delta": 1}))
    ]);
    let reply = pool.service.post("/v1/stock/adjustments", body).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (422, Some("unknown_reference")));
    let fields: Vec<_> =
        reply.body["errors"].as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["[0].sku", "[1].location", "[2].sku"]);
}

#[actix_web::test]
async fn a_sku_created_a_moment_ago_is_waited_for() {
    let pool = Pool::new().await;
    let news = [sku("NEW", 1, &[])];
    let adjust = pool.service.post("/v1/stock/adjustments", json!([line("NEW", "S1", json!({"delta": 2}))]));
    let (reply, heard) = futures_util::join!(adjust, pool.service.hear(&news));
    heard.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.balance("NEW", "S1").await, (2, 0, 0, 2));
}

#[actix_web::test]
async fn the_same_key_adjusts_once() {
    let pool = Pool::new().await;
    let claims = pool.service.credentials.claims("erp", "*");
    let send = |delta: i64| {
        let request = TestRequest::default()
            .method(Method::POST)
            .uri("/v1/stock/adjustments")
            .insert_header(("Idempotency-Key", "k-1"))
            .set_json(json!([line("A", "S1", json!({"delta": delta}))]));
        pool.service.send_as(&claims, request)
    };
    let first = send(3).await;
    let again = send(3).await;
    assert_eq!((first.status, again.status, again.text == first.text), (200, 200, true));
    assert_eq!(again.header("Idempotency-Replayed"), Some("true"));
    assert_eq!(pool.balance("A", "S1").await, (3, 0, 0, 3));
    let other = send(4).await;
    assert_eq!((other.status, other.body["code"].as_str()), (409, Some("idempotency_key_reused")));
}

async fn import(pool: &Pool, media_type: &str, body: &str) -> Vec<Value> {
    let request = TestRequest::post()
        .uri("/v1/stock/import")
        .insert_header(("Content-Type", media_type))
        .set_payload(body.to_owned());
    let reply = pool.service.send_as(&pool.service.credentials.claims("erp", "*"), request).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[actix_web::test]
async fn an_import_answers_every_line_and_takes_the_good_ones() {
    let pool = Pool::new().await;
    let body = r#"{"sku":"A","location":"S1","on_hand":10,"safety":2}
{"sku":"NOPE","location":"S1","on_hand":1}
{"sku":"B","location":"S1","on_hand":-1}
{"sku":"B","location":"S2","on_hand":4}"#;
    let answers = import(&pool, "application/x-ndjson", body).await;
    assert_eq!(answers[0]["result"]["available"], 8);
    assert_eq!(answers[1]["problem"]["errors"][0]["field"], "sku");
    assert_eq!(answers[2]["problem"]["errors"][0]["field"], "on_hand");
    assert_eq!(answers[3]["result"]["on_hand"], 4);
    let answers = import(&pool, "text/csv", "sku,location,on_hand\nA,S1,7\nA,S3,1\n").await;
    assert_eq!((answers[0]["line"].clone(), answers[0]["result"]["available"].clone()), (json!(2), json!(5)));
    assert_eq!(pool.balance("A", "S1").await, (7, 0, 0, 5));
    pool.is_proved().await;
}

#[actix_web::test]
async fn however_often_a_balance_changed_it_is_told_once() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 1)]).await;
    pool.receive(&[("A", "S1", 2)]).await;
    pool.service.run_job("tell_stock").await;
    let told = told::<StockChanged>(&pool.service.test.store).await;
    let levels: Vec<_> =
        told.iter().flat_map(|it| &it.levels).map(|it| (it.location.to_string(), it.on_hand)).collect();
    assert_eq!(levels, [("S1".to_owned(), 7), ("S2".to_owned(), 1)]);
}

#[actix_web::test]
async fn movements_are_never_changed() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("B", "S1", 5)]).await;
    let tamper = |sql: &'static str| {
        pool.service.test.store.transact("tamper", move |tx| {
            diesel::connection::SimpleConnection::batch_execute(tx.conn(), sql).map_err(store::Error::from)
        })
    };
    assert!(tamper("UPDATE movements SET on_hand = 6").await.is_err());
    assert!(tamper("DELETE FROM movements").await.is_err());
    assert!(tamper("UPDATE stock SET reserved = 6 WHERE sku = 'A'").await.is_err());
    pool.is_proved().await;
}

#[actix_web::test]
async fn the_running_proof_comes_to_the_last_balance_and_starts_again() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let many = "INSERT INTO stock (sku, location) SELECT 'M' || n, 'S1' FROM generate_series(1, 1200) n; \
        UPDATE stock SET quarantined = 1, on_hand = 1 WHERE sku = 'M999'";
    let tamper = pool.service.test.store.transact("tamper", move |tx| {
        diesel::connection::SimpleConnection::batch_execute(tx.conn(), many).map_err(store::Error::from)
    });
    tamper.await.unwrap();
    for _round in 0..2 {
        let mut drifted = Vec::new();
        loop {
            let (drift, more) = pool.prove().await;
            drifted.extend(drift.iter().map(|it| (it["sku"].clone(), it["balance"].clone())));
            if !more {
                break;
            }
        }
        assert_eq!(drifted, [("M999".into(), "on_hand".into()), ("M999".into(), "quarantined".into())]);
    }
}

#[actix_web::test]
async fn a_till_sees_and_changes_its_own_store_only() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let mut till = pool.service.credentials.claims("till-1", "stock:read stock:write");
    till.locations = Some(["S1".parse().unwrap()].into());
    let seen = pool.service.call_as(&till, Method::GET, "/v1/stock/A", Value::Null).await;
    assert_eq!(seen.body["items"].as_array().unwrap().len(), 1);
    let other = pool.service.call_as(&till, Method::GET, "/v1/stock?location=S2", Value::Null).await;
    assert_eq!(other.status, 403);
    let body = json!([line("A", "S2", json!({"delta": 1}))]);
    assert_eq!(pool.service.call_as(&till, Method::POST, "/v1/stock/adjustments", body).await.status, 403);
}
