//! Receipts and transfers.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use testkit::Reply;

use crate::support::{Pool, fulfilment_line, order};

/// `(on hand, reserved, quarantined, incoming)` of a balance.
async fn stock(pool: &Pool, sku: &str, location: &str) -> (i64, i64, i64, i64) {
    let (on_hand, reserved, quarantined, _) = pool.balance(sku, location).await;
    let reply = pool.service.get(&format!("/v1/stock?sku={sku}&location={location}")).await;
    (on_hand, reserved, quarantined, reply.body["items"][0]["incoming"].as_i64().unwrap())
}

/// Each line as `(sku, expected, received, damaged, incoming, discrepancy)`.
fn lines(reply: &Reply) -> Vec<(String, i64, i64, i64, i64, Option<String>)> {
    let number = |line: &Value, field: &str| line[field].as_i64().unwrap_or_else(|| panic!("{field} in {line}"));
    let line = |it: &Value| {
        assert_eq!(number(it, "difference"), number(it, "received") - number(it, "expected"));
        (
            it["sku"].as_str().unwrap().to_owned(),
            number(it, "expected"),
            number(it, "received"),
            number(it, "damaged"),
            number(it, "incoming"),
            it["discrepancy"].as_str().map(ToOwned::to_owned),
        )
    };
    reply.body["lines"].as_array().unwrap_or_else(|| panic!("{}", reply.text)).iter().map(line).collect()
}

fn short() -> Option<String> {
    Some("short".to_owned())
}

fn over() -> Option<String> {
    Some("over".to_owned())
}

/// Creates a document; its path.
async fn create(pool: &Pool, kind: &str, body: Value) -> String {
    let reply = pool.service.post(&format!("/v1/{kind}"), body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let path = format!("/v1/{kind}/{}", reply.body["id"].as_str().unwrap());
    assert_eq!((reply.header("Location"), reply.header("ETag")), (Some(path.as_str()), Some("\"1\"")));
    path
}

async fn step(pool: &Pool, path: &str, step: &str, body: Value) -> Reply {
    let reply = pool.service.post(&format!("{path}/{step}"), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(pool.service.get(path).await.body, reply.body);
    reply
}

async fn refused(pool: &Pool, path: &str, body: Value) -> (u16, String, String) {
    let reply = pool.service.post(path, body).await;
    let field = reply.body["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
    (reply.status, reply.body["code"].as_str().unwrap_or_default().to_owned(), field)
}

fn refusal(status: u16, code: &str, field: &str) -> (u16, String, String) {
    (status, code.to_owned(), field.to_owned())
}

/// The numbers are those of docs/stock.md.
#[actix_web::test]
async fn the_worked_example_of_the_documentation() {
    let pool = Pool::new().await;
    let body = json!({"location": "S1", "supplier": "Mill 7", "lines": [{"sku": "A", "quantity": 100}]});
    let receipt = create(&pool, "receipts", body).await;
    assert_eq!(stock(&pool, "A", "S1").await, (0, 0, 0, 100));
    step(&pool, &receipt, "receive", json!({"lines": [{"sku": "A", "received": 96, "damaged": 4}]})).await;
    assert_eq!(stock(&pool, "A", "S1").await, (96, 0, 4, 4));
    let closed = step(&pool, &receipt, "close", Value::Null).await;
    assert_eq!(lines(&closed), [("A".to_owned(), 100, 96, 4, 0, short())]);
    assert_eq!(stock(&pool, "A", "S1").await, (96, 0, 4, 0));

    let transfer =
        create(&pool, "transfers", json!({"from": "S1", "to": "S2", "lines": [{"sku": "A", "quantity": 30}]})).await;
    assert_eq!(stock(&pool, "A", "S1").await, (96, 30, 4, 0));
    step(&pool, &transfer, "ship", Value::Null).await;
    assert_eq!(stock(&pool, "A", "S1").await, (66, 0, 4, 0));
    assert_eq!(stock(&pool, "A", "S2").await, (0, 0, 0, 30));
    let body = json!({"lines": [{"sku": "A", "received": 28, "damaged": 1}]});
    let received = step(&pool, &transfer, "receive", body).await;
    assert_eq!(lines(&received), [("A".to_owned(), 30, 28, 1, 0, short())]);
    assert_eq!(stock(&pool, "A", "S2").await, (28, 0, 1, 0));

    let count = create(&pool, "counts", json!({"location": "S1", "skus": ["A"]})).await;
    let sold = pool.place(order(&[("A", 2)])).await;
    pool.ship(sold, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    assert_eq!(stock(&pool, "A", "S1").await, (64, 0, 4, 0));
    let counted = step(&pool, &count, "submit", json!({"lines": [{"sku": "A", "counted": 65}]})).await;
    assert_eq!(counted.body["lines"], json!([{"sku": "A", "booked": 66, "counted": 65, "difference": -1}]));
    assert_eq!(stock(&pool, "A", "S1").await, (63, 0, 4, 0));

    let body =
        json!([{"sku": "A", "location": "S1", "quantity": 4, "from": "quarantine", "to": "scrap", "reason": "wet"}]);
    assert_eq!(pool.service.post("/v1/stock/damage", body).await.status, 200);
    assert_eq!(stock(&pool, "A", "S1").await, (59, 0, 0, 0));
    pool.is_proved().await;
    let ledger = pool.service.get("/v1/stock/A/movements?location=S1").await;
    let moved: Vec<_> =
        ledger.body["items"].as_array().unwrap().iter().map(|it| (it["kind"].clone(), it["on_hand"].clone())).collect();
    let expected = [("receipt", 96), ("transfer_out", -30), ("shipment", -2), ("count", -1), ("damage", -4)];
    assert_eq!(moved, expected.map(|(kind, units)| (json!(kind), json!(units))));
    let id = receipt.rsplit('/').next().unwrap();
    assert_eq!(
        (&ledger.body["items"][0]["reference"], &ledger.body["items"][0]["actor"]),
        (&json!(id), &json!("test"))
    );
}

#[actix_web::test]
async fn a_receipt_comes_in_parts_too_much_and_unasked() {
    let pool = Pool::new().await;
    let body = json!({"location": "S1", "reference": "PO-1", "expected_at": "2026-12-01T08:00:00+08:00",
        "lines": [{"sku": "A", "quantity": 10}, {"sku": "B", "quantity": 5}]});
    let receipt = create(&pool, "receipts", body).await;
    let first = step(&pool, &receipt, "receive", json!({"lines": [{"sku": "A", "received": 4}]})).await;
    assert_eq!((first.body["status"].as_str(), first.header("ETag")), (Some("receiving"), Some("\"2\"")));
    assert_eq!(lines(&first), [("A".to_owned(), 10, 4, 0, 6, None), ("B".to_owned(), 5, 0, 0, 5, None)]);
    let body = json!({"lines": [{"sku": "B", "received": 7, "damaged": 2}, {"sku": "CUP", "received": 1}]});
    step(&pool, &receipt, "receive", body).await;
    assert_eq!(stock(&pool, "B", "S1").await, (7, 0, 2, 0));
    assert_eq!(stock(&pool, "CUP", "S1").await, (1, 0, 0, 0));
    let all = step(&pool, &receipt, "receive", json!({"lines": [{"sku": "A", "received": 6}]})).await;
    assert_eq!(all.body["status"], "received");
    let more = step(&pool, &receipt, "receive", json!({"lines": [{"sku": "A", "received": 1}]})).await;
    let expected = [
        ("A".to_owned(), 10, 11, 0, 0, over()),
        ("B".to_owned(), 5, 7, 2, 0, over()),
        ("CUP".to_owned(), 0, 1, 0, 0, over()),
    ];
    assert_eq!(lines(&more), expected);
    assert_eq!(stock(&pool, "A", "S1").await, (11, 0, 0, 0));
    step(&pool, &receipt, "close", Value::Null).await;
    let late = json!({"lines": [{"sku": "A", "received": 1}]});
    assert_eq!(refused(&pool, &format!("{receipt}/receive"), late).await, refusal(409, "state_conflict", ""));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_receipt_can_be_there_already() {
    let pool = Pool::new().await;
    let body = json!({"location": "S1", "received": true, "lines": [{"sku": "A", "quantity": 3}]});
    let receipt = create(&pool, "receipts", body).await;
    let read = pool.service.get(&receipt).await;
    assert_eq!((read.body["status"].as_str(), lines(&read)[0].2), (Some("received"), 3));
    assert_eq!(stock(&pool, "A", "S1").await, (3, 0, 0, 0));
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_stale_version_and_a_repeated_key_are_seen() {
    let pool = Pool::new().await;
    let body = json!({"location": "S1", "lines": [{"sku": "A", "quantity": 10}]});
    let receipt = create(&pool, "receipts", body).await;
    let send = |header: (&'static str, &'static str)| {
        let request = TestRequest::post()
            .uri(&format!("{receipt}/receive"))
            .insert_header(header)
            .set_json(json!({"lines": [{"sku": "A", "received": 4}]}));
        let claims = pool.service.credentials.claims("erp", "stock:write");
        let service = &pool.service;
        async move { service.send_as(&claims, request).await }
    };
    let stale = send(("If-Match", "\"2\"")).await;
    assert_eq!((stale.status, stale.body["code"].as_str()), (412, Some("precondition_failed")));
    let first = send(("Idempotency-Key", "k")).await;
    let again = send(("Idempotency-Key", "k")).await;
    assert_eq!((first.status, again.status, first.text == again.text), (200, 200, true));
    assert_eq!(stock(&pool, "A", "S1").await, (4, 0, 0, 6));
    assert_eq!(send(("If-Match", "\"2\"")).await.status, 200);
}

#[actix_web::test]
async fn units_of_a_transfer_cannot_be_sold_twice() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("B", "S1", 1)]).await;
    let body = |a: i64, b: i64| {
        let lines = json!([{"sku": "A", "quantity": a}, {"sku": "B", "quantity": b}]);
        json!({"from": "S1", "to": "S2", "reason": "window display", "lines": lines})
    };
    let reply = pool.service.post("/v1/transfers", body(5, 3)).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (409, Some("insufficient_stock")));
    let named = json!([{"field": "lines[1].quantity", "detail": "2 units of B are missing at S1: 1 are available"}]);
    assert_eq!(reply.body["errors"], named);
    assert_eq!(stock(&pool, "A", "S1").await, (5, 0, 0, 0));
    let transfer = create(&pool, "transfers", body(4, 1)).await;
    assert_eq!(pool.hold(&[("A", 2)], json!({})).await.status, 409);
    assert_eq!(pool.hold(&[("A", 1)], json!({})).await.status, 201);
    let cancelled = step(&pool, &transfer, "cancel", Value::Null).await;
    assert_eq!(cancelled.body["status"], "cancelled");
    assert_eq!(stock(&pool, "A", "S1").await, (5, 1, 0, 0));
    assert_eq!(refused(&pool, &format!("{transfer}/ship"), Value::Null).await.0, 409);
    pool.is_proved().await;
}

#[actix_web::test]
async fn what_does_not_arrive_of_a_transfer_is_in_no_balance() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 9), ("B", "S1", 4), ("CUP", "S1", 2)]).await;
    let all = json!([{"sku": "A", "quantity": 9}, {"sku": "B", "quantity": 4}, {"sku": "CUP", "quantity": 2}]);
    let transfer = create(&pool, "transfers", json!({"from": "S1", "to": "S2", "lines": all})).await;
    let early = json!({"lines": [{"sku": "A", "received": 1}]});
    assert_eq!(refused(&pool, &format!("{transfer}/receive"), early).await.1, "state_conflict");
    step(&pool, &transfer, "ship", Value::Null).await;
    assert_eq!(refused(&pool, &format!("{transfer}/cancel"), Value::Null).await.1, "state_conflict");
    pool.is_proved().await;
    let came = json!({"lines": [{"sku": "A", "received": 7, "damaged": 3}, {"sku": "CUP", "received": 3}]});
    let received = step(&pool, &transfer, "receive", came).await;
    let expected = [
        ("A".to_owned(), 9, 7, 3, 0, short()),
        ("B".to_owned(), 4, 0, 0, 0, short()),
        ("CUP".to_owned(), 2, 3, 0, 0, over()),
    ];
    assert_eq!(lines(&received), expected);
    assert_eq!(stock(&pool, "A", "S2").await, (7, 0, 3, 0));
    assert_eq!(stock(&pool, "B", "S2").await, (0, 0, 0, 0));
    assert_eq!(stock(&pool, "CUP", "S2").await, (3, 0, 0, 0));
    assert_eq!(stock(&pool, "A", "S1").await, (0, 0, 0, 0));
    let again = json!({"lines": [{"sku": "B", "received": 4}]});
    assert_eq!(refused(&pool, &format!("{transfer}/receive"), again).await.1, "state_conflict");
    pool.is_proved().await;
}

#[actix_web::test]
async fn a_document_that_cannot_be_is_refused_by_field() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let line = json!([{"sku": "A", "quantity": 1}]);
    let twice = json!([{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 1}]);
    let unknown = json!([{"sku": "A", "quantity": 1}, {"sku": "SET", "quantity": 1}]);
    let cases = [
        ("receipts", json!({"location": "S1", "lines": []}), refusal(422, "invalid_field", "lines")),
        ("receipts", json!({"location": "S1", "lines": twice}), refusal(422, "invalid_field", "lines[1].sku")),
        ("receipts", json!({"location": "S1", "lines": unknown}), refusal(422, "unknown_reference", "lines[1].sku")),
        ("receipts", json!({"location": "S9", "lines": line}), refusal(422, "unknown_reference", "location")),
        (
            "receipts",
            json!({"location": "S1", "supplier": "", "lines": line}),
            refusal(422, "invalid_field", "supplier"),
        ),
        ("transfers", json!({"from": "S1", "to": "S1", "lines": line}), refusal(422, "invalid_field", "to")),
        ("transfers", json!({"from": "S1", "to": "S9", "lines": line}), refusal(422, "unknown_reference", "to")),
    ];
    for (kind, body, expected) in cases {
        assert_eq!(refused(&pool, &format!("/v1/{kind}"), body.clone()).await, expected, "{body}");
    }
    let receipt = create(&pool, "receipts", json!({"location": "S1", "lines": line})).await;
    let receive = format!("{receipt}/receive");
    let came = |received: i64, damaged: i64| json!({"lines": [{"sku": "A", "received": received, "damaged": damaged}]});
    assert_eq!(refused(&pool, &receive, came(1, 2)).await, refusal(422, "invalid_field", "lines[0].damaged"));
    assert_eq!(refused(&pool, &receive, came(-1, 0)).await, refusal(422, "invalid_field", "lines[0].received"));
    let bundle = json!({"lines": [{"sku": "SET", "received": 1}]});
    assert_eq!(refused(&pool, &receive, bundle).await, refusal(422, "unknown_reference", "lines[0].sku"));
    let nowhere = "/v1/receipts/01a20280-5c72-7656-9a3e-7fbbae661b21";
    assert_eq!(refused(&pool, &format!("{nowhere}/close"), Value::Null).await, refusal(404, "not_found", ""));
    assert_eq!(pool.service.get(&receipt.replace("receipts", "transfers")).await.status, 404);
}

#[actix_web::test]
async fn a_store_handles_its_own_documents_only() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5)]).await;
    let mut till = pool.service.credentials.claims("till-2", "stock:read stock:write");
    till.locations = Some(["S2".parse().unwrap()].into());
    let call = |method: Method, path: String, body: Value| {
        let (service, till) = (&pool.service, &till);
        async move { service.call_as(till, method, &path, body).await }
    };
    let line = json!([{"sku": "A", "quantity": 1}]);
    let there = create(&pool, "transfers", json!({"from": "S1", "to": "S2", "lines": line})).await;
    let elsewhere = create(&pool, "transfers", json!({"from": "S1", "to": "S3", "lines": line})).await;
    let receipt = create(&pool, "receipts", json!({"location": "S1", "lines": line})).await;
    for path in [&elsewhere, &receipt] {
        assert_eq!(call(Method::GET, path.clone(), Value::Null).await.status, 403);
    }
    let seen = call(Method::GET, "/v1/transfers".to_owned(), Value::Null).await;
    assert_eq!(seen.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(seen.body["items"][0], call(Method::GET, there.clone(), Value::Null).await.body);
    // It receives what comes to it, and neither sends nor orders from another location.
    assert_eq!(call(Method::POST, format!("{there}/ship"), Value::Null).await.status, 403);
    step(&pool, &there, "ship", Value::Null).await;
    let came = json!({"lines": [{"sku": "A", "received": 1}]});
    assert_eq!(call(Method::POST, format!("{there}/receive"), came).await.status, 200);
    let body = json!({"from": "S1", "to": "S2", "lines": line});
    assert_eq!(call(Method::POST, "/v1/transfers".to_owned(), body).await.status, 403);
    let body = json!({"location": "S1", "lines": line});
    assert_eq!(call(Method::POST, "/v1/receipts".to_owned(), body).await.status, 403);
}

#[actix_web::test]
async fn documents_are_listed_newest_first_by_location_and_status() {
    let pool = Pool::new().await;
    let mut paths = Vec::new();
    for location in ["S1", "S2", "S1", "S1"] {
        pool.service.test.clock.advance(std::time::Duration::from_secs(1));
        let body = json!({"location": location, "lines": [{"sku": "A", "quantity": 1}]});
        paths.push(create(&pool, "receipts", body).await);
    }
    step(&pool, &paths[2], "close", Value::Null).await;
    let ids = |reply: &Reply| -> Vec<String> {
        let items = reply.body["items"].as_array().unwrap();
        items.iter().map(|it| format!("/v1/receipts/{}", it["id"].as_str().unwrap())).collect()
    };
    let open = pool.service.get("/v1/receipts?location=S1&status=expected").await;
    assert_eq!(ids(&open), [paths[3].clone(), paths[0].clone()]);
    let first = pool.service.get("/v1/receipts?limit=3").await;
    assert_eq!(ids(&first), [paths[3].clone(), paths[2].clone(), paths[1].clone()]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&pool.service.get(&format!("/v1/receipts?cursor={cursor}")).await), [paths[0].clone()]);
}
