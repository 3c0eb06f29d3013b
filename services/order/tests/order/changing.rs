//! An order is changed in the book, by somebody or by its channel: only what differs is done.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{OrderCancelled, OrderChanged, StockSourced};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, line, order};

async fn patch(shop: &Shop, id: &str, body: Value) -> Answer {
    let request = TestRequest::default().method(Method::PATCH).uri(&format!("/v1/orders/{id}")).set_json(body);
    shop.send(&shop.claims("*"), request).await
}

fn beijing() -> Value {
    json!({"country": "CN", "province": "北京市", "city": "北京市", "street": "长安街 1", "latitude": 39.9, "longitude": 116.4})
}

/// The inventory's answer to the change that made this version.
fn answers(id: &str, attempt: i32, version: Option<i64>, allocations: &[(i32, &str, &str, i64)]) -> StockSourced {
    StockSourced { answers_version: version, ..answered(id, attempt, allocations) }
}

async fn offers(shop: &Shop, id: &str) -> Vec<(String, String)> {
    let order = shop.order(id).await;
    let offer = |it: &Value| (it["location"].as_str().unwrap().to_owned(), it["status"].as_str().unwrap().to_owned());
    order["fulfilments"].as_array().unwrap().iter().map(offer).collect()
}

fn offer(location: &str, status: &str) -> (String, String) {
    (location.to_owned(), status.to_owned())
}

#[actix_web::test]
async fn an_order_that_goes_elsewhere_is_sourced_anew() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let changed = patch(&shop, &id, json!({"ship_to": beijing(), "reason": "moved"})).await;
    assert_eq!((changed.status, &changed.body["status"]), (200, &json!("sourcing")), "{}", changed.body);
    assert_eq!(changed.body["fulfilment"]["ship_to"]["city"], "北京市");
    assert_eq!(offers(&shop, &id).await, [offer("W1", "rejected")]);
    let [told]: [OrderChanged; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!(
        (told.fields.as_slice(), told.version),
        (&["ship_to".to_owned()][..], changed.body["version"].as_i64().unwrap())
    );
    assert_eq!(told.destination.unwrap().city.as_deref(), Some("北京市"));
    // What the inventory had told before is about the old address.
    shop.hear(&answers(&id, 2, None, &[(1, "A", "S1", 2)])).await;
    assert_eq!(offers(&shop, &id).await, [offer("W1", "rejected")]);
    shop.hear(&answers(&id, 3, Some(told.version), &[(1, "A", "W2", 2)])).await;
    assert_eq!(offers(&shop, &id).await, [offer("W1", "rejected"), offer("W2", "offered")]);
    assert_eq!(shop.order(&id).await["status"], "sourced");
    // From then on the order is like any other.
    let history = shop.order(&id).await["history"].clone();
    assert!(history.as_array().unwrap().iter().any(|it| it["reason"] == "moved"), "{history}");
    let fulfilment = shop.fulfilments(&id).await.pop().unwrap();
    for step in ["accept", "ship", "deliver"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200, "{step}");
    }
    assert_eq!(shop.order(&id).await["status"], "delivered");
}

#[actix_web::test]
async fn a_change_that_sourcing_cannot_tell_moves_nothing() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let mut address = shop.order(&id).await["fulfilment"]["ship_to"].clone();
    address["phone"] = json!("13800000001");
    let changed = patch(&shop, &id, json!({"ship_to": address, "note": "ring twice"})).await;
    assert_eq!((changed.status, &changed.body["status"]), (200, &json!("sourced")), "{}", changed.body);
    assert_eq!((&changed.body["note"], offers(&shop, &id).await), (&json!("ring twice"), vec![offer("W1", "offered")]));
    let told: Vec<OrderChanged> = told(&shop.test.store).await;
    assert_eq!(
        (told.len(), &told[0].fields, &told[0].destination),
        (1, &vec!["ship_to".to_owned(), "note".to_owned()], &None)
    );
    // The same again is nothing.
    let again = patch(&shop, &id, json!({"ship_to": address, "note": "ring twice"})).await;
    assert_eq!(again.body["version"], changed.body["version"]);
}

#[actix_web::test]
async fn what_is_picked_is_protected() {
    let shop = Shop::new().await;
    let lines = json!([line(1, "A", 1, 1000), line(2, "B", 1, 1000)]);
    let id = shop.sourced("T-1", lines, &[(1, "A", "W1", 1), (2, "B", "W2", 1)]).await;
    let [first, _] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "pick"] {
        shop.act(&format!("/v1/fulfilments/{first}/{step}")).await;
    }
    let both = json!({"ship_to": beijing(), "lines": [{"line_no": 2, "quantity": 0}]});
    let refused = patch(&shop, &id, both).await;
    assert_eq!(refused.code(), (409, "state_conflict"), "{}", refused.body);
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await, [], "all of it or nothing");
    shop.act(&format!("/v1/fulfilments/{first}/ship")).await;
    // What has left has left; the rest may go elsewhere.
    let moved = patch(&shop, &id, json!({"ship_to": beijing()})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(offers(&shop, &id).await, [offer("W1", "shipped"), offer("W2", "rejected")]);
}

#[actix_web::test]
async fn units_are_taken_off_and_their_money_goes_back() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &[(1, "A", "W1", 3)]).await;
    let changed = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let [cancelled]: [OrderCancelled; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((cancelled.lines[0].quantity.get(), cancelled.lines[0].amount, cancelled.whole), (2, 2000, false));
    for (lines, field) in [
        (json!([{"line_no": 9, "quantity": 1}]), "lines[0].line_no"),
        (json!([{"line_no": 1, "quantity": 0}, {"line_no": 1, "quantity": 0}]), "lines[1].line_no"),
        (json!([{"line_no": 1, "quantity": -1}]), "lines[0].quantity"),
    ] {
        let refused = patch(&shop, &id, json!({"lines": lines})).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field]), "{}", refused.body);
    }
    let nothing_left = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 0}], "ship_to": beijing()})).await;
    assert_eq!((nothing_left.status, &nothing_left.body["status"]), (200, &json!("cancelled")));
    assert_eq!(told::<OrderChanged>(&shop.test.store).await, []);
}

#[actix_web::test]
async fn a_pickup_and_an_unusable_address_are_refused_by_field() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "W1"});
    let id = shop.post("/v1/orders", body).await.id();
    assert_eq!(patch(&shop, &id, json!({"ship_to": beijing()})).await.fields(), ["ship_to"]);
    let wrong = json!({"ship_to": {"country": "CN", "latitude": 91.0, "longitude": 0.0}});
    assert_eq!(patch(&shop, &id, wrong).await.fields(), ["ship_to"]);
    let stranger = shop.claims("order:read");
    let request = TestRequest::default().method(Method::PATCH).uri(&format!("/v1/orders/{id}")).set_json(json!({}));
    assert_eq!(shop.send(&stranger, request).await.status, 403);
}

/// An order as its channel sends it, changed at this minute.
fn sent(minute: u32, change: impl FnOnce(&mut Value)) -> Value {
    let mut body = order("T-1", json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)]));
    body["channel_updated_at"] = json!(format!("2026-11-11T00:{minute:02}:00+08:00"));
    change(&mut body);
    body
}

#[actix_web::test]
async fn the_newest_state_of_a_channels_order_wins() {
    let shop = Shop::new().await;
    let first = shop.post("/v1/orders", sent(10, |_| {})).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let id = first.id();
    let update = sent(20, |body| {
        body["fulfilment"]["ship_to"] = beijing();
        body["lines"] = json!([line(1, "A", 2, 1000)]);
        body["note"] = json!("no bags");
    });
    let updated = shop.post("/v1/orders", update.clone()).await;
    assert_eq!((updated.status, updated.id()), (200, id.clone()), "{}", updated.body);
    assert_eq!(
        (&updated.body["note"], &updated.body["fulfilment"]["ship_to"]["city"]),
        (&json!("no bags"), &json!("北京市"))
    );
    let cancelled: Vec<i64> =
        updated.body["lines"].as_array().unwrap().iter().map(|it| it["cancelled"].as_i64().unwrap()).collect();
    assert_eq!(cancelled, [1, 1]);
    let version = updated.body["version"].clone();
    // An older state, the same state and the first one again change nothing.
    let older = shop.post("/v1/orders", sent(15, |body| body["note"] = json!("older"))).await;
    for answer in [older, shop.post("/v1/orders", update).await, shop.post("/v1/orders", sent(10, |_| {})).await] {
        assert_eq!((answer.status, &answer.body["version"]), (200, &version), "{}", answer.body);
    }
    // The same time with another content, or none, contradicts.
    for body in [sent(20, |body| body["note"] = json!("x")), sent(20, |body| body["channel_updated_at"] = Value::Null)]
    {
        let refused = shop.post("/v1/orders", body).await;
        assert_eq!(refused.code(), (409, "contradiction"), "{}", refused.body);
    }
}

#[actix_web::test]
async fn an_update_cannot_rewrite_what_was_bought() {
    let shop = Shop::new().await;
    shop.post("/v1/orders", sent(10, |_| {})).await;
    let dearer = sent(20, |body| body["lines"][0] = line(1, "A", 3, 1100));
    let other = sent(20, |body| body["lines"] = json!([line(1, "A", 3, 1000), line(2, "A", 1, 500)]));
    let cheaper = sent(20, |body| body["lines"][0]["discount"] = crate::support::fen(1));
    for body in [dearer, other, cheaper] {
        let refused = shop.post("/v1/orders", body).await;
        assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec!["lines"]), "{}", refused.body);
    }
    let later = sent(20, |body| body["placed_at"] = json!("2026-11-11T00:00:01+08:00"));
    assert_eq!(shop.post("/v1/orders", later).await.fields(), ["placed_at"]);
}

#[actix_web::test]
async fn an_update_that_comes_first_is_the_order() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", sent(20, |body| body["note"] = json!("newer"))).await.id();
    let late = shop.post("/v1/orders", sent(10, |_| {})).await;
    assert_eq!((late.status, late.id(), &late.body["note"]), (200, id, &json!("newer")));
}

#[actix_web::test]
async fn updates_that_race_end_with_the_newest() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", sent(0, |_| {})).await.id();
    let replica = shop.replica();
    let bodies: Vec<Value> =
        (1..30).map(|minute| sent(minute, |body| body["note"] = json!(minute.to_string()))).collect();
    let send = |(place, body): (usize, &Value)| {
        let request = TestRequest::post().uri("/v1/orders").set_json(body);
        let (shop, replica, claims) = (&shop, &replica, shop.claims("*"));
        async move { shop.send_to(if place % 2 == 0 { &shop.site } else { replica }, &claims, request).await }
    };
    let answers = futures_util::future::join_all(bodies.iter().enumerate().rev().map(send)).await;
    assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
    assert_eq!(shop.order(&id).await["note"], "29");
}
