//! The queue of held orders is worked off.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::OrderReleased;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, code, line, order};

/// An order of one `A` at 10 yuan that is held for these reasons, a second after what was held before: its id and its holds.
async fn held(shop: &Shop, number: &str, reasons: &[&str]) -> (String, Vec<String>) {
    shop.test.clock.advance(Duration::from_secs(1));
    let id = shop.placed(number, json!([line(1, "A", 1, 1000)])).await;
    hold(shop, &id, reasons).await
}

async fn hold(shop: &Shop, id: &str, reasons: &[&str]) -> (String, Vec<String>) {
    for reason in reasons {
        shop.test.clock.advance(Duration::from_secs(1));
        let answer = shop.post(&format!("/v1/orders/{id}/hold"), json!({"reason": reason})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let holds = shop.order(id).await["holds"].clone();
    (id.to_owned(), holds.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect())
}

/// The order numbers and reasons of a list, and where it goes on.
async fn list(shop: &Shop, query: &str) -> (Vec<(String, String)>, Value) {
    let answer = shop.get(&format!("/v1/order-holds?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let items = answer.body["items"].as_array().unwrap().iter();
    (
        items.map(|it| (text(&it["order"]["channel_order_no"]), text(&it["reason"]))).collect(),
        answer.body["next_cursor"].clone(),
    )
}

fn all(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items.iter().map(|(number, reason)| ((*number).to_owned(), (*reason).to_owned())).collect()
}

async fn release(shop: &Shop, body: Value) -> Answer {
    shop.post("/v1/order-holds/release", body).await
}

/// What became of each: released, or the code of the problem.
fn outcomes(answer: &Answer) -> Vec<&str> {
    let outcome = |it: &'_ Value| it["released"].as_bool().unwrap();
    let items = answer.body.as_array().unwrap().iter();
    items.map(|it| if outcome(it) { "released" } else { it["problem"]["code"].as_str().unwrap() }).collect()
}

#[actix_web::test]
async fn what_waits_longest_comes_first_page_by_page() {
    let shop = Shop::new().await;
    let (_, first) = held(&shop, "T-1", &["odd"]).await;
    held(&shop, "T-2", &["amount", "odd"]).await;
    let (page, next) = list(&shop, "limit=2").await;
    assert_eq!(page, all(&[("T-1", "odd"), ("T-2", "amount")]));
    let (page, next) = list(&shop, &format!("limit=2&cursor={}", next.as_str().unwrap())).await;
    assert_eq!((page, next), (all(&[("T-2", "odd")]), Value::Null));
    assert_eq!(list(&shop, "reason=odd").await.0, all(&[("T-1", "odd"), ("T-2", "odd")]));
    assert_eq!(list(&shop, "status=released").await.0, []);
    assert_eq!(outcomes(&release(&shop, json!({"hold_ids": first})).await), ["released"]);
    assert_eq!(list(&shop, "status=open&reason=odd").await.0, all(&[("T-2", "odd")]));
    assert_eq!(list(&shop, "status=released").await.0, all(&[("T-1", "odd")]));
    assert_eq!(shop.get("/v1/order-holds?status=lost").await.status, 400);
    let whole = shop.get("/v1/order-holds?status=released").await.body["items"][0].clone();
    assert_eq!(whole["order"]["total_amount"], json!({"amount": 1000, "currency": "CNY"}));
    assert_eq!((&whole["id"], &whole["order"]["status"]), (&json!(first[0]), &json!("sourcing")));
}

#[actix_web::test]
async fn the_queue_shows_the_channels_that_the_caller_may_see() {
    let shop = Shop::new().await;
    held(&shop, "T-1", &["odd"]).await;
    let mut body = order(
        "J-1",
        json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price": {"amount": 5, "currency": "JPY"}}]),
    );
    (body["channel"], body["currency"]) = (json!("till"), json!("JPY"));
    let other = shop.post("/v1/orders", body).await.id();
    let (_, other) = hold(&shop, &other, &["odd"]).await;
    assert_eq!(list(&shop, "").await.0, all(&[("T-1", "odd"), ("J-1", "odd")]));
    assert_eq!(list(&shop, "channel=till").await.0, all(&[("J-1", "odd")]));
    let claims = |scope: &str| web::Claims { channels: Some([code("tmall")].into()), ..shop.claims(scope) };
    let get = |path: &str| TestRequest::get().uri(path);
    let seen = shop.send(&claims("order:read"), get("/v1/order-holds")).await;
    assert_eq!(seen.body["items"].as_array().unwrap().len(), 1, "{}", seen.body);
    assert_eq!(shop.send(&claims("order:read"), get("/v1/order-holds?channel=till")).await.status, 403);
    assert_eq!(shop.send(&claims("order:release"), get("/v1/order-holds")).await.status, 403);
    let body = || TestRequest::post().uri("/v1/order-holds/release").set_json(json!({"hold_ids": other}));
    assert_eq!(outcomes(&shop.send(&claims("order:release"), body()).await), ["forbidden"]);
    assert_eq!(shop.send(&claims("order:write order:hold"), body()).await.code(), (403, "forbidden"));
}

#[actix_web::test]
async fn many_are_released_at_once_each_for_itself() {
    let shop = Shop::new().await;
    let (one, first) = held(&shop, "T-1", &["odd", "amount"]).await;
    let (two, second) = held(&shop, "T-2", &["odd", "amount"]).await;
    let unknown = "0199aaaa-0000-7000-8000-000000000001";
    assert_eq!(outcomes(&release(&shop, json!({"hold_ids": [second[0]]})).await), ["released"]);
    let ids = json!([second[0], first[1], unknown, second[1], first[0]]);
    let answer = release(&shop, json!({"hold_ids": ids, "note": "checked"})).await;
    assert_eq!(outcomes(&answer), ["state_conflict", "released", "not_found", "released", "released"]);
    assert_eq!((&answer.body[1]["hold_id"], &answer.body[1]["order_id"]), (&json!(first[1]), &json!(one)));
    let told: Vec<OrderReleased> = told(&shop.test.store).await;
    let holds: BTreeMap<String, usize> = told.iter().map(|it| (it.order_id.to_string(), it.holds.len())).collect();
    assert_eq!(holds, BTreeMap::from([(one.clone(), 2), (two.clone(), 1)]));
    for id in [&one, &two] {
        let order = shop.order(id).await;
        assert_eq!((&order["held"], &order["holds"][1]["release_note"]), (&json!(false), &json!("checked")));
        let history = order["history"].as_array().unwrap().last().unwrap()["what"].clone();
        assert_eq!(history, if *id == one { "released: amount, odd" } else { "released: amount" });
    }
}

#[actix_web::test]
async fn a_release_of_many_is_limited_and_done_once() {
    let shop = Shop::new().await;
    let (_, holds) = held(&shop, "T-1", &["odd"]).await;
    let many: Vec<String> = (0..101).map(|number| format!("0199aaaa-0000-7000-8000-{number:012}")).collect();
    for (body, field) in [
        (json!({"hold_ids": []}), "hold_ids"),
        (json!({"hold_ids": many}), "hold_ids"),
        (json!({"hold_ids": [holds[0], holds[0]]}), "hold_ids[1]"),
        (json!({"hold_ids": holds, "note": "x".repeat(1001)}), "note"),
    ] {
        let answer = release(&shop, body).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field]), "{}", answer.body);
    }
    let body = json!({"hold_ids": holds});
    let request =
        || TestRequest::post().uri("/v1/order-holds/release").insert_header(("Idempotency-Key", "k")).set_json(&body);
    for _ in 0..2 {
        assert_eq!(outcomes(&shop.send(&shop.claims("*"), request()).await), ["released"]);
    }
    assert_eq!(told::<OrderReleased>(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn several_who_work_off_the_same_queue_release_each_hold_once() {
    let shop = Shop::new().await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.extend(held(&shop, &format!("T-{number}"), &["odd", "amount"]).await.1);
    }
    let backwards: Vec<String> = ids.iter().rev().cloned().collect();
    let bodies = [ids.clone(), backwards, ids.clone()].map(|hold_ids| json!({"hold_ids": hold_ids}));
    let answers = join_all(bodies.into_iter().map(|body| release(&shop, body))).await;
    let released: usize = answers.iter().map(|it| outcomes(it).iter().filter(|it| **it == "released").count()).sum();
    assert_eq!((released, told::<OrderReleased>(&shop.test.store).await.len()), (20, 10));
    assert_eq!(list(&shop, "").await.0, []);
}
