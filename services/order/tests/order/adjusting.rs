//! Parts of the price that go back for units that the buyer keeps.

use std::time::Duration;

use contracts::events::RefundIssued;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Three units that 1.00 is paid for and 0.10 of freight, by a voucher of 0.50 and a card.
async fn tea(shop: &Shop) -> String {
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["freight"] = fen(10);
    body["payments"] = json!([{"method": "voucher", "amount": fen(50)}, {"method": "card", "amount": fen(60)}]);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    id
}

/// A minute after whatever was before, as refunds are listed by time.
async fn adjust(shop: &Shop, order: &str, body: Value) -> Answer {
    shop.test.clock.advance(Duration::from_secs(60));
    shop.post(&format!("/v1/orders/{order}/refunds"), body).await
}

fn of_line(amount: i64) -> Value {
    json!({"lines": [{"line_no": 1, "amount": fen(amount)}], "reason": "scratched"})
}

fn refunds(order: &Value) -> Vec<(&str, i64)> {
    let refunds = order["refunds"].as_array().unwrap().iter();
    refunds.map(|it| (it["cause"].as_str().unwrap(), it["total_amount"]["amount"].as_i64().unwrap())).collect()
}

#[actix_web::test]
async fn the_units_share_what_is_left_of_their_price() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), one.clone()).await.status, 200);
    // 33 went back for the first unit. 10 of the other 67 go back: 57 are left for two units, 29 and 28.
    let adjusted = adjust(&shop, &id, of_line(10)).await;
    assert_eq!(adjusted.status, 200, "{}", adjusted.body);
    assert_eq!(refunds(&adjusted.body), [("cancellation", 33), ("adjustment", 10)]);
    // The voucher has 50 − 33 = 17 left.
    assert_eq!(adjusted.body["refunds"][1]["parts"], json!([{"sequence": 1, "amount": fen(10)}]));
    shop.test.clock.advance(Duration::from_secs(60));
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), one).await.status, 200);
    let freight = adjust(&shop, &id, json!({"freight": fen(4), "reason": "late"})).await;
    assert_eq!(refunds(&freight.body).get(2..), Some([("cancellation", 29), ("adjustment", 4)].as_slice()));
    // The last unit takes its 28 and the 6 that are left of the freight with it.
    shop.test.clock.advance(Duration::from_secs(60));
    let whole = shop.act(&format!("/v1/orders/{id}/cancel")).await;
    assert_eq!(refunds(&whole.body).get(4..), Some([("cancellation", 34)].as_slice()));
    assert_eq!(whole.body["totals"]["refunded_amount"], fen(110));
    assert_eq!((&whole.body["status"], &whole.body["payment_status"]), (&json!("cancelled"), &json!("refunded")));
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    let told: Vec<_> = issued.iter().map(|it| (it.adjustments.len(), it.freight_amount, it.total_amount)).collect();
    assert_eq!(told, [(1, 0, 10), (0, 4, 4)]);
    assert_eq!((issued[0].adjustments[0].line_no, issued[0].adjustments[0].amount), (1, 10));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn more_than_is_left_is_refused_by_field() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    let cases = [
        (of_line(101), "lines[0].amount"),
        (of_line(0), "lines[0].amount"),
        (json!({"lines": [{"line_no": 2, "amount": fen(1)}], "reason": "r"}), "lines[0].line_no"),
        (json!({"freight": fen(11), "reason": "r"}), "freight"),
        (json!({"reason": "r"}), "lines"),
        (
            json!({"lines": [{"line_no": 1, "amount": {"amount": 1, "currency": "USD"}}], "reason": "r"}),
            "lines[0].amount",
        ),
        (json!({"freight": fen(1), "reason": " "}), "reason"),
    ];
    for (body, field) in cases {
        let refused = adjust(&shop, &id, body.clone()).await;
        assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec![field]), "{body}");
    }
    let twice = json!({"lines": [{"line_no": 1, "amount": fen(1)}, {"line_no": 1, "amount": fen(1)}], "reason": "r"});
    assert_eq!(adjust(&shop, &id, twice).await.fields(), ["lines[1].line_no"]);
    assert_eq!(shop.order(&id).await["totals"]["given_back_amount"], fen(0));
}

#[actix_web::test]
async fn what_is_asked_for_at_once_never_exceeds_the_price() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    let answers = join_all((0..8).map(|_| adjust(&shop, &id, of_line(30)))).await;
    // Three times 30 are in 100, a fourth time is not.
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
    let whole = shop.act(&format!("/v1/orders/{id}/cancel")).await;
    assert_eq!(whole.body["totals"]["refunded_amount"], fen(110));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn the_price_of_what_is_not_paid_yet_falls() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 100)]));
    body["payment_terms"] = json!({"type": "on_delivery"});
    let id = shop.post("/v1/orders", body).await.id();
    let adjusted = adjust(&shop, &id, of_line(20)).await;
    let totals = &adjusted.body["totals"];
    assert_eq!((&totals["due_amount"], &totals["refunded_amount"]), (&fen(80), &fen(0)));
    let paid = shop.post(&format!("/v1/orders/{id}/payments"), json!({"method": "cash", "amount": fen(80)})).await;
    assert_eq!(paid.body["payment_status"], "paid");
    shop.assert_money_adds_up();
}
