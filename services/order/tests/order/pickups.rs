//! Goods that wait at the counter, and buyers who do not come.

use std::time::Duration;

use contracts::events::{FulfilmentPickupDue, FulfilmentShipped, OrderCancelled};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Shop, answered, fen, line, order};

/// Ten hours to collect, with a reminder an hour before.
const TEN_HOURS: [(&str, &str); 2] =
    [("FULFILMENT__PICKUP_LAPSES_AFTER_SECONDS", "36000"), ("FULFILMENT__PICKUP_REMINDER_BEFORE_SECONDS", "3600")];

/// A pickup at `S1` that is accepted: its order and its fulfilment order.
async fn accepted(shop: &Shop, number: &str, lines: Value, parts: &[(i32, &str, &str, i64)]) -> (String, String) {
    let mut body = order(number, lines);
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, parts)).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await.status, 200);
    (id, fulfilment)
}

/// Two of `A` at the counter of `S1`: the order, the fulfilment order and its code.
async fn ready(shop: &Shop, number: &str) -> (String, String, String) {
    let (id, fulfilment) = accepted(shop, number, json!([line(1, "A", 2, 1000)]), &[(1, "A", "S1", 2)]).await;
    let ready = shop.act(&format!("/v1/fulfilments/{fulfilment}/ready")).await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    (id, fulfilment, ready.body["collect_code"].as_str().unwrap().to_owned())
}

async fn run(shop: &Shop) {
    shop.run_job("remind_pickups").await;
    shop.run_job("lapse_pickups").await;
}

#[actix_web::test]
async fn the_buyer_is_reminded_once_and_what_they_leave_is_cancelled() {
    let shop = Shop::with(&TEN_HOURS).await;
    let (id, fulfilment, code) = ready(&shop, "T-1").await;
    let until = shop.get(&format!("/v1/fulfilments/{fulfilment}")).await.body["collect_by"].clone();
    shop.test.clock.advance(Duration::from_secs(9 * 3600 - 1));
    run(&shop).await;
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await, []);
    shop.test.clock.advance(Duration::from_secs(1));
    run(&shop).await;
    run(&shop).await;
    let [due] = told::<FulfilmentPickupDue>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((due.location.as_str(), due.fulfilment_id.to_string()), ("S1", fulfilment.clone()));
    assert_eq!(serde_json::to_value(due.collect_by).unwrap(), until);
    shop.test.clock.advance(Duration::from_secs(3599));
    run(&shop).await;
    assert_eq!(shop.order(&id).await["fulfilments"][0]["status"], "ready");
    shop.test.clock.advance(Duration::from_secs(1));
    run(&shop).await;
    run(&shop).await;
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["payment_status"]), (&json!("cancelled"), &json!("refunded")));
    assert_eq!(order["totals"]["given_back_amount"], fen(2000));
    assert_eq!(order["refunds"][0]["reason"], "nobody has collected it in time");
    shop.assert_money_adds_up();
    let lapsed = &order["fulfilments"][0];
    assert_eq!((&lapsed["status"], &lapsed["reason"]), (&json!("lapsed"), &json!("not_collected")));
    let last = order["history"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["actor"], &last["what"], &last["reason"]),
        (&json!("order"), &json!("S1 lapsed; order cancelled"), &json!("nobody has collected it in time"))
    );
    let [cancelled] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((cancelled.whole, cancelled.reason.as_str(), cancelled.lines[0].amount), (true, "not_collected", 2000));
    let released: Vec<_> = cancelled.allocations.iter().map(|it| (it.location.as_str(), it.quantity.get())).collect();
    assert_eq!(released, [("S1", 2)]);
    let late = shop.post(&format!("/v1/fulfilments/{fulfilment}/collect"), json!({"code": code})).await;
    assert_eq!(late.code(), (409, "state_conflict"));
}

#[actix_web::test]
async fn what_was_collected_is_neither_reminded_of_nor_cancelled() {
    let shop = Shop::with(&TEN_HOURS).await;
    let (id, fulfilment, code) = ready(&shop, "T-1").await;
    let collected = shop.post(&format!("/v1/fulfilments/{fulfilment}/collect"), json!({"code": code})).await;
    assert_eq!(collected.body["collected_at"], collected.body["changed_at"]);
    shop.test.clock.advance(Duration::from_secs(36_000));
    run(&shop).await;
    assert_eq!(shop.order(&id).await["status"], "delivered");
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await, []);
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await, []);
}

#[actix_web::test]
async fn with_a_time_of_zero_goods_wait_for_ever() {
    let shop = Shop::with(&[("FULFILMENT__PICKUP_LAPSES_AFTER_SECONDS", "0")]).await;
    let (id, ..) = ready(&shop, "T-1").await;
    shop.test.clock.advance(Duration::from_secs(365 * 24 * 3600));
    run(&shop).await;
    assert_eq!(shop.order(&id).await["fulfilments"][0]["status"], "ready");
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await, []);
}

/// A pot was missing when the first part was picked, so that one set was torn.
#[actix_web::test]
async fn a_torn_bundle_is_cancelled_as_a_whole() {
    let shop = Shop::with(&TEN_HOURS).await;
    let parts = [(1, "CUP", "S1", 4), (1, "POT", "S1", 2)];
    let (id, first) = accepted(&shop, "T-1", json!([line(1, "SET", 2, 1000)]), &parts).await;
    let found = json!([{"line_no": 1, "sku": "CUP", "quantity": 4}, {"line_no": 1, "sku": "POT", "quantity": 1}]);
    shop.post(&format!("/v1/fulfilments/{first}/pick"), json!({"lines": found})).await;
    shop.hear(&answered(&id, 2, &[(1, "POT", "S1", 1)])).await;
    shop.act(&format!("/v1/fulfilments/{first}/ready")).await;
    shop.test.clock.advance(Duration::from_secs(36_000));
    run(&shop).await;
    let order = shop.order(&id).await;
    let states: Vec<&str> =
        order["fulfilments"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!((&order["status"], states), (&json!("cancelled"), vec!["lapsed", "cancelled"]));
    let [cancelled] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    let units: i64 = cancelled.allocations.iter().map(|it| it.quantity.get()).sum();
    assert_eq!((cancelled.lines[0].quantity.get(), units), (2, 6), "four cups and two pots are free again");
}

#[actix_web::test]
async fn what_belongs_to_a_part_that_was_collected_stays() {
    let shop = Shop::with(&TEN_HOURS).await;
    let parts = [(1, "CUP", "S1", 2), (1, "POT", "S1", 1)];
    let (id, first) = accepted(&shop, "T-1", json!([line(1, "SET", 1, 1000)]), &parts).await;
    shop.post(
        &format!("/v1/fulfilments/{first}/pick"),
        json!({"lines": [{"line_no": 1, "sku": "CUP", "quantity": 2}]}),
    )
    .await;
    let cups = shop.act(&format!("/v1/fulfilments/{first}/ready")).await;
    shop.post(&format!("/v1/fulfilments/{first}/collect"), json!({"code": cups.body["collect_code"]})).await;
    shop.hear(&answered(&id, 2, &[(1, "POT", "S1", 1)])).await;
    let fulfilments = shop.order(&id).await["fulfilments"].clone();
    let second = fulfilments[1]["id"].as_str().unwrap();
    shop.act(&format!("/v1/fulfilments/{second}/accept")).await;
    let pot = shop.act(&format!("/v1/fulfilments/{second}/ready")).await;
    shop.test.clock.advance(Duration::from_secs(36_000));
    run(&shop).await;
    run(&shop).await;
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await, []);
    let collect =
        shop.post(&format!("/v1/fulfilments/{second}/collect"), json!({"code": pot.body["collect_code"]})).await;
    assert_eq!(collect.status, 200, "{}", collect.body);
    assert_eq!(shop.order(&id).await["status"], "delivered");
}

#[actix_web::test]
async fn two_replicas_remind_and_lapse_once() {
    let shop = Shop::with(&TEN_HOURS).await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(ready(&shop, &format!("T-{number}")).await.0);
    }
    shop.test.clock.advance(Duration::from_secs(36_000));
    join_all((0..4).map(|_| shop.run_job("remind_pickups"))).await;
    shop.run_job("remind_pickups").await;
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await.len(), 12);
    join_all((0..4).map(|_| shop.run_job("lapse_pickups"))).await;
    shop.run_job("lapse_pickups").await;
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await.len(), 12);
    for id in &ids {
        assert_eq!(shop.order(id).await["totals"]["given_back_amount"], fen(2000));
    }
}

#[actix_web::test]
async fn of_a_collection_and_a_lapse_exactly_one_wins() {
    let shop = Shop::with(&TEN_HOURS).await;
    let (mut cancelled, mut collected) = (0, 0);
    for round in 0..20 {
        let (id, fulfilment, code) = ready(&shop, &format!("T-{round}")).await;
        shop.test.clock.advance(Duration::from_secs(36_000));
        let path = format!("/v1/fulfilments/{fulfilment}/collect");
        let (answer, ()) = futures_util::join!(shop.post(&path, json!({"code": code})), shop.run_job("lapse_pickups"));
        let order = shop.order(&id).await;
        let line = &order["lines"][0];
        if answer.status == 200 {
            collected += 1;
            assert_eq!(
                (&order["status"], &line["shipped"], &line["cancelled"]),
                (&json!("delivered"), &json!(2), &json!(0))
            );
        } else {
            cancelled += 1;
            assert_eq!(answer.code(), (409, "state_conflict"));
            assert_eq!(
                (&order["status"], &line["shipped"], &line["cancelled"]),
                (&json!("cancelled"), &json!(0), &json!(2))
            );
        }
    }
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await.len(), cancelled);
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await.len(), collected);
}
