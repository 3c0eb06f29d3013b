//! Payments that are promised first and taken later, or given up.

use std::time::Duration;

use contracts::events::{PaymentReceived, RefundIssued};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Three units of 1.00, for which a card promises so much.
fn promised(amount: i64) -> Value {
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["payments"] = json!([card(amount)]);
    body
}

fn card(amount: i64) -> Value {
    json!({"method": "card", "amount": fen(amount), "reference": "auth-1", "status": "authorised"})
}

async fn settle(shop: &Shop, id: &str, sequence: i32, what: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/orders/{id}/payments/{sequence}/{what}"), body).await
}

/// What is paid, promised and due, and where the money stands.
fn money(order: &Value) -> (i64, i64, i64, &str) {
    let of = |name: &str| order["totals"][name]["amount"].as_i64().unwrap_or_default();
    (of("paid_amount"), of("authorised_amount"), of("due_amount"), order["payment_status"].as_str().unwrap())
}

async fn work(shop: &Shop, id: &str) {
    for fulfilment in shop.fulfilments(id).await {
        for step in ["accept", "ship", "deliver"] {
            assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200, "{step}");
        }
    }
}

/// The example of docs/returns.md.
#[actix_web::test]
async fn what_is_promised_covers_the_order_and_is_paid_when_it_is_captured() {
    let shop = Shop::new().await;
    let placed = shop.post("/v1/orders", promised(300)).await;
    assert_eq!((placed.status, money(&placed.body)), (201, (0, 300, 0, "authorised")), "{}", placed.body);
    let id = placed.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), one).await;
    assert_eq!(money(&cancelled.body), (0, 200, 0, "authorised"), "{}", cancelled.body);
    work(&shop, &id).await;
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "delivered", "it is not paid");
    assert_eq!(told::<RefundIssued>(&shop.test.store).await.len(), 0);
    let captured = settle(&shop, &id, 1, "capture", json!({"amount": fen(150)})).await;
    assert_eq!((captured.status, money(&captured.body)), (200, (150, 0, 50, "partially_paid")), "{}", captured.body);
    let payment = &captured.body["payments"][0];
    assert_eq!((&payment["status"], &payment["captured_amount"]), (&json!("captured"), &fen(150)));
    shop.assert_money_adds_up();
    let cash = json!({"method": "cash", "amount": fen(50)});
    let paid = shop.post(&format!("/v1/orders/{id}/payments"), cash).await;
    assert_eq!(money(&paid.body), (200, 0, 0, "paid"), "{}", paid.body);
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
    let received: Vec<PaymentReceived> = told(&shop.test.store).await;
    assert_eq!(
        received.iter().map(|it| (it.sequence, it.amount, it.due_amount)).collect::<Vec<_>>(),
        [(1, 150, 50), (2, 50, 0)]
    );
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn an_order_completes_when_what_was_promised_is_captured() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", promised(300)).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    work(&shop, &id).await;
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("complete_orders").await;
    let captured = settle(&shop, &id, 1, "capture", json!({})).await;
    assert_eq!(money(&captured.body), (300, 0, 0, "paid"), "{}", captured.body);
    let again = settle(&shop, &id, 1, "capture", json!({"amount": fen(300)})).await;
    assert_eq!((again.status, &again.body["version"]), (200, &captured.body["version"]));
    assert_eq!(settle(&shop, &id, 1, "void", json!({})).await.code(), (409, "state_conflict"));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&id).await["status"], "completed");
}

#[actix_web::test]
async fn a_promise_that_is_given_up_is_due_again() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["payment_terms"] = json!({"type": "prepaid"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    assert_eq!(shop.order(&id).await["fulfilments"][0]["status"], "waiting");
    let promised = shop.post(&format!("/v1/orders/{id}/payments"), card(300)).await;
    assert_eq!((promised.status, money(&promised.body)), (200, (0, 300, 0, "authorised")), "{}", promised.body);
    assert_eq!(promised.body["fulfilments"][0]["status"], "offered", "it is covered");
    for (sequence, amount, code) in [(2, 1, (404, "not_found")), (1, 301, (422, "invalid_field"))] {
        assert_eq!(settle(&shop, &id, sequence, "capture", json!({"amount": fen(amount)})).await.code(), code);
    }
    let voided = settle(&shop, &id, 1, "void", json!({})).await;
    assert_eq!(money(&voided.body), (0, 0, 300, "unpaid"), "{}", voided.body);
    assert_eq!(voided.body["payments"][0]["status"], "voided");
    assert_eq!(settle(&shop, &id, 1, "void", json!({})).await.body["version"], voided.body["version"]);
    assert_eq!(settle(&shop, &id, 1, "capture", json!({})).await.code(), (409, "state_conflict"));
    assert_eq!(told::<PaymentReceived>(&shop.test.store).await, []);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn captures_and_cancellations_that_race_leave_no_fen_twice() {
    let shop = Shop::new().await;
    let mut body = promised(300);
    let part = |amount: i64, reference: &str| json!({"method": "card", "amount": fen(amount), "reference": reference, "status": "authorised"});
    body["payments"] = json!([part(100, "a"), part(120, "b"), part(80, "c")]);
    let id = shop.post("/v1/orders", body).await.id();
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let cancel_path = format!("/v1/orders/{id}/cancel");
    let cancels = join_all((0..2).map(|_| shop.post(&cancel_path, cancel.clone())));
    let captures = join_all((1..=3).map(|sequence| settle(&shop, &id, sequence, "capture", json!({}))));
    let (cancels, captures) = futures_util::join!(cancels, captures);
    assert!(cancels.iter().all(|it| it.status == 200), "{cancels:?}");
    // What was cancelled first may have left nothing of a payment to capture.
    assert!(captures.iter().all(|it| [200, 409].contains(&it.status)), "{captures:?}");
    let order = shop.order(&id).await;
    let kept = order["totals"]["paid_amount"]["amount"].as_i64().unwrap()
        - order["totals"]["refunded_amount"]["amount"].as_i64().unwrap();
    assert_eq!(kept + money(&order).1 + money(&order).2, 100, "one unit is left: {order}");
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_channel_that_has_captured_a_payment_says_so_with_an_update() {
    let shop = Shop::new().await;
    let sent = |minute: u32, status: &str, more: &[Value]| {
        let mut body = promised(300);
        body["channel_updated_at"] = json!(format!("2026-11-11T00:{minute:02}:00+08:00"));
        body["payments"][0]["status"] = json!(status);
        body["payments"].as_array_mut().unwrap().extend(more.iter().cloned());
        body
    };
    let placed = shop.post("/v1/orders", sent(10, "authorised", &[])).await;
    let (id, more) = (placed.id(), [json!({"method": "cash", "amount": fen(1)})]);
    let beyond = shop.post("/v1/orders", sent(20, "captured", &more)).await;
    assert_eq!(beyond.status, 422, "what is paid is not what it costs: {}", beyond.body);
    for _ in 0..2 {
        let captured = shop.post("/v1/orders", sent(20, "captured", &[])).await;
        assert_eq!((captured.status, money(&captured.body)), (200, (300, 0, 0, "paid")), "{}", captured.body);
    }
    let [received]: [PaymentReceived; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((received.sequence, received.amount, received.due_amount), (1, 300, 0));
    // What was taken is not promised again, and what was given up was not taken.
    let back = shop.post("/v1/orders", sent(30, "authorised", &[])).await;
    assert_eq!((back.status, money(&back.body)), (200, (300, 0, 0, "paid")), "{}", back.body);
    let mut other = promised(300);
    (other["channel_order_no"], other["channel_updated_at"]) = (json!("T-2"), json!("2026-11-11T00:10:00+08:00"));
    let second = shop.post("/v1/orders", other.clone()).await.id();
    assert_eq!(settle(&shop, &second, 1, "void", json!({})).await.status, 200);
    other["channel_updated_at"] = json!("2026-11-11T00:20:00+08:00");
    other["payments"][0]["status"] = json!("captured");
    let refused = shop.post("/v1/orders", other).await;
    assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec!["payments"]), "{}", refused.body);
    assert_eq!(shop.order(&id).await["payments"].as_array().unwrap().len(), 1);
    shop.assert_money_adds_up();
}
