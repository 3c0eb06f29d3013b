//! Returns whose buyers want something else instead.

use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::{OrderCancelled, OrderPlaced, PaymentReceived, RefundIssued};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::held_intake::in_force;
use crate::support::{Answer, Shop, answered, fen, line, order};

/// A delivered unit of `A` for 1.00: 0.40 of it with a voucher, 0.60 with a card. The example of docs/returns.md.
async fn cup(shop: &Shop) -> String {
    let mut body = order("T-1", json!([line(1, "A", 1, 100)]));
    body["payments"] = json!([{"method": "voucher", "amount": fen(40)}, {"method": "card", "amount": fen(60)}]);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1)])).await;
    for fulfilment in shop.fulfilments(&id).await {
        for step in ["accept", "ship", "deliver"] {
            assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
        }
    }
    id
}

/// The return of the cup for a pot at this price.
fn for_a_pot(original: &str, price: i64) -> Value {
    json!({
        "order_id": original, "lines": [{"line_no": 1, "quantity": 1}], "reason_code": "does_not_fit", "location": "S1",
        "exchange": {"lines": [line(1, "B", 1, price)]},
    })
}

fn step(asked: &Answer, name: &str) -> String {
    format!("/v1/returns/{}/{name}", asked.id())
}

/// A return whose exchange order is promised: the return and that order.
async fn approved(shop: &Shop, body: Value) -> (Answer, String) {
    let asked = shop.post("/v1/returns", body).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let approved = shop.act(&step(&asked, "approve")).await;
    assert_eq!(approved.status, 200, "{}", approved.body);
    let order = approved.body["exchange_order_id"].as_str().unwrap().to_owned();
    shop.hear(&answered(&order, 1, &[(1, "B", "W1", 1)])).await;
    (asked, order)
}

async fn inspected(shop: &Shop, asked: &Answer) {
    assert_eq!(shop.act(&step(asked, "receive")).await.status, 200);
    let lines = json!({"lines": [{"position": 1, "disposition": "restock"}]});
    assert_eq!(shop.post(&step(asked, "inspect"), lines).await.status, 200);
}

async fn refunded(shop: &Shop, asked: &Answer) -> Answer {
    inspected(shop, asked).await;
    let refunded = shop.act(&step(asked, "refund")).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    refunded
}

async fn pay(shop: &Shop, order: &str, amount: i64) -> Answer {
    shop.post(&format!("/v1/orders/{order}/payments"), json!({"method": "alipay", "amount": fen(amount)})).await
}

/// Where an order, its money and its only fulfilment order stand, and what is due.
fn standing(order: &Value) -> (&str, &str, &str, i64) {
    (
        order["status"].as_str().unwrap(),
        order["payment_status"].as_str().unwrap(),
        order["fulfilments"][0]["status"].as_str().unwrap(),
        order["totals"]["due_amount"]["amount"].as_i64().unwrap_or_default(),
    )
}

/// Of each part of a refund: the payment, the amount, and what of it is no money.
fn parts(issued: &RefundIssued) -> Vec<(&str, i64, i64)> {
    issued.parts.iter().map(|it| (it.method.as_str(), it.amount, it.exchange_amount)).collect()
}

#[actix_web::test]
async fn of_something_dearer_the_rest_is_due() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let (asked, order) = approved(&shop, for_a_pot(&original, 130)).await;
    let read = shop.order(&order).await;
    assert_eq!(standing(&read), ("sourced", "unpaid", "waiting", 130));
    assert_eq!((&read["exchange_of"], &read["pay_by"]), (&asked.body["id"], &Value::Null));
    assert_eq!(read["channel_order_no"], format!("EX-{}", asked.id()));
    assert_eq!(read["fulfilment"], shop.order(&original).await["fulfilment"]);
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!((placed.len(), &placed[1].buyer), (2, &placed[0].buyer));
    let refunded = refunded(&shop, &asked).await;
    assert_eq!((&refunded.body["refund_amount"], &refunded.body["exchange_amount"]), (&fen(100), &fen(100)));
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((issued[0].total_amount, issued[0].exchange_amount), (100, 100));
    assert_eq!(issued[0].exchange_order_id.unwrap().to_string(), order);
    assert_eq!(issued[0].reason_code.as_deref(), Some("does_not_fit"));
    assert_eq!(parts(&issued[0]), [("voucher", 40, 40), ("card", 60, 60)]);
    let read = shop.order(&order).await;
    assert_eq!(standing(&read), ("sourced", "partially_paid", "waiting", 30));
    let week = shop.test.store.now().plus_seconds(7 * 24 * 3600);
    assert_eq!(read["pay_by"], serde_json::to_value(week).unwrap());
    let credited = (&read["payments"][0]["method"], &read["payments"][0]["reference"], &read["payments"][0]["amount"]);
    assert_eq!(credited, (&json!("exchange"), &asked.body["id"], &fen(100)));
    assert_eq!(standing(&pay(&shop, &order, 30).await.body), ("sourced", "paid", "offered", 0));
    assert_eq!(shop.order(&original).await["payment_status"], "refunded");
    let received: Vec<PaymentReceived> = told(&shop.test.store).await;
    let received: Vec<_> = received.iter().map(|it| (it.method.as_str(), it.amount, it.due_amount)).collect();
    assert_eq!(received, [("exchange", 100, 30), ("alipay", 30, 0)]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn of_something_cheaper_the_rest_goes_back() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let (asked, order) = approved(&shop, for_a_pot(&original, 70)).await;
    refunded(&shop, &asked).await;
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((issued[0].total_amount, issued[0].exchange_amount), (100, 70));
    // 30 are money, for the voucher; its other 10 and the card's 60 pay for the pot.
    assert_eq!(parts(&issued[0]), [("voucher", 40, 10), ("card", 60, 60)]);
    let shown = &shop.order(&original).await["refunds"][0];
    assert_eq!((&shown["exchange_amount"], &shown["parts"][0]["exchange_amount"]), (&fen(70), &fen(10)));
    assert_eq!(standing(&shop.order(&order).await), ("sourced", "paid", "offered", 0));
    // Cancelled after all: what goes back of the exchange's payment is money.
    shop.test.clock.advance(Duration::from_secs(60));
    let cancelled = shop.act(&format!("/v1/orders/{order}/cancel")).await;
    assert_eq!(cancelled.body["payment_status"], "refunded", "{}", cancelled.body);
    assert_eq!(cancelled.body["refunds"][0]["parts"], json!([{"sequence": 1, "amount": fen(70)}]));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_ends_before_the_return_is_refunded_takes_nothing_of_it() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let (asked, order) = approved(&shop, for_a_pot(&original, 130)).await;
    assert_eq!(shop.act(&format!("/v1/orders/{order}/cancel")).await.status, 200);
    let refunded = refunded(&shop, &asked).await;
    assert_eq!((&refunded.body["refund_amount"], &refunded.body["exchange_amount"]), (&fen(100), &fen(0)));
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    assert_eq!((parts(&issued[0]), issued[0].exchange_order_id), (vec![("voucher", 40, 0), ("card", 60, 0)], None));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_cancelled_return_cancels_what_was_wanted_unless_it_is_paid() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let (asked, order) = approved(&shop, for_a_pot(&original, 130)).await;
    pay(&shop, &order, 20).await;
    assert_eq!(shop.act(&step(&asked, "cancel")).await.status, 200);
    let read = shop.order(&order).await;
    assert_eq!(standing(&read), ("cancelled", "refunded", "cancelled", 0));
    assert_eq!(read["totals"]["refunded_amount"], fen(20));
    let [cancelled] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((cancelled.whole, cancelled.reason.as_str()), (true, "return_cancelled"));
    // The units may be returned again, for something that the buyer then pays alone.
    let (again, order) = approved(&shop, for_a_pot(&original, 50)).await;
    pay(&shop, &order, 50).await;
    assert_eq!(shop.act(&step(&again, "cancel")).await.status, 200);
    assert_eq!(standing(&shop.order(&order).await), ("sourced", "paid", "offered", 0));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_not_paid_up_in_time_is_cancelled_and_all_of_it_is_money() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let (asked, order) = approved(&shop, for_a_pot(&original, 130)).await;
    shop.test.clock.advance(Duration::from_secs(30 * 24 * 3600));
    shop.run_job("expire_unpaid").await;
    assert_eq!(shop.order(&order).await["status"], "sourced", "it waits for its return");
    refunded(&shop, &asked).await;
    shop.test.clock.advance(Duration::from_secs(7 * 24 * 3600));
    shop.run_job("expire_unpaid").await;
    let read = shop.order(&order).await;
    assert_eq!(standing(&read), ("cancelled", "refunded", "cancelled", 0));
    assert_eq!(read["refunds"][0]["total_amount"], fen(100));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn whatever_happens_at_once_the_credit_that_leaves_is_the_credit_that_comes() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    for price in [130, 70, 130] {
        let mut body = order(&format!("T-{price}-{}", shop.number("SELECT count(*) FROM \"order\".orders")), json!([]));
        body["lines"] = json!([line(1, "A", 1, 100)]);
        body["payments"] = json!([{"method": "card", "amount": fen(100)}]);
        let id = shop.post("/v1/orders", body).await.id();
        shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1)])).await;
        for fulfilment in shop.fulfilments(&id).await {
            for step in ["accept", "ship", "deliver"] {
                shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
            }
        }
        let (asked, order) = approved(&shop, for_a_pot(&id, price)).await;
        inspected(&shop, &asked).await;
        let (refund, cancel) = (step(&asked, "refund"), format!("/v1/orders/{order}/cancel"));
        let favour = format!("/v1/orders/{id}/refunds");
        let back = json!({"lines": [{"line_no": 1, "amount": fen(10)}], "reason": "a favour"});
        let (refunds, others) = tokio::join!(join_all((0..3).map(|_| shop.act(&refund))), async {
            tokio::join!(pay(&shop, &order, 60), shop.act(&cancel), shop.post(&favour, back))
        });
        assert_eq!(refunds.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(others.1.status, 200, "{}", others.1.body);
        assert_eq!(shop.order(&order).await["status"], "cancelled");
        assert_eq!(shop.order(&id).await["totals"]["refunded_amount"], fen(100));
        shop.assert_money_adds_up();
    }
    assert_eq!(shop.order(&original).await["payment_status"], "paid");
}

#[actix_web::test]
async fn an_approval_places_one_order_however_often_it_is_asked_for() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let mut body = for_a_pot(&original, 130);
    body["exchange"]["channel_order_no"] = json!("T-1-X");
    body["exchange"]["freight"] = fen(5);
    body["exchange"]["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let asked = shop.post("/v1/returns", body).await;
    let (approve, cancel) = (step(&asked, "approve"), step(&asked, "cancel"));
    let approvals = join_all((0..4).map(|_| shop.act(&approve))).await;
    assert_eq!(approvals.iter().filter(|answer| answer.status == 200).count(), 1);
    let refused = approvals.iter().filter(|answer| answer.status != 200);
    assert!(refused.map(Answer::code).all(|code| code == (409, "state_conflict")));
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 2);
    let order = shop.get("/v1/orders?channel_order_no=T-1-X").await.body["items"][0].clone();
    assert_eq!((&order["exchange_of"], &order["totals"]["total_amount"]), (&asked.body["id"], &fen(135)));
    assert_eq!(order["fulfilment"], json!({"type": "pickup", "location": "S1"}));
    assert_eq!(shop.act(&cancel).await.status, 200);
}

#[actix_web::test]
async fn what_cannot_be_exchanged_is_refused_by_field() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let with = |name: &str, value: Value| {
        let mut body = for_a_pot(&original, 130);
        body["exchange"][name] = value;
        body
    };
    let cases = [
        (with("lines", json!([])), "exchange.lines"),
        (with("lines", json!([line(1, "NOPE", 1, 1)])), "exchange.lines[0].sku"),
        (with("lines", json!([{"line_no": 1, "sku": "B", "quantity": 1}])), "exchange.lines[0].unit_price"),
        (with("freight", json!({"amount": 1, "currency": "USD"})), "exchange.freight"),
        (with("channel_order_no", json!(" ")), "exchange.channel_order_no"),
        (with("fulfilment", json!({"type": "pickup", "location": "NOWHERE"})), "exchange.fulfilment.location"),
    ];
    for (body, field) in cases {
        let refused = shop.post("/v1/returns", body.clone()).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field]), "{body}: {}", refused.body);
    }
    let unknown = json!({"channel": "tmall", "reason": "no receipt", "exchange": {"lines": [line(1, "B", 1, 1)]},
        "lines": [{"sku": "A", "quantity": 1, "refund_amount": fen(1)}]});
    assert_eq!(shop.post("/v1/returns", unknown).await.fields(), ["exchange"]);
    let taken = shop.post("/v1/returns", with("channel_order_no", json!("T-1"))).await;
    let refused = shop.act(&step(&taken, "approve")).await;
    assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec!["exchange.channel_order_no"]));
    assert_eq!(shop.get(&format!("/v1/returns/{}", taken.id())).await.body["status"], "requested");
    let paid = json!({"method": "exchange", "amount": fen(1)});
    assert_eq!(shop.post(&format!("/v1/orders/{original}/payments"), paid.clone()).await.fields(), ["method"]);
    let mut body = order("T-9", json!([line(1, "A", 1, 1)]));
    body["payments"] = json!([paid]);
    assert_eq!(shop.post("/v1/orders", body).await.fields(), ["payments[0].method"]);
    let returns_only = TestRequest::post().uri("/v1/returns").set_json(for_a_pot(&original, 130));
    assert_eq!(shop.send(&shop.claims("return:*"), returns_only).await.code(), (403, "forbidden"));
    let mut elsewhere = shop.claims("return:* order:*");
    elsewhere.channels = Some(["till".parse().unwrap()].into());
    let body = TestRequest::post().uri("/v1/returns").set_json(for_a_pot(&original, 130));
    assert_eq!(shop.send(&elsewhere, body).await.status, 403);
}

#[actix_web::test]
async fn two_returns_at_once_pay_for_what_each_is_worth() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["payments"] = json!([{"method": "card", "amount": fen(100)}]);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    for fulfilment in shop.fulfilments(&id).await {
        for step in ["accept", "ship", "deliver"] {
            shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
        }
    }
    let mut refunds = Vec::new();
    let mut orders = Vec::new();
    for price in [20, 50, 90] {
        let (asked, order) = approved(&shop, for_a_pot(&id, price)).await;
        inspected(&shop, &asked).await;
        refunds.push(step(&asked, "refund"));
        orders.push(order);
    }
    let answers = join_all(refunds.iter().chain(&refunds).map(|path| shop.act(path))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
    // Whoever comes first, the units are worth 33, 34 and 33: 20 go to the first pot, all of theirs to the others.
    let mut paid = Vec::new();
    for order in &orders {
        paid.push(shop.order(order).await["totals"]["paid_amount"]["amount"].as_i64().unwrap());
    }
    assert!(paid[0] == 20 && [33, 34].contains(&paid[1]) && [33, 34].contains(&paid[2]), "{paid:?}");
    assert_eq!(shop.order(&id).await["totals"]["refunded_amount"], fen(100));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_rules_hold_is_paid_by_its_return_all_the_same() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let asked = shop.post("/v1/returns", for_a_pot(&original, 130)).await;
    let given_up = shop.act(&step(&asked, "approve")).await.body["exchange_order_id"].clone();
    assert_eq!(shop.order(given_up.as_str().unwrap()).await["status"], "held");
    assert_eq!(shop.act(&step(&asked, "cancel")).await.status, 200);
    let ended = shop.order(given_up.as_str().unwrap()).await;
    assert_eq!((&ended["status"], &ended["held"]), (&json!("cancelled"), &json!(false)));
    let asked = shop.post("/v1/returns", for_a_pot(&original, 100)).await;
    let order = shop.act(&step(&asked, "approve")).await.body["exchange_order_id"].as_str().unwrap().to_owned();
    refunded(&shop, &asked).await;
    let read = shop.order(&order).await;
    assert_eq!((&read["status"], &read["payment_status"]), (&json!("held"), &json!("paid")));
    // Nobody has heard of either but the original.
    assert_eq!(told::<OrderPlaced>(&shop.test.store).await.len(), 1);
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await.len(), 0);
    assert_eq!(shop.act(&format!("/v1/orders/{order}/release")).await.status, 200);
    shop.hear(&answered(&order, 1, &[(1, "B", "W1", 1)])).await;
    assert_eq!(standing(&shop.order(&order).await), ("sourced", "paid", "offered", 0));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn two_approvals_at_once_place_one_order() {
    let shop = Shop::new().await;
    let original = cup(&shop).await;
    let asked = shop.post("/v1/returns", for_a_pot(&original, 130)).await;
    let (replica, uri) = (shop.replica(), step(&asked, "approve"));
    let approve = |place: usize| {
        let (shop, replica, claims) = (&shop, &replica, shop.claims("*"));
        let request = TestRequest::post().uri(&uri);
        async move { shop.send_to(if place.is_multiple_of(2) { &shop.site } else { replica }, &claims, request).await }
    };
    let mut answers: Vec<u16> = join_all((0..6).map(approve)).await.iter().map(|it| it.status).collect();
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409, 409]);
    assert_eq!(told::<OrderPlaced>(&shop.test.store).await.len(), 2, "the original and what is wanted instead");
    assert_eq!(shop.number(r#"SELECT count(*) FROM "order".orders"#), 2);
}
