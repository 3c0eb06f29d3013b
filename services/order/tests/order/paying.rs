//! Orders that are paid after they came into the book.

use std::time::Duration;

use contracts::events::{OrderCompleted, PaymentReceived, RefundIssued};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Three units that 1.00 is to be paid for on delivery, and 0.10 of freight.
fn tea() -> Value {
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["freight"] = fen(10);
    body["payment_terms"] = json!({"type": "on_delivery"});
    body
}

async fn pay(shop: &Shop, order: &str, reference: &str, amount: i64) -> Answer {
    let payment = json!({"method": "cash", "reference": reference, "amount": fen(amount)});
    shop.post(&format!("/v1/orders/{order}/payments"), payment).await
}

async fn deliver(shop: &Shop, order: &str) {
    for fulfilment in shop.fulfilments(order).await {
        for step in ["accept", "ship", "deliver"] {
            assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
        }
    }
}

/// What the buyer has paid, got back and still has to pay, and where the money stands.
fn money(order: &Value) -> (i64, i64, i64, &str) {
    let of = |name: &str| order["totals"][name]["amount"].as_i64().unwrap();
    (of("paid_amount"), of("refunded_amount"), of("due_amount"), order["payment_status"].as_str().unwrap())
}

#[actix_web::test]
async fn cash_on_delivery_is_paid_in_parts_and_completes_when_all_is_there() {
    let shop = Shop::new().await;
    let placed = shop.post("/v1/orders", tea()).await;
    let id = placed.id();
    assert_eq!((placed.body["status"].as_str(), money(&placed.body)), (Some("sourcing"), (0, 0, 110, "unpaid")));
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    deliver(&shop, &id).await;
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "delivered");
    let part = pay(&shop, &id, "c-1", 60).await;
    assert_eq!((part.status, money(&part.body)), (200, (60, 0, 50, "partially_paid")), "{}", part.body);
    let again = pay(&shop, &id, "c-1", 60).await;
    assert_eq!((again.status, &again.body["version"]), (200, &part.body["version"]));
    assert_eq!(pay(&shop, &id, "c-1", 61).await.code(), (409, "contradiction"));
    for amount in [51, 0] {
        let refused = pay(&shop, &id, "c-2", amount).await;
        assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["amount"]));
    }
    let mut dollars = json!({"method": "cash", "amount": fen(50)});
    dollars["amount"]["currency"] = json!("USD");
    let refused = shop.post(&format!("/v1/orders/{id}/payments"), dollars).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["amount"]));
    assert_eq!(money(&pay(&shop, &id, "c-2", 50).await.body), (110, 0, 0, "paid"));
    assert_eq!(pay(&shop, &id, "c-3", 1).await.code(), (409, "state_conflict"));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
    assert_eq!(told::<OrderCompleted>(&shop.test.store).await.len(), 1);
    let paid: Vec<_> = told::<PaymentReceived>(&shop.test.store).await;
    let paid: Vec<_> = paid.iter().map(|it| (it.sequence, it.amount, it.due_amount)).collect();
    assert_eq!(paid, [(1, 60, 50), (2, 50, 0)]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_not_paid_is_waived_and_only_what_is_paid_goes_back() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await;
    // 33 of 100 are for the first unit: 77 are left to pay, and nothing to refund.
    assert_eq!(money(&cancelled.body), (0, 0, 77, "unpaid"));
    assert_eq!(money(&pay(&shop, &id, "c-1", 47).await.body), (47, 0, 30, "partially_paid"));
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await;
    // 34 for the second unit: the 30 that were due, and 4 go back.
    assert_eq!(money(&cancelled.body), (47, 4, 0, "partially_refunded"));
    let whole = shop.act(&format!("/v1/orders/{id}/cancel")).await;
    assert_eq!((money(&whole.body), &whole.body["status"]), ((47, 47, 0, "refunded"), &json!("cancelled")));
    let amounts: Vec<_> = whole.body["refunds"].as_array().unwrap().iter().map(|it| &it["total_amount"]).collect();
    assert_eq!(amounts, [&fen(4), &fen(43)]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn nothing_is_to_be_paid_of_what_was_cancelled_or_is_settled() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    let cancelled = shop.act(&format!("/v1/orders/{id}/cancel")).await;
    assert_eq!((money(&cancelled.body), &cancelled.body["refunds"]), ((0, 0, 0, "unpaid"), &Value::Null));
    assert_eq!(pay(&shop, &id, "c-1", 10).await.code(), (409, "state_conflict"));
    let settled = shop.placed("T-2", json!([line(1, "A", 1, 100)])).await;
    assert_eq!(pay(&shop, &settled, "c-1", 10).await.code(), (409, "state_conflict"));
    let mut paid = tea();
    paid["payment_terms"] = json!({"type": "settled"});
    let refused = shop.post("/v1/orders", paid).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["payment_terms.type"]));
    let mut more = tea();
    more["payments"] = json!([{"method": "card", "amount": fen(111)}]);
    let refused = shop.post("/v1/orders", more).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "amount_mismatch"), vec!["payments"]));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn an_order_is_never_paid_twice() {
    let shop = Shop::new().await;
    let mut body = tea();
    body["payments"] = json!([{"method": "card", "amount": fen(30)}]);
    let placed = shop.post("/v1/orders", body).await;
    assert_eq!(money(&placed.body), (30, 0, 80, "partially_paid"));
    let id = placed.id();
    let numbers: Vec<String> = (0..8).map(|number| format!("c-{number}")).collect();
    let paid = join_all(numbers.iter().map(|number| pay(&shop, &id, number, 80))).await;
    assert_eq!(paid.iter().filter(|answer| answer.status == 200).count(), 1);
    let read = shop.order(&id).await;
    assert_eq!((money(&read), read["payments"].as_array().unwrap().len()), ((110, 0, 0, "paid"), 2));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_no_longer_due_completes_too() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    deliver(&shop, &id).await;
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("complete_orders").await;
    assert_eq!(money(&pay(&shop, &id, "c-1", 60).await.body), (60, 0, 50, "partially_paid"));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "delivered");
    let favour = json!({"lines": [{"line_no": 1, "amount": fen(50)}], "reason": "scratched"});
    let favoured = shop.post(&format!("/v1/orders/{id}/refunds"), favour).await;
    assert_eq!(money(&favoured.body), (60, 0, 0, "paid"), "{}", favoured.body);
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_paid_in_time_keeps_its_return_window() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    deliver(&shop, &id).await;
    assert_eq!(pay(&shop, &id, "c-1", 110).await.status, 200);
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "delivered");
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
}

/// Takes a return of so many units as far as its refund; the return.
async fn returned(shop: &Shop, order: &str, units: i64) -> Value {
    let lines = json!([{"line_no": 1, "quantity": units}]);
    let asked = shop.post("/v1/returns", json!({"order_id": order, "lines": lines, "reason": "too small"})).await;
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("approve")).await.status, 200);
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 200);
    let lines = json!({"lines": [{"position": 1, "disposition": "restock"}]});
    assert_eq!(shop.post(&path("inspect"), lines).await.status, 200);
    let refunded = shop.act(&path("refund")).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    refunded.body
}

#[actix_web::test]
async fn of_what_comes_back_unpaid_only_what_was_paid_is_refunded() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    deliver(&shop, &id).await;
    // 33 of the 110 are for the first unit, and nothing is paid.
    assert_eq!(returned(&shop, &id, 1).await["refund_amount"], fen(0));
    assert_eq!(money(&shop.order(&id).await), (0, 0, 77, "unpaid"));
    assert_eq!(money(&pay(&shop, &id, "c-1", 60).await.body), (60, 0, 17, "partially_paid"));
    // 34 for the second: the 17 that are due, and 17 go back.
    assert_eq!(returned(&shop, &id, 1).await["refund_amount"], fen(17));
    assert_eq!(money(&shop.order(&id).await), (60, 17, 0, "partially_refunded"));
    // 33 and the freight for the last.
    assert_eq!(returned(&shop, &id, 1).await["refund_amount"], fen(43));
    assert_eq!(money(&shop.order(&id).await), (60, 60, 0, "refunded"));
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!(issued.iter().map(|it| it.total_amount).collect::<Vec<_>>(), [0, 17, 43]);
    shop.assert_money_adds_up();
}
