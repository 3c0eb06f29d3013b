//! Rules hold an order at its intake: nobody hears of it until it is released.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{OrderCancelled, OrderChanged, OrderHeld, OrderPlaced, OrderReleased};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Puts rules in force, `(name, reason, when)`.
pub async fn in_force(shop: &Shop, rules: &[(&str, &str, Value)]) {
    let rule = |(name, reason, when): &(&str, &str, Value)| json!({"name": name, "reason": reason, "when": when});
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    let added = shop.post("/v1/order-hold-rules", json!({"rules": rules})).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let version = added.body["version"].as_i64().unwrap();
    let active = shop.act(&format!("/v1/order-hold-rules/{version}/activate")).await;
    assert_eq!(active.status, 200, "{}", active.body);
}

/// Orders of 50 yuan and more are held.
fn at_least(fen: i64) -> Value {
    json!({"amount": {"currency": "CNY", "at_least": fen}})
}

async fn release(shop: &Shop, id: &str) -> Answer {
    shop.act(&format!("/v1/orders/{id}/release")).await
}

async fn cancel(shop: &Shop, id: &str, units: i64) -> Answer {
    let body = json!({"lines": [{"line_no": 1, "quantity": units}], "reason": "fewer"});
    shop.post(&format!("/v1/orders/{id}/cancel"), body).await
}

async fn patch(shop: &Shop, id: &str, body: Value) -> Answer {
    let request = TestRequest::default().method(Method::PATCH).uri(&format!("/v1/orders/{id}")).set_json(body);
    shop.send(&shop.claims("*"), request).await
}

fn reasons(body: &Value) -> Vec<&str> {
    let mut all: Vec<&str> =
        body["holds"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

#[actix_web::test]
async fn nobody_hears_of_a_held_order_until_it_is_released_and_then_as_of_any_other() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(2, "SET", 1, 4000), line(1, "A", 3, 1000)]));
    body["freight"] = fen(800);
    body["discount"] = fen(100);
    body["guide"] = json!("G1");
    body["store"] = json!("S1");
    body["note"] = json!("ring twice");
    body["parent_order_no"] = json!("P-1");
    body["tax"] = fen(700);
    body["coupons"] = json!([{"code": "C", "amount": fen(50), "funded_by": "platform"}]);
    assert_eq!(shop.post("/v1/orders", body.clone()).await.body["status"], "sourcing", "no rules, no holds");
    in_force(&shop, &[("large", "amount", at_least(5000))]).await;
    body["channel_order_no"] = json!("T-2");
    let held = shop.post("/v1/orders", body).await;
    assert_eq!((held.status, &held.body["status"], &held.body["held"]), (201, &json!("held"), &json!(true)));
    let hold = &held.body["holds"][0];
    assert_eq!((&hold["kind"], &hold["rule"], &hold["reason"]), (&json!("rule"), &json!("large"), &json!("amount")));
    assert_eq!((&hold["ruleset_version"], &hold["placed_by"]), (&json!(1), &json!("order")));
    let id = held.id();
    let read = shop.order(&id).await;
    assert_eq!((&read["status"], &read["holds"]), (&json!("held"), &held.body["holds"]));
    let [twin]: [OrderPlaced; 1] = told(&shop.test.store).await.try_into().unwrap();
    let [event]: [OrderHeld; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert!(event.before_placed);
    assert_eq!((event.order_id.to_string(), event.holds[0].rule.as_ref().unwrap().as_str()), (id.clone(), "large"));
    let found = shop.get("/v1/orders?status=held").await;
    assert_eq!(found.body["items"][0]["id"], json!(id));
    assert_eq!(shop.get("/v1/order-holds").await.body["items"][0]["order"]["status"], "held");
    let free = release(&shop, &id).await;
    assert_eq!((free.status, &free.body["status"], &free.body["held"]), (200, &json!("sourcing"), &json!(false)));
    let [first, mut placed]: [OrderPlaced; 2] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!(first, twin);
    assert_eq!((placed.order_id.to_string(), placed.channel_order_no.as_str()), (id.clone(), "T-2"));
    (placed.order_id, placed.channel_order_no) = (twin.order_id, twin.channel_order_no.clone());
    let mut twin = twin;
    twin.lines.sort_by_key(|line| line.line_no);
    assert_eq!(placed, twin);
    assert_eq!(told::<OrderReleased>(&shop.test.store).await.len(), 1);
    let parts = [(1, "A", "W1", 3), (2, "CUP", "W1", 2), (2, "POT", "W1", 1)];
    shop.hear(&answered(&id, 1, &parts)).await;
    assert_eq!(shop.order(&id).await["status"], "sourced");
}

#[actix_web::test]
async fn each_rule_that_fits_is_a_hold_and_people_may_add_theirs() {
    let shop = Shop::new().await;
    let rules = [("large", "amount", at_least(5000)), ("tea", "goods", json!({"lines": {"category": ["tea"]}}))];
    in_force(&shop, &rules).await;
    let one = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1000)]))).await;
    assert_eq!((reasons(&one.body), &one.body["status"]), (vec!["goods"], &json!("held")));
    let both = shop.post("/v1/orders", order("T-2", json!([line(1, "A", 5, 1000)]))).await;
    assert_eq!(reasons(&both.body), ["amount", "goods"]);
    let id = both.id();
    let third = shop.post(&format!("/v1/orders/{id}/hold"), json!({"reason": "odd"})).await;
    assert_eq!((reasons(&third.body), &third.body["status"]), (vec!["amount", "goods", "odd"], &json!("held")));
    let events: Vec<OrderHeld> = told(&shop.test.store).await;
    assert_eq!(
        events.iter().map(|it| (it.holds.len(), it.before_placed)).collect::<Vec<_>>(),
        [(1, true), (2, true), (1, true)]
    );
    let holds: Vec<Value> = third.body["holds"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    for (index, hold) in holds.iter().enumerate() {
        assert_eq!(told::<OrderPlaced>(&shop.test.store).await, []);
        let answer = shop.post(&format!("/v1/orders/{id}/release"), json!({"hold_id": hold})).await;
        let status = if index < 2 { "held" } else { "sourcing" };
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)), "{}", answer.body);
    }
    // Many at once, some of them never told.
    let ids: Vec<String> = [one.id(), id.clone()].to_vec();
    shop.post(&format!("/v1/orders/{id}/hold"), json!({"reason": "odd"})).await;
    let open = shop.get("/v1/order-holds").await.body["items"].clone();
    let open: Vec<Value> = open.as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    let answer = shop.post("/v1/order-holds/release", json!({"hold_ids": open})).await;
    assert!(answer.body.as_array().unwrap().iter().all(|it| it["released"] == true), "{}", answer.body);
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!((placed.len(), open.len()), (2, 2));
    for id in ids {
        assert_eq!(shop.order(&id).await["status"], "sourcing");
    }
}

#[actix_web::test]
async fn what_is_cancelled_of_a_held_order_is_told_with_its_release_to_the_minor_unit() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let mut line = line(1, "A", 3, 0);
    line.as_object_mut().unwrap().remove("unit_price");
    line["unit_price_decimal"] = json!("0.333333");
    let id = shop.post("/v1/orders", order("T-1", json!([line]))).await.id();
    // Three for a yuan: the first unit costs 33 fen, the second 34.
    for given in [33, 67] {
        let answer = cancel(&shop, &id, 1).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("held")), "{}", answer.body);
        assert_eq!(answer.body["totals"]["given_back_amount"], fen(given));
    }
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await, []);
    assert_eq!(release(&shop, &id).await.body["status"], "sourcing");
    let [placed]: [OrderPlaced; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((placed.lines[0].quantity.get(), placed.lines[0].paid_amount), (3, 100));
    let [event]: [OrderCancelled; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((event.lines[0].quantity.get(), event.lines[0].amount, event.whole), (2, 67, false));
    assert_eq!(event.allocations, []);
    shop.assert_money_adds_up();
    // The inventory has answered for three before it hears of the cancellation.
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["fulfilments"][0]["lines"][0]["quantity"]), (&json!("sourced"), &json!(1)));
}

#[actix_web::test]
async fn a_held_order_that_is_cancelled_was_never_heard_of() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let id = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 2, 1000)]))).await.id();
    assert_eq!(cancel(&shop, &id, 1).await.body["status"], "held");
    let over = cancel(&shop, &id, 1).await;
    assert_eq!((&over.body["status"], &over.body["held"]), (&json!("cancelled"), &json!(false)), "{}", over.body);
    assert_eq!(over.body["payment_status"], "refunded");
    shop.assert_money_adds_up();
    assert_eq!(
        (told::<OrderPlaced>(&shop.test.store).await, told::<OrderCancelled>(&shop.test.store).await),
        (vec![], vec![])
    );
    let [event]: [OrderReleased; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert!(event.ended);
    assert_eq!(release(&shop, &id).await.code(), (409, "state_conflict"));
    let timeline = shop.get(&format!("/v1/orders/{id}/timeline")).await.body;
    let lines: Vec<&Value> = timeline["entries"].as_array().unwrap().iter().map(|it| &it["summary"]).collect();
    assert_eq!(lines, ["received", "partly cancelled", "cancelled"].map(|it| json!(it)).iter().collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_held_order_may_be_paid_and_expires_unheard_of_if_it_is_not() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let mut ids = Vec::new();
    for number in ["T-1", "T-2"] {
        let mut body = order(number, json!([line(1, "A", 2, 100)]));
        body["payment_terms"] = json!({"type": "prepaid"});
        let held = shop.post("/v1/orders", body).await;
        assert_eq!((&held.body["status"], &held.body["payment_status"]), (&json!("held"), &json!("unpaid")));
        ids.push(held.id());
    }
    let [paid, unpaid] = ids.try_into().unwrap();
    let payment = json!({"method": "alipay", "amount": fen(200)});
    let answer = shop.post(&format!("/v1/orders/{paid}/payments"), payment).await;
    assert_eq!((&answer.body["status"], &answer.body["payment_status"]), (&json!("held"), &json!("paid")));
    shop.test.clock.advance(Duration::from_secs(1800));
    shop.run_job("expire_unpaid").await;
    let over = shop.order(&unpaid).await;
    assert_eq!((&over["status"], &over["held"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await, []);
    assert_eq!(release(&shop, &paid).await.body["status"], "sourcing");
    let [placed]: [OrderPlaced; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!(placed.order_id.to_string(), paid);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_held_order_is_told_as_it_was_changed_meanwhile() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let sent = |minute: u32, units: i64| {
        let mut body = order("T-1", json!([line(1, "A", units, 1000)]));
        body["channel_updated_at"] = json!(format!("2026-11-11T00:{minute:02}:00+08:00"));
        body
    };
    let id = shop.post("/v1/orders", sent(1, 3)).await.id();
    let beijing =
        json!({"country": "CN", "province": "北京市", "city": "北京市", "latitude": 39.9, "longitude": 116.4});
    let changed = patch(&shop, &id, json!({"ship_to": beijing, "note": "new"})).await;
    assert_eq!((changed.status, &changed.body["status"]), (200, &json!("held")), "{}", changed.body);
    let mut newer = sent(2, 2);
    newer["fulfilment"]["ship_to"] = json!({"country": "CN", "province": "广东省", "city": "深圳市"});
    let updated = shop.post("/v1/orders", newer).await;
    assert_eq!((updated.status, &updated.body["status"]), (200, &json!("held")), "{}", updated.body);
    assert_eq!(
        (told::<OrderChanged>(&shop.test.store).await, told::<OrderCancelled>(&shop.test.store).await),
        (vec![], vec![])
    );
    release(&shop, &id).await;
    let [placed]: [OrderPlaced; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!(placed.fulfilment.destination.unwrap().city.as_deref(), Some("深圳市"));
    let [event]: [OrderCancelled; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((event.lines[0].quantity.get(), event.lines[0].amount), (1, 1000));
    // The answer to it is the first there is, and counts.
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(shop.order(&id).await["status"], "sourced");
}

#[actix_web::test]
async fn a_held_order_that_is_sent_again_has_the_same_answer_and_the_same_hold() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let body = order("T-1", json!([line(1, "A", 1, 1000)]));
    let keyed = || TestRequest::post().uri("/v1/orders").insert_header(("Idempotency-Key", "k")).set_json(&body);
    let first = shop.send(&shop.claims("*"), keyed()).await;
    assert_eq!((first.status, &first.body["status"]), (201, &json!("held")));
    let again = shop.send(&shop.claims("*"), keyed()).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let same = shop.post("/v1/orders", body.clone()).await;
    assert_eq!((same.status, &same.body["holds"]), (200, &first.body["holds"]));
    let waits = TestRequest::post().uri("/v1/orders").insert_header(("Prefer", "wait=5"));
    let waited = shop.send(&shop.claims("*"), waits.set_json(order("T-2", json!([line(1, "A", 1, 1000)])))).await;
    assert_eq!((waited.status, &waited.body["status"]), (201, &json!("held")));
    let many = join_all((0..16).map(|_| shop.post("/v1/orders", order("T-3", json!([line(1, "A", 1, 1000)]))))).await;
    assert_eq!(many.iter().filter(|it| it.status == 201).count(), 1);
    assert!(many.iter().all(|it| it.body["status"] == "held" && it.body["holds"].as_array().unwrap().len() == 1));
    assert_eq!(told::<OrderHeld>(&shop.test.store).await.len(), 3);
}

#[actix_web::test]
async fn imported_orders_are_judged_like_others() {
    let shop = Shop::new().await;
    in_force(&shop, &[("large", "amount", at_least(5000))]).await;
    let orders = [order("T-1", json!([line(1, "A", 1, 1000)])), order("T-2", json!([line(1, "A", 9, 1000)]))];
    let text: Vec<String> = orders.iter().map(ToString::to_string).collect();
    for held in [json!(true), Value::Null] {
        let request =
            TestRequest::post().uri("/v1/orders/import").insert_header(("Content-Type", "application/x-ndjson"));
        let answer = shop.send(&shop.claims("*"), request.set_payload(text.join("\n"))).await;
        let lines: Vec<Value> =
            answer.body.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["result"]["held"], &lines[1]["result"]["held"]), (&Value::Null, &held), "{lines:?}");
    }
    assert_eq!(told::<OrderPlaced>(&shop.test.store).await.len(), 1);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_holds"), 1);
}

#[actix_web::test]
async fn every_process_judges_by_the_rules_in_force_at_once() {
    let shop = Shop::new().await;
    let other = shop.replica();
    let place = async |number: &str| {
        let request = TestRequest::post().uri("/v1/orders").set_json(order(number, json!([line(1, "A", 1, 1000)])));
        shop.send_to(&other, &shop.claims("*"), request).await.body["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(place("T-1").await, "sourcing");
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    assert_eq!(place("T-2").await, "held");
    in_force(&shop, &[("none", "none", json!({"fulfilment": "pickup"}))]).await;
    assert_eq!(place("T-3").await, "sourcing");
    assert_eq!(shop.act("/v1/order-hold-rules/1/activate").await.status, 200);
    assert_eq!(place("T-4").await, "held");
    in_force(&shop, &[]).await;
    assert_eq!(place("T-5").await, "sourcing");
}

#[actix_web::test]
async fn of_a_release_and_a_cancellation_at_once_either_is_first() {
    let shop = Shop::new().await;
    in_force(&shop, &[("all", "all", json!({"fulfilment": "ship"}))]).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(shop.post("/v1/orders", order(&format!("T-{number}"), json!([line(1, "A", 1, 1000)]))).await.id());
    }
    let answers = join_all(ids.iter().map(|id| join(release(&shop, id), cancel(&shop, id, 1)))).await;
    assert!(answers.iter().all(|(_, cancelled)| cancelled.status == 200));
    let released = answers.iter().filter(|(released, _)| released.status == 200).count();
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    let cancelled: Vec<OrderCancelled> = told(&shop.test.store).await;
    assert_eq!((placed.len(), cancelled.len()), (released, released));
    assert!(placed.iter().zip(&cancelled).all(|(_, cancelled)| cancelled.whole));
    for id in &ids {
        let order = shop.order(id).await;
        assert_eq!((&order["status"], &order["held"]), (&json!("cancelled"), &json!(false)));
    }
    shop.assert_money_adds_up();
}

/// The example of docs/holds.md: its rules, and what it says of them.
#[actix_web::test]
async fn the_worked_example_is_as_the_page_says() {
    let page = include_str!("../../../../docs/holds.md");
    let example = page.split("## A worked example").nth(1).unwrap();
    let rules: Value = serde_json::from_str(example.split("```").nth(1).unwrap().trim_start_matches("json")).unwrap();
    let shop = Shop::new().await;
    let rules: Vec<(String, String, Value)> = rules["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (
                rule["name"].as_str().unwrap().to_owned(),
                rule["reason"].as_str().unwrap().to_owned(),
                rule["when"].clone(),
            )
        })
        .collect();
    let rules: Vec<(&str, &str, Value)> =
        rules.iter().map(|(name, reason, when)| (name.as_str(), reason.as_str(), when.clone())).collect();
    in_force(&shop, &rules).await;
    // The table's rows: order, yuan, street, reasons.
    let table = example.lines().filter(|line| line.starts_with("| T-"));
    let mut rows = 0;
    for row in table {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let mut body =
            order(cells[0], json!([line(1, "A", 1, cells[1].replace(',', "").parse::<i64>().unwrap() * 100)]));
        body["fulfilment"]["ship_to"]["street"] = json!(cells[2]);
        let answer = shop.post("/v1/orders", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let expected: Vec<&str> = cells[3].split(", ").filter(|it| *it != "–").collect();
        let found = if answer.body["held"] == true { reasons(&answer.body) } else { Vec::new() };
        assert_eq!(found, expected, "{row}");
        rows += 1;
    }
    assert_eq!(rows, 5);
}
