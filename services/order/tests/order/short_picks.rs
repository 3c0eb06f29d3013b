//! What a location does not find on its shelves.

use contracts::events::{FulfilmentRejected, FulfilmentShipped, OrderCancelled};
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, line};

/// An accepted fulfilment order of `W1`: its order and its id.
async fn accepted(shop: &Shop, lines: Value, allocations: &[(i32, &str, &str, i64)]) -> (String, String) {
    let id = shop.sourced("T-1", lines, allocations).await;
    let fulfilment = shop.fulfilments(&id).await.remove(0);
    assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await.status, 200);
    (id, fulfilment)
}

async fn pick(shop: &Shop, fulfilment: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/fulfilments/{fulfilment}/pick"), body).await
}

/// `(line, sku, units)` of each line of a fulfilment order or an event.
fn units(lines: &Value) -> Vec<(i64, &str, i64)> {
    let unit = |it: &'_ Value| (it["line_no"].as_i64().unwrap(), it["quantity"].as_i64().unwrap());
    let lines = lines.as_array().unwrap().iter();
    lines.map(|it| (unit(it).0, it["sku"].as_str().unwrap(), unit(it).1)).collect()
}

#[actix_web::test]
async fn what_is_missing_is_sourced_elsewhere_and_the_rest_goes_on() {
    let shop = Shop::new().await;
    let lines = json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)]);
    let (id, first) = accepted(&shop, lines, &[(1, "A", "W1", 3), (2, "B", "W1", 1)]).await;
    let picked =
        pick(&shop, &first, json!({"lines": [{"line_no": 1, "quantity": 2}, {"line_no": 2, "quantity": 1}]})).await;
    assert_eq!((picked.status, &picked.body["status"]), (200, &json!("picked")), "{}", picked.body);
    assert_eq!(units(&picked.body["lines"]), [(1, "A", 2), (2, "B", 1)]);
    let [told_of] = told::<FulfilmentRejected>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((told_of.fulfilment_id.to_string(), told_of.reason.as_str()), (first.clone(), "short_pick"));
    assert_eq!(told_of.lines.iter().map(|it| (it.line_no, it.quantity.get())).collect::<Vec<_>>(), [(1, 1)]);
    let history = shop.order(&id).await["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&history["what"], &history["reason"]), (&json!("W1 picked"), &json!("short_pick")));
    // The first part leaves; the order waits for the rest.
    assert_eq!(shop.act(&format!("/v1/fulfilments/{first}/ship")).await.status, 200);
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("fulfilling"), &json!(2)));
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 1)])).await;
    let [_, second] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship", "deliver"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{second}/{step}")).await.status, 200, "{step}");
    }
    assert_eq!(shop.order(&id).await["status"], "shipped");
    assert_eq!(shop.act(&format!("/v1/fulfilments/{first}/deliver")).await.status, 200);
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("delivered"), &json!(3)));
    let left: i64 = told::<FulfilmentShipped>(&shop.test.store)
        .await
        .iter()
        .flat_map(|it| &it.lines)
        .map(|it| it.quantity.get())
        .sum();
    assert_eq!(left, 4, "every unit has left once");
}

#[actix_web::test]
async fn picking_nothing_is_a_rejection() {
    let shop = Shop::new().await;
    let (id, fulfilment) = accepted(&shop, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let picked = pick(&shop, &fulfilment, json!({"lines": [{"line_no": 1, "quantity": 0}]})).await;
    assert_eq!((&picked.body["status"], &picked.body["reason"]), (&json!("rejected"), &json!("short_pick")));
    assert_eq!(units(&picked.body["lines"]), [(1, "A", 2)], "what was in it stays readable");
    assert!(picked.body.get("picked_at").is_none());
    assert_eq!(shop.order(&id).await["status"], "sourcing");
    let [told] = told::<FulfilmentRejected>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((told.lines[0].quantity.get(), told.reason.as_str()), (2, "short_pick"));
}

#[actix_web::test]
async fn everything_may_be_said_or_left_unsaid() {
    for body in [json!({}), json!({"lines": [{"line_no": 1, "quantity": 2}]}), json!({"lines": null})] {
        let shop = Shop::new().await;
        let (_, fulfilment) = accepted(&shop, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
        let picked = pick(&shop, &fulfilment, body).await;
        assert_eq!((&picked.body["status"], units(&picked.body["lines"])), (&json!("picked"), vec![(1, "A", 2)]));
        assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await, []);
    }
}

#[actix_web::test]
async fn components_of_a_bundle_are_missing_one_by_one() {
    let shop = Shop::new().await;
    let parts = [(1, "CUP", "W1", 4), (1, "POT", "W1", 2)];
    let (id, first) = accepted(&shop, json!([line(1, "SET", 2, 1000)]), &parts).await;
    let unclear = pick(&shop, &first, json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    assert_eq!((unclear.code(), unclear.fields()), ((422, "invalid_field"), vec!["lines[0].sku"]));
    let found = json!([{"line_no": 1, "sku": "CUP", "quantity": 4}, {"line_no": 1, "sku": "POT", "quantity": 1}]);
    let picked = pick(&shop, &first, json!({"lines": found})).await;
    assert_eq!(units(&picked.body["lines"]), [(1, "CUP", 4), (1, "POT", 1)]);
    shop.act(&format!("/v1/fulfilments/{first}/ship")).await;
    assert_eq!(shop.order(&id).await["lines"][0]["shipped"], 1, "one whole set has left");
    shop.hear(&answered(&id, 2, &[(1, "POT", "W2", 1)])).await;
    let [_, second] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "pick", "ship"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{second}/{step}")).await.status, 200, "{step}");
    }
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("shipped"), &json!(2)));
}

#[actix_web::test]
async fn missing_units_may_be_cancelled_before_they_have_a_location() {
    let shop = Shop::new().await;
    let (id, first) = accepted(&shop, json!([line(1, "A", 3, 1000)]), &[(1, "A", "W1", 3)]).await;
    pick(&shop, &first, json!({"lines": [{"line_no": 1, "quantity": 2}]})).await;
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}], "reason": "short"});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), cancel).await.status, 200);
    let cancelled = told::<OrderCancelled>(&shop.test.store).await;
    assert!(cancelled[0].allocations.is_empty(), "nobody holds the unit any more");
    // An answer that comes late places nothing.
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 1)])).await;
    assert_eq!(shop.fulfilments(&id).await.len(), 1);
    shop.act(&format!("/v1/fulfilments/{first}/ship")).await;
    assert_eq!(shop.order(&id).await["status"], "shipped");
}

#[actix_web::test]
async fn more_than_there_is_cannot_be_found() {
    let shop = Shop::new().await;
    let (id, fulfilment) = accepted(&shop, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let faults = [
        (json!([{"line_no": 1, "quantity": 3}]), "lines[0].quantity"),
        (json!([{"line_no": 1, "quantity": 1}, {"line_no": 1, "quantity": 1}]), "lines[1]"),
        (json!([{"line_no": 2, "quantity": 1}]), "lines[0].line_no"),
    ];
    for (lines, field) in faults {
        let refused = pick(&shop, &fulfilment, json!({"lines": lines})).await;
        assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec![field]));
    }
    assert_eq!(shop.order(&id).await["fulfilments"][0]["status"], "accepted");
    let body = r#"{"id": "FULFILMENT", "action": "pick", "lines": [{"line_no": 1, "quantity": 1}]}"#;
    let import = actix_web::test::TestRequest::post()
        .uri("/v1/fulfilments/import")
        .insert_header(("Content-Type", "application/x-ndjson"))
        .set_payload(body.replace("FULFILMENT", &fulfilment));
    let answer = shop.send(&shop.claims("*"), import).await;
    assert_eq!(answer.body["result"]["status"], "picked", "{}", answer.body);
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await[0].lines[0].quantity.get(), 1);
}

/// Two pickers report at once, many times: one report counts.
#[actix_web::test]
async fn of_two_picks_at_once_one_counts() {
    let shop = Shop::new().await;
    for round in 0..10 {
        let id = shop.sourced(&format!("T-{round}"), json!([line(1, "A", 3, 1000)]), &[(1, "A", "W1", 3)]).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
        let found = |units: i64| pick(&shop, &fulfilment, json!({"lines": [{"line_no": 1, "quantity": units}]}));
        let (one, two) = futures_util::join!(found(1), found(2));
        assert_eq!([one.status, two.status].into_iter().filter(|it| *it == 200).count(), 1);
        let left = if one.status == 200 { 1 } else { 2 };
        assert_eq!(units(&shop.order(&id).await["fulfilments"][0]["lines"]), [(1, "A", left)]);
        let missing = told::<FulfilmentRejected>(&shop.test.store).await.pop().unwrap();
        assert_eq!(missing.lines[0].quantity.get(), 3 - left);
    }
}
