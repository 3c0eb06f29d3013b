//! Orders that are paid in advance: promised at once, asked of locations when they are paid, cancelled if they are not.

use std::time::Duration;

use contracts::events::{FulfilmentOffered, OrderCancelled};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Two of `A` at 1.00 each, to be paid in advance.
fn unpaid(terms: Value) -> Value {
    let mut body = order("T-1", json!([line(1, "A", 2, 100)]));
    body["payment_terms"] = terms;
    body
}

async fn promised(shop: &Shop, body: Value) -> String {
    let placed = shop.post("/v1/orders", body).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let id = placed.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
    id
}

async fn pay(shop: &Shop, order: &str, amount: i64) -> Answer {
    shop.post(&format!("/v1/orders/{order}/payments"), json!({"method": "alipay", "amount": fen(amount)})).await
}

/// Where an order, its money and its only fulfilment order stand.
fn standing(order: &Value) -> (&str, &str, &str) {
    assert_eq!(order["fulfilments"].as_array().unwrap().len(), 1);
    (
        order["status"].as_str().unwrap(),
        order["payment_status"].as_str().unwrap(),
        order["fulfilments"][0]["status"].as_str().unwrap(),
    )
}

#[actix_web::test]
async fn a_location_is_asked_when_all_is_paid() {
    let shop = Shop::new().await;
    let id = promised(&shop, unpaid(json!({"type": "prepaid"}))).await;
    let read = shop.order(&id).await;
    assert_eq!(standing(&read), ("sourced", "unpaid", "waiting"));
    // Half an hour after it was placed.
    let pay_by = shop.test.store.now().plus_seconds(1800);
    assert_eq!(read["pay_by"], serde_json::to_value(pay_by).unwrap());
    assert_eq!(told::<FulfilmentOffered>(&shop.test.store).await, []);
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await.code(), (409, "state_conflict"));
    let part = pay(&shop, &id, 150).await;
    assert_eq!(standing(&part.body), ("sourced", "partially_paid", "waiting"));
    shop.test.clock.advance(Duration::from_secs(1799));
    shop.run_job("expire_unpaid").await;
    let paid = pay(&shop, &id, 50).await;
    assert_eq!((standing(&paid.body), &paid.body["pay_by"]), (("sourced", "paid", "offered"), &Value::Null));
    assert_eq!(paid.body["fulfilments"][0]["offered_at"], serde_json::to_value(shop.test.store.now()).unwrap());
    assert_eq!(told::<FulfilmentOffered>(&shop.test.store).await.len(), 1);
    shop.test.clock.advance(Duration::from_secs(3600));
    shop.run_job("expire_unpaid").await;
    assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await.status, 200);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_not_paid_in_time_is_cancelled_and_what_was_paid_goes_back() {
    let shop = Shop::new().await;
    let id = promised(&shop, unpaid(json!({"type": "prepaid"}))).await;
    pay(&shop, &id, 150).await;
    shop.test.clock.advance(Duration::from_secs(1800));
    join_all([shop.run_job("expire_unpaid"), shop.run_job("expire_unpaid")]).await;
    shop.run_job("expire_unpaid").await;
    let read = shop.order(&id).await;
    assert_eq!(standing(&read), ("cancelled", "refunded", "cancelled"));
    assert_eq!((&read["refunds"][0]["total_amount"], &read["refunds"][1]), (&fen(150), &Value::Null));
    let [cancelled] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((cancelled.whole, cancelled.reason.as_str(), cancelled.allocations.len()), (true, "not_paid", 1));
    assert_eq!(pay(&shop, &id, 50).await.code(), (409, "state_conflict"));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn of_a_presale_the_deposit_is_due_first_and_then_the_rest() {
    let shop = Shop::new().await;
    let now = shop.test.store.now();
    let terms = json!({"type": "presale", "deposit": fen(30), "pay_by": now.plus_seconds(600),
        "balance_by": now.plus_seconds(86_400)});
    let id = promised(&shop, unpaid(terms.clone())).await;
    let mut other = unpaid(terms);
    other["channel_order_no"] = json!("T-2");
    let other = promised(&shop, other).await;
    assert_eq!(shop.order(&id).await["pay_by"], serde_json::to_value(now.plus_seconds(600)).unwrap());
    let deposit = pay(&shop, &id, 30).await;
    assert_eq!(standing(&deposit.body), ("sourced", "partially_paid", "waiting"));
    assert_eq!(deposit.body["pay_by"], serde_json::to_value(now.plus_seconds(86_400)).unwrap());
    shop.test.clock.advance(Duration::from_secs(600));
    shop.run_job("expire_unpaid").await;
    assert_eq!(standing(&shop.order(&id).await), ("sourced", "partially_paid", "waiting"));
    assert_eq!(standing(&shop.order(&other).await), ("cancelled", "unpaid", "cancelled"));
    shop.test.clock.advance(Duration::from_secs(85_800));
    shop.run_job("expire_unpaid").await;
    let read = shop.order(&id).await;
    assert_eq!(
        (standing(&read), &read["refunds"][0]["total_amount"]),
        (("cancelled", "refunded", "cancelled"), &fen(30))
    );
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn terms_that_make_no_sense_are_refused_by_field() {
    let shop = Shop::new().await;
    let at = "2026-12-01T00:00:00+08:00";
    let cases = [
        (json!({"type": "presale", "balance_by": at}), "payment_terms.deposit"),
        (json!({"type": "presale", "deposit": fen(30)}), "payment_terms.balance_by"),
        (json!({"type": "presale", "deposit": fen(0), "balance_by": at}), "payment_terms.deposit"),
        (json!({"type": "presale", "deposit": fen(200), "balance_by": at}), "payment_terms.deposit"),
        (json!({"type": "prepaid", "deposit": fen(30)}), "payment_terms.deposit"),
        (json!({"type": "prepaid", "balance_by": at}), "payment_terms.balance_by"),
        (json!({"type": "on_delivery", "pay_by": at}), "payment_terms.pay_by"),
        (json!({"type": "settled"}), "payment_terms.type"),
    ];
    for (terms, field) in cases {
        let refused = shop.post("/v1/orders", unpaid(terms.clone())).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field]), "{terms}");
    }
}

#[actix_web::test]
async fn fewer_units_may_leave_nothing_due() {
    let shop = Shop::new().await;
    let id = promised(&shop, unpaid(json!({"type": "prepaid"}))).await;
    pay(&shop, &id, 100).await;
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let fewer = shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await;
    assert_eq!(standing(&fewer.body), ("sourced", "paid", "offered"));
    shop.test.clock.advance(Duration::from_secs(3600));
    shop.run_job("expire_unpaid").await;
    assert_eq!(standing(&shop.order(&id).await), ("sourced", "paid", "offered"));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_channel_tells_what_was_paid_by_sending_the_order_again() {
    let shop = Shop::new().await;
    let mut body = unpaid(json!({"type": "prepaid"}));
    body["channel_updated_at"] = json!("2026-11-11T10:00:00+08:00");
    body["payments"] = json!([{"method": "voucher", "amount": fen(50)}]);
    promised(&shop, body.clone()).await;
    let send = |hour: u8, payments: Value| {
        let mut body = body.clone();
        body["channel_updated_at"] = json!(format!("2026-11-11T{hour}:00:00+08:00"));
        body["payments"] = payments;
        shop.post("/v1/orders", body)
    };
    let other =
        send(11, json!([{"method": "voucher", "amount": fen(60)}, {"method": "alipay", "amount": fen(140)}])).await;
    assert_eq!((other.code(), other.fields()), ((409, "contradiction"), vec!["payments"]));
    let more =
        send(12, json!([{"method": "voucher", "amount": fen(50)}, {"method": "alipay", "amount": fen(150)}])).await;
    assert_eq!((more.status, standing(&more.body)), (200, ("sourced", "paid", "offered")), "{}", more.body);
    assert_eq!(more.body["payments"][1]["method"], "alipay");
    let late = send(11, json!([])).await;
    assert_eq!((late.status, standing(&late.body)), (200, ("sourced", "paid", "offered")));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn of_a_payment_and_the_end_of_its_time_exactly_one_wins() {
    for _ in 0..8 {
        let shop = Shop::new().await;
        let id = promised(&shop, unpaid(json!({"type": "prepaid"}))).await;
        shop.test.clock.advance(Duration::from_secs(1800));
        let (paid, ()) = futures_util::join!(pay(&shop, &id, 200), shop.run_job("expire_unpaid"));
        // An order that somebody pays is left alone, and looked at again.
        shop.run_job("expire_unpaid").await;
        let read = shop.order(&id).await;
        let expected =
            if paid.status == 200 { ("sourced", "paid", "offered") } else { ("cancelled", "unpaid", "cancelled") };
        assert_eq!(standing(&read), expected);
        shop.assert_money_adds_up();
    }
}

#[actix_web::test]
async fn what_a_person_holds_is_cancelled_all_the_same_and_its_holds_end() {
    let shop = Shop::new().await;
    let id = promised(&shop, unpaid(json!({"type": "prepaid"}))).await;
    assert_eq!(shop.post(&format!("/v1/orders/{id}/hold"), json!({"reason": "suspicious"})).await.status, 200);
    shop.test.clock.advance(Duration::from_secs(1800));
    shop.run_job("expire_unpaid").await;
    let read = shop.order(&id).await;
    assert_eq!((standing(&read), &read["held"]), (("cancelled", "unpaid", "cancelled"), &json!(false)));
    assert_eq!(read["holds"][0]["released_by"], "order");
}
