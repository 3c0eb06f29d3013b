//! Approved returns whose goods do not come.

use std::time::Duration;

use contracts::events::{OrderCancelled, ReturnLapsed, ReturnReceived};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, fen, line};

/// Two weeks, as configured.
const TIME: Duration = Duration::from_secs(14 * 24 * 3600);

/// An approved return of so many units of `A`.
async fn approved(shop: &Shop, order: &str, units: i64, more: Value) -> Answer {
    let mut body = json!({"order_id": order, "lines": [{"line_no": 1, "quantity": units}], "reason_code": "changed_mind",
        "location": "S1"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let asked = shop.post("/v1/returns", body).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let approved = shop.act(&format!("/v1/returns/{}/approve", asked.id())).await;
    assert_eq!(approved.status, 200, "{}", approved.body);
    approved
}

async fn status(shop: &Shop, asked: &Answer) -> String {
    let read = shop.get(&format!("/v1/returns/{}", asked.id())).await;
    read.body["status"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn what_does_not_come_in_time_may_be_returned_again() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 2, 1000)])).await;
    let wish = json!({"exchange": {"lines": [line(1, "B", 2, 1000)]}});
    let asked = approved(&shop, &id, 2, wish).await;
    let until = shop.test.store.now().plus_seconds(14 * 24 * 3600);
    assert_eq!(asked.body["expires_at"], serde_json::to_value(until).unwrap());
    let wanted = asked.body["exchange_order_id"].as_str().unwrap().to_owned();
    let unknown = json!({"channel": "tmall", "reason": "no receipt", "location": "S1",
        "lines": [{"sku": "A", "quantity": 1, "refund_amount": fen(5)}]});
    let unknown = shop.post("/v1/returns", unknown).await;
    assert_eq!(shop.act(&format!("/v1/returns/{}/approve", unknown.id())).await.status, 200);
    shop.test.clock.advance(TIME - Duration::from_secs(1));
    shop.run_job("lapse_returns").await;
    assert_eq!(status(&shop, &asked).await, "approved");
    shop.test.clock.advance(Duration::from_secs(1));
    join_all([shop.run_job("lapse_returns"), shop.run_job("lapse_returns")]).await;
    shop.run_job("lapse_returns").await;
    assert_eq!((status(&shop, &asked).await, status(&shop, &unknown).await), ("lapsed".into(), "lapsed".into()));
    let lapsed: Vec<ReturnLapsed> = told(&shop.test.store).await;
    let lapsed: Vec<_> = lapsed.iter().map(|it| (it.order_id.is_some(), it.lines[0].quantity.get())).collect();
    assert_eq!((lapsed.len(), lapsed.contains(&(true, 2)), lapsed.contains(&(false, 1))), (2, true, true));
    let [cancelled] = told::<OrderCancelled>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((cancelled.order_id.to_string(), cancelled.reason.as_str()), (wanted.clone(), "return_lapsed"));
    assert_eq!(shop.order(&wanted).await["status"], "cancelled");
    let read = shop.order(&id).await;
    let change = &read["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&change["what"], &change["actor"]), (&json!("return lapsed"), &json!("order")));
    let late = shop.act(&format!("/v1/returns/{}/receive", asked.id())).await;
    assert_eq!(late.code(), (409, "state_conflict"));
    // The goods come after all: they are a return of their own.
    let again = approved(&shop, &id, 2, json!({})).await;
    assert_eq!(shop.act(&format!("/v1/returns/{}/receive", again.id())).await.status, 200);
    shop.test.clock.advance(TIME);
    shop.run_job("lapse_returns").await;
    assert_eq!(status(&shop, &again).await, "received");
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn goods_that_come_as_their_time_ends_have_come_or_not() {
    let shop = Shop::new().await;
    let id = shop.delivered("T-1", json!([line(1, "A", 6, 1000)])).await;
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(approved(&shop, &id, 1, json!({})).await);
    }
    shop.test.clock.advance(TIME);
    let paths: Vec<String> = asked.iter().map(|it| format!("/v1/returns/{}/receive", it.id())).collect();
    let receiving = join_all(paths.iter().map(|path| shop.act(path)));
    let (answers, ..) = tokio::join!(receiving, shop.run_job("lapse_returns"), shop.run_job("lapse_returns"));
    shop.run_job("lapse_returns").await;
    let mut received = 0;
    for (it, answer) in asked.iter().zip(&answers) {
        let expected = if answer.status == 200 { "received" } else { "lapsed" };
        assert_eq!(status(&shop, it).await, expected, "{}", answer.body);
        received += usize::from(answer.status == 200);
    }
    assert_eq!(told::<ReturnReceived>(&shop.test.store).await.len(), received);
    assert_eq!(told::<ReturnLapsed>(&shop.test.store).await.len(), 6 - received);
    // What has lapsed, and no more, may be returned again.
    let claimed = shop.number("SELECT returned FROM \"order\".order_lines");
    assert_eq!(usize::try_from(claimed).unwrap(), received);
}

#[actix_web::test]
async fn goods_may_take_their_time_where_nobody_sets_one() {
    let shop = Shop::with(&[("RETURN_EXPIRES_AFTER_SECONDS", "0")]).await;
    let id = shop.delivered("T-1", json!([line(1, "A", 1, 1000)])).await;
    let asked = approved(&shop, &id, 1, json!({})).await;
    assert_eq!(asked.body["expires_at"], Value::Null);
    shop.test.clock.advance(TIME * 100);
    shop.run_job("lapse_returns").await;
    assert_eq!(status(&shop, &asked).await, "approved");
}
