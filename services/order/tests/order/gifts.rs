//! Gifts: lines that cost nothing, and go as the line goes that they come with.

use contracts::events::{OrderCancelled, OrderPlaced};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, answered, fen, line, order};

/// Four A at 10.00, and two CUP that come with them: one cup for every two A.
fn lines() -> Value {
    let mut gift = line(2, "CUP", 2, 0);
    gift["gift"] = json!(true);
    gift["gift_with"] = json!(1);
    json!([line(1, "A", 4, 1000), gift])
}

#[actix_web::test]
async fn a_gift_is_shown_and_told_and_costs_nothing() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", lines()).await;
    let read = shop.order(&id).await;
    assert_eq!((&read["lines"][1]["gift"], &read["lines"][1]["gift_with"]), (&json!(true), &json!(1)));
    assert_eq!((read["lines"][0].get("gift"), &read["totals"]["total_amount"]), (None, &fen(4000)));
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!(placed[0].lines.iter().map(|line| line.gift).collect::<Vec<_>>(), [false, true]);
}

#[actix_web::test]
async fn cancelling_units_cancels_the_gifts_that_come_with_them() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", lines(), &[(1, "A", "W1", 4), (2, "CUP", "W2", 2)]).await;
    // Of four, one is gone: 2 × 1 ÷ 4 is no cup yet. With three gone one of two cups is, with four both.
    for (units, cups) in [(1, 0), (2, 1), (1, 2)] {
        let body = json!({"lines": [{"line_no": 1, "quantity": units}]});
        let answer = shop.post(&format!("/v1/orders/{id}/cancel"), body).await;
        assert_eq!((answer.status, &answer.body["lines"][1]["cancelled"]), (200, &json!(cups)), "{}", answer.body);
    }
    let read = shop.order(&id).await;
    assert_eq!((&read["status"], &read["totals"]["given_back_amount"]), (&json!("cancelled"), &fen(4000)));
    let cancelled: Vec<OrderCancelled> = told(&shop.test.store).await;
    let told: Vec<Vec<(i32, i64)>> =
        cancelled.iter().map(|it| it.lines.iter().map(|line| (line.line_no, line.quantity.get())).collect()).collect();
    assert_eq!(told, [vec![(1, 1)], vec![(1, 2), (2, 1)], vec![(1, 1), (2, 1)]]);
    assert!(cancelled[2].whole);
    shop.assert_money_adds_up();
}

/// Collected at S1 and S1 alone, in two parts: what was picked first waits at the counter, the rest is still offered.
#[actix_web::test]
async fn the_gift_of_what_nobody_collects_goes_with_it() {
    let shop = Shop::with(&[("FULFILMENT__PICKUP_LAPSES_AFTER_SECONDS", "36000")]).await;
    let mut body = order("T-1", lines());
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "S1", 2)])).await;
    shop.hear(&answered(&id, 2, &[(1, "A", "S1", 2), (2, "CUP", "S1", 2)])).await;
    let first = shop.order(&id).await["fulfilments"][0]["id"].as_str().unwrap().to_owned();
    for step in ["accept", "ready"] {
        let answer = shop.act(&format!("/v1/fulfilments/{first}/{step}")).await;
        assert_eq!(answer.status, 200, "{step}: {}", answer.body);
    }
    shop.test.clock.advance(std::time::Duration::from_secs(36_000));
    shop.run_job("lapse_pickups").await;
    // Two of four A are gone, and of two cups 2 × 2 ÷ 4.
    let read = shop.order(&id).await;
    let cancelled: Vec<&Value> = read["lines"].as_array().unwrap().iter().map(|it| &it["cancelled"]).collect();
    assert_eq!((cancelled, &read["fulfilments"][0]["status"]), (vec![&json!(2), &json!(1)], &json!("lapsed")));
    let [event] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    let told: Vec<(i32, i64)> = event.allocations.iter().map(|it| (it.line_no, it.quantity.get())).collect();
    assert_eq!((told, event.lines.len(), event.whole), (vec![(1, 2), (2, 1)], 2, false));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_gift_that_has_left_stays() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", lines(), &[(1, "A", "W1", 4), (2, "CUP", "W2", 2)]).await;
    let cups = shop.fulfilments(&id).await.remove(1);
    for step in ["accept", "ship"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{cups}/{step}")).await.status, 200);
    }
    let read = shop.get(&format!("/v1/fulfilments/{cups}")).await.body;
    assert_eq!(
        (&read["gifts"], shop.get("/v1/fulfilments?location=W1").await.body["items"][0].get("gifts")),
        (&json!([2]), None)
    );
    assert_eq!(shop.order(&id).await["fulfilments"][1]["gifts"], json!([2]));
    let answer = shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 4}]})).await;
    assert_eq!((answer.status, &answer.body["lines"][1]["cancelled"]), (200, &json!(0)), "{}", answer.body);
}

#[actix_web::test]
async fn a_return_asks_for_the_gifts_but_does_not_wait_for_them() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", lines()).await;
    let ask = |line_no: i32, quantity: i64| {
        let body = json!({"order_id": id, "reason": "x", "lines": [{"line_no": line_no, "quantity": quantity}]});
        shop.post("/v1/returns", body)
    };
    let first = ask(1, 3).await;
    assert_eq!(first.status, 201, "{}", first.body);
    // Three of four are back: one cup of two is due.
    assert_eq!(first.body["gifts_due"], json!([{"line_no": 2, "quantity": 1}]));
    assert_eq!(shop.order(&id).await["returns"][0]["gifts_due"], first.body["gifts_due"]);
    let cup = ask(2, 1).await;
    assert_eq!((cup.status, cup.body.get("gifts_due")), (201, None), "{}", cup.body);
    let read = shop.get(&format!("/v1/returns/{}", first.id())).await;
    assert_eq!(read.body.get("gifts_due"), None, "it is on its way");
}

#[actix_web::test]
async fn gifts_that_cannot_be_are_named() {
    let shop = Shop::new().await;
    let cases = [
        (1, "unit_price", fen(1), "lines[1].gift", (422, "amount_mismatch")),
        (1, "gift", json!(false), "lines[1].gift_with", (422, "invalid_field")),
        (1, "gift_with", json!(9), "lines[1].gift_with", (422, "invalid_field")),
        (1, "gift_with", json!(2), "lines[1].gift_with", (422, "invalid_field")),
    ];
    for (index, name, value, field, code) in cases {
        let mut all = lines();
        all[index][name] = value;
        let answer = shop.post("/v1/orders", order("T-1", all)).await;
        assert_eq!((answer.code(), answer.fields()), (code, vec![field]), "{}", answer.body);
    }
    // A price with a discount of all of it is a gift, too.
    let mut all = lines();
    all[1]["unit_price"] = fen(500);
    all[1]["discount"] = fen(1000);
    assert_eq!(shop.post("/v1/orders", order("T-2", all.clone())).await.status, 201);
    // What is no gift any more is another line.
    all[1].as_object_mut().unwrap().remove("gift_with");
    let mut other = order("T-2", all);
    other["channel_updated_at"] = json!("2026-11-12T00:00:00Z");
    assert_eq!(shop.post("/v1/orders", other).await.fields(), ["lines"]);
}

#[actix_web::test]
async fn an_update_with_fewer_units_and_fewer_gifts_takes_each_off_once() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", lines()).await;
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 4), (2, "CUP", "W1", 2)])).await;
    let mut all = lines();
    all[0]["quantity"] = json!(2);
    all[1]["quantity"] = json!(1);
    let mut other = order("T-1", all);
    other["channel_updated_at"] = json!("2026-11-12T00:00:00Z");
    let answer = shop.post("/v1/orders", other).await;
    assert_eq!((answer.status, &answer.body["lines"][1]["cancelled"]), (200, &json!(1)), "{}", answer.body);
    assert_eq!(answer.body["lines"][0]["cancelled"], 2);
}
