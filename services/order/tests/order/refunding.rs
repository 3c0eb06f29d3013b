//! Refunds as rows, and to which payments they go.

use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::RefundIssued;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, answered, fen, line, order};

/// Three units that 1.00 is paid for and 0.10 of freight: 0.50 with a voucher, 0.60 with a card. The example of
/// docs/returns.md.
fn tea() -> Value {
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["freight"] = fen(10);
    body["payments"] = json!([
        {"method": "voucher", "amount": fen(50), "reference": "v-1"}, {"method": "card", "amount": fen(60)},
    ]);
    body
}

/// Takes a return of one unit as far as its refund. The path that issues it.
async fn inspected(shop: &Shop, order: &str) -> String {
    let lines = json!([{"line_no": 1, "quantity": 1}]);
    let asked = shop.post("/v1/returns", json!({"order_id": order, "lines": lines, "reason": "too small"})).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("approve")).await.status, 200);
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 200);
    let lines = json!({"lines": [{"position": 1, "disposition": "restock"}]});
    assert_eq!(shop.post(&path("inspect"), lines).await.status, 200);
    path("refund")
}

/// Brings the units of the order's only fulfilment order to the buyer.
async fn deliver(shop: &Shop, order: &str) {
    for fulfilment in shop.fulfilments(order).await {
        for step in ["accept", "ship", "deliver"] {
            assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
        }
    }
}

/// What of each payment has gone back.
fn refunded(order: &Value) -> Vec<i64> {
    order["payments"].as_array().unwrap().iter().map(|it| it["refunded_amount"]["amount"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn refunds_use_up_one_payment_after_the_other() {
    let shop = Shop::new().await;
    let placed = shop.post("/v1/orders", tea()).await;
    let id = placed.id();
    assert_eq!(placed.body["payments"][0]["refunded_amount"], fen(0));
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}], "reason": "one is enough"});
    let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await;
    // 100 over three units: 33 for the first.
    assert_eq!(refunded(&cancelled.body), [33, 0]);
    shop.assert_money_adds_up();
    shop.test.clock.advance(Duration::from_secs(60));
    deliver(&shop, &id).await;
    // 67 − 33 = 34 for the second: 17 is left of the voucher.
    assert_eq!(shop.act(&inspected(&shop, &id).await).await.status, 200);
    assert_eq!(refunded(&shop.order(&id).await), [50, 17]);
    shop.assert_money_adds_up();
    shop.test.clock.advance(Duration::from_secs(60));
    // 100 − 67 = 33 for the third, and the freight: 43.
    assert_eq!(shop.act(&inspected(&shop, &id).await).await.status, 200);
    let read = shop.order(&id).await;
    assert_eq!((refunded(&read), &read["payment_status"]), (vec![50, 60], &json!("refunded")));
    shop.assert_money_adds_up();
    let causes: Vec<_> = read["refunds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["cause"].as_str().unwrap(), it["reason"].as_str().unwrap(), &it["total_amount"]))
        .collect();
    let (first, second, third) = (fen(33), fen(34), fen(43));
    let expected =
        [("cancellation", "one is enough", &first), ("return", "too small", &second), ("return", "too small", &third)];
    assert_eq!(causes, expected);
    assert_eq!(
        read["refunds"][1]["parts"],
        json!([{"sequence": 1, "amount": fen(17)}, {"sequence": 2, "amount": fen(17)}])
    );
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    let parts: Vec<Vec<_>> = issued
        .iter()
        .map(|it| it.parts.iter().map(|it| (it.method.as_str(), it.reference.as_deref(), it.amount)).collect())
        .collect();
    assert_eq!(parts, [vec![("voucher", Some("v-1"), 17), ("card", None, 17)], vec![("card", None, 43)]]);
}

#[actix_web::test]
async fn refunds_at_once_never_give_a_payment_back_twice() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    deliver(&shop, &id).await;
    let mut refunds = Vec::new();
    for _ in 0..3 {
        refunds.push(inspected(&shop, &id).await);
    }
    let answers = join_all(refunds.iter().chain(&refunds).map(|path| shop.act(path))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
    assert_eq!(refunded(&shop.order(&id).await), [50, 60]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn an_order_that_the_channel_settles_has_refunds_without_parts() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 2, 100)])).await;
    assert_eq!(shop.act(&inspected(&shop, &id).await).await.status, 200);
    let read = shop.order(&id).await;
    assert_eq!((&read["refunds"][0]["total_amount"], &read["refunds"][0]["parts"]), (&fen(100), &Value::Null));
    assert_eq!(read["payments"], Value::Null);
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    assert!(issued[0].parts.is_empty());
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn the_payments_of_orders_from_before_are_taken_over_with_what_went_back() {
    const DOWN: &str = include_str!("../../../../migrations/order/00000000014000_payments/down.sql");
    const UP: &str = include_str!("../../../../migrations/order/00000000014000_payments/up.sql");
    // These stand on the tables of the former.
    const LATER: [(&str, &str); 2] = [
        (
            include_str!("../../../../migrations/order/00000000019001_exchanges/down.sql"),
            include_str!("../../../../migrations/order/00000000019001_exchanges/up.sql"),
        ),
        (
            include_str!("../../../../migrations/order/00000000020000_authorised/down.sql"),
            include_str!("../../../../migrations/order/00000000020000_authorised/up.sql"),
        ),
    ];
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", tea()).await.id();
    let other = shop.placed("T-2", json!([line(1, "A", 1, 100)])).await;
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await.status, 200);
    deliver(&shop, &id).await;
    assert_eq!(shop.act(&inspected(&shop, &id).await).await.status, 200);
    let [(one_down, one_up), (two_down, two_up)] = LATER;
    let sql = format!("SET search_path = \"order\"; {two_down}; {one_down}; {DOWN}; {UP}; {one_up}; {two_up}");
    shop.test.database.execute(&sql);
    // 33 were cancelled and 34 came back: 67 is all of the voucher and 17 of the card. Only the return knows its refund.
    let read = shop.order(&id).await;
    assert_eq!(refunded(&read), [50, 17]);
    assert_eq!(read["payments"][0]["reference"], "v-1");
    assert_eq!((&read["refunds"][0]["total_amount"], &read["refunds"][1]), (&fen(34), &Value::Null));
    assert_eq!(shop.order(&other).await["payments"], Value::Null);
    assert_eq!(shop.act(&inspected(&shop, &id).await).await.status, 200);
    assert_eq!(refunded(&shop.order(&id).await), [50, 60]);
}

#[actix_web::test]
async fn fewer_units_are_refunded_however_they_are_asked_for() {
    let shop = Shop::new().await;
    let mut body = tea();
    body["channel_updated_at"] = json!("2026-11-11T10:00:00+08:00");
    let id = shop.post("/v1/orders", body.clone()).await.id();
    let fewer = json!({"lines": [{"line_no": 1, "quantity": 2}], "note": "one is enough"});
    let fewer = TestRequest::patch().uri(&format!("/v1/orders/{id}")).set_json(fewer);
    let changed = shop.send(&shop.claims("order:write"), fewer).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(refunded(&shop.order(&id).await), [33, 0]);
    body["channel_updated_at"] = json!("2026-11-11T11:00:00+08:00");
    body["lines"][0]["quantity"] = json!(1);
    body["discount"] = fen(0);
    body["payments"] = json!([{"method": "card", "amount": fen(110)}]);
    let updated = shop.post("/v1/orders", body).await;
    assert_eq!(updated.status, 200, "{}", updated.body);
    // 67 of 100 for two of three units.
    assert_eq!(refunded(&shop.order(&id).await), [50, 17]);
    shop.assert_money_adds_up();
}
