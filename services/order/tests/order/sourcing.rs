//! The inventory's answers.

use actix_web::test::TestRequest;
use bus::ConsumeError;
use contracts::events::{BackorderedSku, FulfilmentOffered, StockBackordered};
use kernel::Timestamp;
use kernel::id::{DecisionId, OrderId};
use serde_json::json;
use testkit::told;

use crate::support::{Shop, answered, code, line, order};

pub fn waits(order: &str, attempt: i32, sku: &str, missing: i64) -> StockBackordered {
    StockBackordered {
        order_id: order.parse().unwrap(),
        decision_id: DecisionId::at(Timestamp::EPOCH),
        attempt,
        missing: vec![BackorderedSku { sku: code(sku), missing: missing.try_into().unwrap() }],
        unfillable: Vec::new(),
        answers_version: None,
    }
}

#[actix_web::test]
async fn each_location_is_offered_its_part_once() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 3, 1000), line(2, "B", 1, 1000)])).await;
    let answer = answered(&id, 1, &[(1, "A", "W1", 2), (1, "A", "W2", 1), (2, "B", "W2", 1)]);
    shop.hear(&answer).await;
    shop.hear(&answer).await;
    let order = shop.order(&id).await;
    assert_eq!(order["status"], "sourced");
    assert_eq!(order["fulfilments"].as_array().unwrap().len(), 2);
    let offered: Vec<FulfilmentOffered> = told(&shop.test.store).await;
    let parts: Vec<_> = offered.iter().map(|it| (it.location.as_str(), it.lines.len())).collect();
    assert_eq!(parts, [("W1", 1), ("W2", 2)]);
    assert_eq!(order["history"].as_array().unwrap().len(), 3, "{}", order["history"]);
}

#[actix_web::test]
async fn an_order_without_stock_waits_and_is_offered_when_stock_comes() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 3, 1000)])).await;
    shop.hear(&waits(&id, 1, "A", 3)).await;
    assert_eq!(shop.order(&id).await["status"], "backordered");
    shop.hear(&answered(&id, 2, &[(1, "A", "W1", 3)])).await;
    assert_eq!(shop.order(&id).await["status"], "sourced");
    // The first answer again, late: it says nothing any more.
    shop.hear(&waits(&id, 1, "A", 3)).await;
    assert_eq!(shop.order(&id).await["status"], "sourced");
}

#[actix_web::test]
async fn a_part_is_offered_while_the_rest_waits() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 3, 1000)])).await;
    // One decision, told in two answers.
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
    shop.hear(&waits(&id, 1, "A", 1)).await;
    assert_eq!(shop.order(&id).await["status"], "backordered");
    let [first] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{first}/accept")).await;
    assert_eq!(shop.order(&id).await["status"], "fulfilling");
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 1)])).await;
    let order = shop.order(&id).await;
    let parts: Vec<_> = order["fulfilments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["location"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect();
    assert_eq!(parts, [("W1", "accepted"), ("W2", "offered")]);
    assert_eq!(shop.fulfilments(&id).await.len(), 2);
}

#[actix_web::test]
async fn an_answer_for_an_order_nobody_knows_is_tried_again() {
    let shop = Shop::new().await;
    let unknown = OrderId::at(shop.test.store.now()).to_string();
    let heard = shop.try_hear(&answered(&unknown, 1, &[(1, "A", "W1", 1)])).await;
    assert!(matches!(heard, Err(ConsumeError::Retry(_))), "{heard:?}");
}

#[actix_web::test]
async fn whoever_waits_is_answered_when_the_order_is_sourced() {
    let shop = Shop::new().await;
    let request = TestRequest::post().uri("/v1/orders").insert_header(("Prefer", "wait=30"));
    let claims = shop.claims("*");
    let place = shop.send(&claims, request.set_json(order("T-1", json!([line(1, "A", 1, 1000)]))));
    let source = async {
        let placed = testkit::eventually("the order is told", async || {
            told::<contracts::events::OrderPlaced>(&shop.test.store).await.pop()
        });
        let id = placed.await.order_id.to_string();
        shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1)])).await;
    };
    let (answer, ()) = futures_util::join!(place, source);
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("sourced")));
    let brief = TestRequest::post().uri("/v1/orders").insert_header(("Prefer", "wait=0"));
    let answer = shop.send(&claims, brief.set_json(order("T-2", json!([line(1, "A", 1, 1000)])))).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("sourcing")));
}

#[actix_web::test]
async fn a_rejected_part_goes_to_another_location() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &[(1, "A", "W1", 2), (1, "A", "W2", 1)]).await;
    let [first, second] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{second}/accept")).await;
    let rejected = shop.post(&format!("/v1/fulfilments/{first}/reject"), json!({"reason": "broken"})).await;
    assert_eq!((rejected.status, &rejected.body["status"]), (200, &json!("rejected")));
    assert_eq!(shop.order(&id).await["status"], "fulfilling");
    shop.hear(&answered(&id, 2, &[(1, "A", "S1", 2)])).await;
    let order = shop.order(&id).await;
    let states: Vec<_> = order["fulfilments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["location"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("W1", "rejected"), ("W2", "accepted"), ("S1", "offered")]);
}

#[actix_web::test]
async fn an_order_that_no_location_could_ever_fill_says_so_until_one_can() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000), line(2, "B", 1, 1000)])).await;
    let never =
        |attempt, missing| StockBackordered { unfillable: vec![code("B")], ..waits(&id, attempt, "B", missing) };
    shop.hear(&never(1, 1)).await;
    assert_eq!(shop.order(&id).await["status"], "unfillable");
    let found = shop.get("/v1/orders?status=unfillable").await.body;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    // A part of it ships all the same, and what is left of it still cannot.
    shop.hear(&answered(&id, 2, &[(1, "A", "W1", 2)])).await;
    shop.hear(&never(2, 1)).await;
    assert_eq!(shop.order(&id).await["status"], "unfillable");
    // A location could, but has nothing: it only waits.
    shop.hear(&waits(&id, 3, "B", 1)).await;
    assert_eq!(shop.order(&id).await["status"], "backordered");
    shop.hear(&never(4, 1)).await;
    assert_eq!(shop.order(&id).await["status"], "unfillable");
    // Without that line the order is like any other.
    let cancelled = json!({"reason": "no longer sold", "lines": [{"line_no": 2, "quantity": 1}]});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), cancelled).await.status, 200);
    assert_eq!(shop.order(&id).await["status"], "sourced");
}
