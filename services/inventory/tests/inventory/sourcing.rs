//! Why an order was sourced as it was, and dry runs.

use kernel::id::OrderId;
use serde_json::json;

use crate::support::{Pool, fulfilment_line, order};

#[actix_web::test]
async fn a_decision_explains_itself_and_answers_why_not() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 5), ("A", "S3", 5)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    let body = pool.service.get(&format!("/v1/orders/{id}/sourcing?why_not=S1")).await.body;
    assert_eq!((body["outcome"].as_str(), body["how"].as_str()), (Some("sourced"), Some("whole")));
    assert_eq!(body["winners"], json!(["S2"]));
    // One degree on the equator is 111,195 m.
    assert_eq!(body["runner_up"], json!({"locations": ["S3"], "margin_metres": 111_195, "margin_priority": null}));
    assert_eq!(body["candidates"][0]["verdict"], "short");
    assert_eq!(body["candidates"][0]["available"], json!({"A": 1}));
    assert_eq!(body["why_not"]["rule"], "stock");
    assert_eq!(body["why_not"]["missing"], json!([{"sku": "A", "needed": 2, "available": 1}]));
    assert_eq!(body["why_not"]["would_win"], "1 of A more");
    assert_eq!(pool.service.get(&format!("/v1/orders/{id}/sourcing?why_not=NOPE")).await.status, 404);
    let unknown = OrderId::at(kernel::Timestamp::EPOCH);
    assert_eq!(pool.service.get(&format!("/v1/orders/{unknown}/sourcing")).await.status, 404);
}

#[actix_web::test]
async fn every_attempt_stays_readable() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let id = pool.place(order(&[("A", 2)])).await;
    pool.reject(id, "S1", vec![fulfilment_line(1, "A", 2)]).await.unwrap();
    let body = pool.service.get(&format!("/v1/orders/{id}/sourcing?why_not=S1")).await.body;
    assert_eq!((body["attempt"].as_i64(), body["excluded"].clone()), (Some(2), json!(["S1"])));
    assert_eq!(body["why_not"]["rule"], "rejected");
    assert_eq!(body["earlier"][0]["winners"], json!(["S1"]));
}

#[actix_web::test]
async fn stored_decisions_are_made_again_byte_for_byte() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 2), ("A", "S2", 2), ("B", "S3", 1)]).await;
    for lines in [&[("A", 1)][..], &[("A", 3)], &[("A", 1), ("B", 1)], &[("B", 1)]] {
        pool.place(order(lines)).await;
    }
    let same = pool.service.test.store.read("again", |tx| {
        use diesel::prelude::*;
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            document: String,
        }
        let ruleset = inventory::store::rulesets::active(tx)?;
        let rows: Vec<Row> = diesel::sql_query("SELECT document FROM decisions").load(tx.conn())?;
        let again = |row: &Row| {
            let decision: inventory::domain::Decision = serde_json::from_str(&row.document).unwrap();
            serde_json::to_string(&decision.again(&ruleset)).unwrap() == row.document
        };
        Ok::<_, store::Error>(rows.iter().map(again).collect::<Vec<bool>>())
    });
    assert_eq!(same.await.unwrap(), [true; 4]);
}

#[actix_web::test]
async fn a_dry_run_plans_and_reserves_nothing() {
    let pool = Pool::new().await;
    pool.receive(&[("CUP", "S1", 4), ("POT", "S2", 2)]).await;
    let body = json!({"channel": "tmall", "channel_order_no": "whatever an order carries",
        "fulfilment": {"type": "ship", "ship_to": {"latitude": 0.0, "longitude": 0.0}},
        "lines": [{"line_no": 1, "sku": "SET", "quantity": 2, "unit_price": {"amount": 100, "currency": "CNY"}}]});
    let reply = pool.service.post("/v1/sourcing/plans", body).await;
    let expected = json!([{"line_no": 1, "sku": "CUP", "location": "S1", "quantity": 4}, {"line_no": 1, "sku": "POT", "location": "S2", "quantity": 2}]);
    assert_eq!(reply.body["allocations"], expected, "{}", reply.text);
    assert_eq!(pool.balance("CUP", "S1").await, (4, 0, 0, 4));
    let nowhere = json!({"channel": "tmall", "fulfilment": {"type": "ship"}, "lines": [{"sku": "CUP", "quantity": 1}]});
    let reply = pool.service.post("/v1/sourcing/plans", nowhere).await;
    assert!(reply.body["ordered_by"].as_str().unwrap().contains("no coordinates"), "{}", reply.text);
}
