//! What many locations report at once.

use actix_web::test::TestRequest;
use contracts::Payload;
use contracts::events::{FulfilmentAccepted, FulfilmentDelivered, FulfilmentRejected, FulfilmentShipped};
use serde_json::{Value, json};
use testkit::outbox_events;

use crate::support::{Shop, code, line};

async fn report(shop: &Shop, scope: Option<&str>, lines: &[Value]) -> Vec<Value> {
    let mut claims = shop.claims("*");
    claims.locations = scope.map(|location| [code(location)].into());
    let body: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let request = TestRequest::post().uri("/v1/fulfilments/import");
    let request = request.insert_header(("Content-Type", "application/x-ndjson")).set_payload(body.join("\n"));
    let answer = shop.send(&claims, request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    match answer.body {
        Value::String(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one],
    }
}

/// The state or the problem of each line.
fn outcomes(answers: &[Value]) -> Vec<&str> {
    answers
        .iter()
        .map(|answer| answer["result"]["status"].as_str().or(answer["problem"]["code"].as_str()).unwrap())
        .collect()
}

#[actix_web::test]
async fn reports_are_taken_in_their_order_and_each_on_its_own() {
    let shop = Shop::with(&[("RETURN_WINDOW_SECONDS", "0")]).await;
    let one = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &[(1, "A", "S1", 1), (1, "A", "W1", 2)]).await;
    let two = shop.sourced("T-2", json!([line(1, "B", 1, 1000)]), &[(1, "B", "W1", 1)]).await;
    let [from_s1, from_w1] = shop.fulfilments(&one).await.try_into().unwrap();
    let [other] = shop.fulfilments(&two).await.try_into().unwrap();
    let parcels = json!([{"carrier": "SF", "tracking_no": "SF1"}]);
    let lines = [
        json!({"id": from_s1, "action": "accept"}),
        json!({"id": from_s1, "action": "ship", "parcels": parcels}),
        json!({"id": from_s1, "action": "deliver"}),
        json!({"id": from_w1, "action": "deliver"}),
        json!({"id": one, "action": "accept"}),
        json!({"id": from_w1, "action": "accept", "reason": "gladly"}),
        json!({"id": from_w1, "action": "teleport"}),
        json!({"id": from_w1, "action": "accept"}),
        json!({"id": other, "action": "reject", "reason": "sold out"}),
    ];
    let answers = report(&shop, None, &lines).await;
    let expected = [
        "accepted",
        "shipped",
        "delivered",
        "state_conflict",
        "not_found",
        "invalid_field",
        "malformed",
        "accepted",
        "rejected",
    ];
    assert_eq!(outcomes(&answers), expected);
    let order = shop.order(&one).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("fulfilling"), &json!(1)));
    assert_eq!(shop.order(&two).await["status"], "sourcing");
    let kinds: Vec<String> = outbox_events(&shop.test.store).await.into_iter().map(|event| event.kind).collect();
    let told = [
        FulfilmentAccepted::KIND,
        FulfilmentShipped::KIND,
        FulfilmentDelivered::KIND,
        FulfilmentAccepted::KIND,
        FulfilmentRejected::KIND,
    ];
    assert_eq!(kinds[kinds.len() - 5..], told);

    let rest = [json!({"id": from_w1, "action": "ship"}), json!({"id": from_w1, "action": "deliver"})];
    assert_eq!(outcomes(&report(&shop, None, &rest).await), ["shipped", "delivered"]);
    let order = shop.order(&one).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("delivered"), &json!(3)));
    shop.run_job("complete_orders").await;
    assert_eq!(shop.order(&one).await["status"], "completed");
    // Sent again it changes nothing.
    assert_eq!(outcomes(&report(&shop, None, &rest).await), ["state_conflict", "state_conflict"]);
}

#[actix_web::test]
async fn a_location_reports_on_its_own_work_alone() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &[(1, "A", "S1", 1), (1, "A", "W1", 2)]).await;
    let [from_s1, from_w1] = shop.fulfilments(&id).await.try_into().unwrap();
    let lines = [json!({"id": from_s1, "action": "accept"}), json!({"id": from_w1, "action": "accept"})];
    assert_eq!(outcomes(&report(&shop, Some("W1"), &lines).await), ["forbidden", "accepted"]);
}
