//! Goods of any channel over a shop's counter: asked for, received, looked at and refunded with one request.

use contracts::events::{Disposition, RefundIssued, ReturnInspected, ReturnReceived};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, fen, line};

/// Three units for 10.00 each, and one for 5.00.
async fn delivered(shop: &Shop) -> String {
    shop.delivered("T-1001", json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)])).await
}

async fn brought(shop: &Shop, fields: Value) -> Answer {
    let mut body =
        json!({"channel": "tmall", "channel_order_no": "T-1001", "location": "S1", "reason_code": "does_not_fit"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    shop.post("/v1/returns", body).await
}

#[actix_web::test]
async fn one_request_does_all_of_it_once() {
    let shop = Shop::new().await;
    let id = delivered(&shop).await;
    let lines = json!([{"line_no": 1, "quantity": 1, "disposition": "restock"}, {"line_no": 1, "quantity": 1, "disposition": "scrap"}]);
    let body = json!({"return_no": "SH-01-000017", "lines": lines});
    let answer = brought(&shop, body.clone()).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("refunded")), "{}", answer.body);
    assert_eq!((&answer.body["refund_amount"], &answer.body["location"]), (&fen(2000), &json!("S1")));
    // The same again changes nothing; with other content it is another return of the same number.
    let again = brought(&shop, body).await;
    assert_eq!((again.status, again.id()), (200, answer.id()));
    let other =
        json!({"return_no": "SH-01-000017", "lines": [{"line_no": 2, "quantity": 1, "disposition": "restock"}]});
    assert_eq!(brought(&shop, other).await.code(), (409, "contradiction"));
    let received: Vec<ReturnReceived> = told(&shop.test.store).await;
    assert_eq!((received.len(), received[0].location.as_str(), received[0].lines[0].quantity.get()), (1, "S1", 2));
    let inspected: Vec<ReturnInspected> = told(&shop.test.store).await;
    let units: Vec<_> = inspected[0].lines.iter().map(|it| (it.quantity.get(), it.disposition.unwrap())).collect();
    assert_eq!((inspected.len(), units), (1, vec![(1, Disposition::Restock), (1, Disposition::Scrap)]));
    let refunds: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((refunds.len(), refunds[0].total_amount), (1, 2000));
    assert_eq!(shop.order(&id).await["lines"][0]["returned"], 2);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn two_shops_at_once_take_no_more_than_was_bought() {
    let shop = Shop::new().await;
    delivered(&shop).await;
    let two = json!({"lines": [{"line_no": 1, "quantity": 2, "disposition": "restock"}]});
    let answers = join_all((0..6).map(|_| brought(&shop, two.clone()))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422, 422, 422, 422, 422]);
    let refunds: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!(refunds.iter().map(|it| it.total_amount).sum::<i64>(), 2000);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn without_an_original_it_says_what_it_is_worth() {
    let shop = Shop::new().await;
    let lines = json!([
        {"sku": "A", "quantity": 2, "refund_amount": fen(1500), "disposition": "quarantine"},
        {"sku": "A", "quantity": 1, "refund_amount": fen(700), "disposition": "restock"}]);
    let body = json!({"channel": "tmall", "location": "S1", "reason_code": "defective", "lines": lines});
    let answer = shop.post("/v1/returns", body).await;
    assert_eq!((answer.status, &answer.body["refund_amount"]), (201, &fen(2200)), "{}", answer.body);
    let inspected: Vec<ReturnInspected> = told(&shop.test.store).await;
    let units: Vec<_> = inspected[0].lines.iter().map(|it| (it.quantity.get(), it.disposition.unwrap())).collect();
    assert_eq!(units, [(2, Disposition::Quarantine), (1, Disposition::Restock)]);
}

#[actix_web::test]
async fn what_is_missing_is_named_and_nothing_is_half_done() {
    let shop = Shop::new().await;
    let id = delivered(&shop).await;
    let restock = json!({"line_no": 1, "quantity": 1, "disposition": "restock"});
    let cases = [
        (json!({"lines": [restock], "location": null}), vec!["location"]),
        (json!({"lines": [restock, {"line_no": 2, "quantity": 1}]}), vec!["lines[1].disposition"]),
        (json!({"lines": [{"sku": "A", "quantity": 1, "disposition": "restock"}]}), vec!["lines[0].line_no"]),
        (json!({"lines": [restock], "exchange": {"lines": [line(1, "B", 1, 500)]}}), vec!["exchange"]),
        (json!({"lines": [{"line_no": 1, "quantity": 4, "disposition": "restock"}]}), vec!["lines[0].quantity"]),
    ];
    for (fields, named) in cases {
        let refused = brought(&shop, fields.clone()).await;
        assert_eq!((refused.status, refused.fields()), (422, named), "{fields}: {}", refused.body);
    }
    let returns: Vec<ReturnReceived> = told(&shop.test.store).await;
    assert!(returns.is_empty());
    assert_eq!(shop.order(&id).await["lines"][0]["returned"], 0);
}
