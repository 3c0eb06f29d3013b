//! Events that were lost between the order book and the inventory, as the order book makes up for them.

use std::time::Duration;

use contracts::events::{OrderRestated, StockPromisedLong};
use futures_util::future::join_all;
use kernel::id::OrderId;
use serde_json::json;
use testkit::told;

use crate::sourcing::waits;
use crate::support::{Shop, answered, line};

const A_MINUTE: (&str, &str) = ("LONGEST_STAY__SOURCING", "60");

async fn after(shop: &Shop, seconds: u64) {
    shop.run_job("fold_moves").await;
    shop.test.clock.advance(Duration::from_secs(seconds));
    shop.run_job("restate_orders").await;
}

async fn restated(shop: &Shop) -> Vec<OrderRestated> {
    told(&shop.test.store).await
}

#[actix_web::test]
async fn an_order_without_an_answer_is_asked_for_once_a_minute_until_it_is_answered() {
    let shop = Shop::with(&[A_MINUTE]).await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    after(&shop, 59).await;
    assert!(restated(&shop).await.is_empty());
    after(&shop, 1).await;
    after(&shop, 59).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    assert_eq!((event.order_id.to_string(), event.version, event.cancelled), (id.clone(), 1, false));
    assert_eq!((event.channel.as_str(), event.total_amount, event.unanswered_version), ("tmall", 2000, None));
    let [ordered] = event.lines.try_into().unwrap();
    assert_eq!((ordered.line_no, ordered.sku.as_str(), ordered.quantity.get()), (1, "A", 2));
    assert_eq!(event.fulfilment.destination.unwrap().province.as_deref(), Some("上海市"));
    after(&shop, 1).await;
    assert_eq!(restated(&shop).await.len(), 2);
    let asked = &shop.get("/v1/orders/stuck").await.body["items"][0]["asked_again"];
    assert_eq!((&asked["times"], &asked["at"]), (&json!(2), &json!(shop.test.store.now())));
    // The first answer comes after all, and then the one to each question: the same.
    for _ in 0..3 {
        shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
    }
    assert_eq!(shop.fulfilments(&id).await.len(), 1);
    assert_eq!(shop.order(&id).await["status"], "sourced");
    after(&shop, 600).await;
    assert_eq!(restated(&shop).await.len(), 2);
}

#[actix_web::test]
async fn a_question_says_what_the_order_book_knows() {
    let shop = Shop::with(&[A_MINUTE]).await;
    let parts = [(1, "A", "W1", 1), (1, "A", "W2", 2)];
    let id = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &parts).await;
    let [first, second] = shop.fulfilments(&id).await.try_into().unwrap();
    for fulfilment in [&first, &second] {
        shop.post(&format!("/v1/fulfilments/{fulfilment}/reject"), json!({"reason": "broken"})).await;
    }
    shop.hear(&answered(&id, 2, &[(1, "A", "S1", 1)])).await;
    assert_eq!(shop.order(&id).await["status"], "sourcing", "two units have no location");
    after(&shop, 60).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    let known: Vec<_> = event
        .fulfilments
        .iter()
        .map(|it| (it.attempt, it.location.as_str(), it.open, it.refused, it.lines[0].quantity.get()))
        .collect();
    assert_eq!(known, [(1, "W1", false, true, 1), (1, "W2", false, true, 2), (2, "S1", true, false, 1)]);
}

#[actix_web::test]
async fn with_a_stay_of_zero_nobody_is_asked() {
    let shop = Shop::with(&[("LONGEST_STAY__SOURCING", "0")]).await;
    shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    after(&shop, 365 * 24 * 3600).await;
    assert!(restated(&shop).await.is_empty());
}

#[actix_web::test]
async fn that_an_order_is_cancelled_is_said_once_more_an_hour_later() {
    let shop = Shop::with(&[A_MINUTE]).await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    shop.act(&format!("/v1/orders/{id}/cancel")).await;
    after(&shop, 3599).await;
    assert!(restated(&shop).await.is_empty());
    after(&shop, 1).await;
    after(&shop, 24 * 3600).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    assert_eq!((event.order_id.to_string(), event.cancelled), (id, true));
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_stays"), 0);
}

#[actix_web::test]
async fn two_replicas_ask_once() {
    let shop = Shop::with(&[A_MINUTE]).await;
    for number in 0..20 {
        shop.placed(&format!("T-{number}"), json!([line(1, "A", 1, 1000)])).await;
    }
    shop.run_job("fold_moves").await;
    shop.test.clock.advance(Duration::from_secs(60));
    join_all((0..4).map(|_| shop.run_job("restate_orders"))).await;
    assert_eq!(restated(&shop).await.len(), 20);
}

#[actix_web::test]
async fn the_inventory_hears_where_an_order_stands_that_it_asks_about() {
    let shop = Shop::new().await;
    let parts = [(1, "A", "W1", 2), (1, "A", "W2", 2)];
    let id = shop.sourced("T-1", json!([line(1, "A", 5, 1000)]), &parts).await;
    let [first, _] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "pick", "pack", "ship"] {
        shop.act(&format!("/v1/fulfilments/{first}/{step}")).await;
    }
    let question = StockPromisedLong { order_id: id.parse().unwrap(), found_at: shop.test.store.now() };
    shop.hear(&question).await;
    // Of an order that is not in the book there is nothing to say.
    shop.hear(&StockPromisedLong { order_id: OrderId::at(shop.test.store.now()), ..question }).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    let known = event.fulfilments.iter().map(|it| (it.location.as_str(), it.open, it.shipped)).collect::<Vec<_>>();
    assert_eq!(known, [("W1", false, true), ("W2", true, false)]);
    let [missing] = event.uncovered.unwrap().try_into().unwrap();
    assert_eq!((missing.line_no, missing.sku.as_str(), missing.quantity.get()), (1, "A", 1));
    // A unit of those that nobody has is cancelled, and nothing is missing any more.
    shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    shop.hear(&question).await;
    assert_eq!(restated(&shop).await[1].uncovered, Some(Vec::new()));
}

#[actix_web::test]
async fn a_line_that_was_added_and_never_answered_is_asked_for_although_locations_work_on_the_rest() {
    let shop = Shop::new().await;
    let mut orders = Vec::new();
    for number in ["T-1", "T-2", "T-3"] {
        let id = shop.sourced(number, json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
        orders.push(id);
    }
    let [lost, answers, whole] = orders.try_into().unwrap();
    for id in [&lost, &answers] {
        let added = shop.patch(&format!("/v1/orders/{id}"), json!({"add": {"lines": [line(2, "B", 1, 500)]}})).await;
        assert_eq!((added.status, &added.body["status"]), (200, &json!("fulfilling")), "{}", added.body);
    }
    shop.hear(&answered(&answers, 2, &[(2, "B", "W2", 1)])).await;
    after(&shop, 24 * 3600 - 1).await;
    assert!(restated(&shop).await.is_empty());
    after(&shop, 1).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    let [missing] = event.uncovered.unwrap().try_into().unwrap();
    assert_eq!((event.order_id.to_string(), missing.line_no, missing.quantity.get()), (lost.clone(), 2, 1));
    // The next day again, until it is answered.
    after(&shop, 24 * 3600).await;
    assert_eq!(restated(&shop).await.len(), 2);
    shop.hear(&answered(&lost, 2, &[(2, "B", "W2", 1)])).await;
    after(&shop, 24 * 3600).await;
    assert_eq!(restated(&shop).await.len(), 2);
    assert_eq!(shop.order(&whole).await["status"], "fulfilling");
}

#[actix_web::test]
async fn a_line_that_was_lost_is_asked_for_although_the_inventory_lets_the_rest_wait() {
    let shop = Shop::with(&[A_MINUTE]).await;
    let id = shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    shop.hear(&waits(&id, 1, "A", 1)).await;
    let added = shop.patch(&format!("/v1/orders/{id}"), json!({"add": {"lines": [line(2, "B", 1, 500)]}})).await;
    assert_eq!((added.status, &added.body["status"]), (200, &json!("backordered")), "{}", added.body);
    after(&shop, 24 * 3600 - 1).await;
    assert!(restated(&shop).await.is_empty());
    after(&shop, 1).await;
    let [event] = restated(&shop).await.try_into().unwrap();
    let missing: Vec<i32> = event.uncovered.unwrap().iter().map(|it| it.line_no).collect();
    assert_eq!(missing, [1, 2]);
    // It is a look, not a question that somebody waits for.
    let asked = shop.number("SELECT sum(asked)::bigint FROM \"order\".order_stays");
    assert_eq!(asked, 0);
}
