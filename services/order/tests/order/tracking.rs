//! Parcels on their way.

use contracts::events::FulfilmentDelivered;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, line};

/// Two of `A` that left `W1` in these parcels: the order and its fulfilment order.
async fn shipped(shop: &Shop, number: &str, parcels: &[&str]) -> (String, String) {
    let id = shop.sourced(number, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
    let parcels: Vec<Value> = parcels.iter().map(|no| json!({"carrier": "SF", "tracking_no": no})).collect();
    let answer = shop.post(&format!("/v1/fulfilments/{fulfilment}/ship"), json!({"parcels": parcels})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    (id, fulfilment)
}

async fn track(shop: &Shop, fulfilment: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/fulfilments/{fulfilment}/tracking"), body).await
}

/// A report of the `hour` on 1 November 2020.
fn update(tracking_no: &str, status: &str, hour: u32) -> Value {
    json!({"tracking_no": tracking_no, "status": status, "at": format!("2020-11-01T{hour:02}:00:00Z")})
}

/// `(parcel, status)` of each report, by when it happened.
async fn reports(shop: &Shop, fulfilment: &str) -> Vec<(String, String)> {
    let read = shop.get(&format!("/v1/fulfilments/{fulfilment}/tracking")).await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let updates = read.body["updates"].as_array().unwrap().iter();
    updates.map(|it| (text(&it["tracking_no"]), text(&it["status"]))).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(parcel, status)| ((*parcel).to_owned(), (*status).to_owned())).collect()
}

#[actix_web::test]
async fn reports_come_late_and_twice_and_the_last_parcel_delivers() {
    let shop = Shop::new().await;
    let (id, fulfilment) = shipped(&shop, "T-1", &["1", "2"]).await;
    let first = json!({"updates": [update("1", "delivered", 20), update("1", "picked_up", 8)]});
    for _ in 0..2 {
        let answer = track(&shop, &fulfilment, first.clone()).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("shipped")), "{}", answer.body);
    }
    assert_eq!(reports(&shop, &fulfilment).await, pairs(&[("1", "picked_up"), ("1", "delivered")]));
    assert_eq!(shop.order(&id).await["status"], "shipped");
    let mut signed = update("2", "delivered", 21);
    signed["text"] = json!("签收");
    let answer = track(&shop, &fulfilment, json!({"updates": [signed]})).await;
    assert_eq!(
        (&answer.body["status"], &answer.body["delivered_at"]),
        (&json!("delivered"), &answer.body["changed_at"])
    );
    assert_eq!(shop.order(&id).await["status"], "delivered");
    // What comes later is still written down, and delivers nothing again.
    let late = track(&shop, &fulfilment, json!({"updates": [update("2", "in_transit", 12)]})).await;
    assert_eq!((late.status, late.body["version"].clone()), (200, answer.body["version"].clone()));
    let expected = [("1", "picked_up"), ("2", "in_transit"), ("1", "delivered"), ("2", "delivered")];
    assert_eq!(reports(&shop, &fulfilment).await, pairs(&expected));
    assert_eq!(told::<FulfilmentDelivered>(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn parcels_are_added_corrected_and_renumbered_after_they_left() {
    let shop = Shop::new().await;
    let (id, fulfilment) = shipped(&shop, "T-1", &["1", "2"]).await;
    track(&shop, &fulfilment, json!({"updates": [update("1", "picked_up", 8)]})).await;
    let parcels = json!([
        {"carrier": "YTO", "tracking_no": "2", "lines": [{"line_no": 1, "quantity": 1}]},
        {"carrier": "SF", "tracking_no": "9", "replaces": "1"},
        {"carrier": "SF", "tracking_no": "3"},
    ]);
    let corrected =
        track(&shop, &fulfilment, json!({"parcels": parcels, "updates": [update("9", "delivered", 9)]})).await;
    assert_eq!(corrected.status, 200, "{}", corrected.body);
    let numbers: Vec<&Value> =
        corrected.body["parcels"].as_array().unwrap().iter().map(|it| &it["tracking_no"]).collect();
    assert_eq!(numbers, [&json!("9"), &json!("2"), &json!("3")]);
    let history = shop.order(&id).await["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&history["actor"], &history["what"]), (&json!("oms"), &json!("W1 parcels corrected")));
    let done = json!({"updates": [update("2", "delivered", 9), update("3", "delivered", 9)]});
    assert_eq!(track(&shop, &fulfilment, done).await.body["status"], "delivered");
    let after = track(&shop, &fulfilment, json!({"parcels": [{"carrier": "SF", "tracking_no": "4"}]})).await;
    assert_eq!(after.code(), (409, "state_conflict"));
}

#[actix_web::test]
async fn what_does_not_fit_is_refused_with_every_fault_and_leaves_nothing() {
    let shop = Shop::new().await;
    let (_, fulfilment) = shipped(&shop, "T-1", &["1"]).await;
    let mut ahead = update("1", "in_transit", 8);
    ahead["at"] = json!("2999-01-01T00:00:00Z");
    let wrong = track(
        &shop,
        &fulfilment,
        json!({"updates": [update("1", "picked_up", 8), update("7", "delivered", 8), ahead]}),
    )
    .await;
    assert_eq!(
        (wrong.code(), wrong.fields()),
        ((422, "invalid_field"), vec!["updates[1].tracking_no", "updates[2].at"])
    );
    assert_eq!(track(&shop, &fulfilment, json!({})).await.fields(), ["updates"]);
    let full = json!({"parcels": [{"carrier": "SF", "tracking_no": "2", "lines": [{"line_no": 1, "quantity": 3}]}]});
    assert_eq!(track(&shop, &fulfilment, full).await.fields(), ["parcels[1].lines[0]"]);
    let replaced = json!({"parcels": [{"carrier": "SF", "tracking_no": "2", "replaces": "5"}]});
    assert_eq!(track(&shop, &fulfilment, replaced).await.fields(), ["parcels[0].replaces"]);
    assert_eq!(reports(&shop, &fulfilment).await, []);
    let id = shop.sourced("T-2", json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    let [offered] = shop.fulfilments(&id).await.try_into().unwrap();
    let early = track(&shop, &offered, json!({"updates": [update("1", "picked_up", 8)]})).await;
    assert_eq!(early.code(), (409, "state_conflict"));
}

/// Reports of every parcel at once, each several times: delivered once.
#[actix_web::test]
async fn reports_at_once_deliver_once() {
    let shop = Shop::new().await;
    let (id, fulfilment) = shipped(&shop, "T-1", &["1", "2", "3"]).await;
    let report =
        |no: usize| track(&shop, &fulfilment, json!({"updates": [update(&(no % 3 + 1).to_string(), "delivered", 9)]}));
    for answer in join_all((0..9).map(report)).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(shop.order(&id).await["status"], "delivered");
    assert_eq!(reports(&shop, &fulfilment).await.len(), 3);
    assert_eq!(told::<FulfilmentDelivered>(&shop.test.store).await.len(), 1);
}
