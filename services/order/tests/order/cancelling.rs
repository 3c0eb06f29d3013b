//! Cancelling, and its races with sourcing and shipping.

use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use contracts::events::{FulfilmentOffered, OrderCancelled};
use futures_util::future::join_all;
use serde_json::json;
use testkit::told;

use crate::support::{Shop, answered, fen, line, order};

#[actix_web::test]
async fn a_cancelled_order_gives_everything_back() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)]));
    body["freight"] = fen(800);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3), (2, "B", "W2", 1)])).await;
    let answer = shop.post(&format!("/v1/orders/{id}/cancel"), json!({"reason": "changed my mind"})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((&answer.body["status"], &answer.body["payment_status"]), (&json!("cancelled"), &json!("refunded")));
    assert_eq!(answer.body["totals"]["given_back_amount"], fen(4300));
    let states: BTreeSet<&str> =
        answer.body["fulfilments"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["cancelled"].into());
    let told: Vec<OrderCancelled> = told(&shop.test.store).await;
    let lines: Vec<_> = told[0].lines.iter().map(|it| (it.line_no, it.quantity.get(), it.amount)).collect();
    assert_eq!((lines, told[0].whole), (vec![(1, 3, 3000), (2, 1, 500)], true));
    assert_eq!(told[0].allocations.len(), 2);
    assert_eq!(shop.act(&format!("/v1/orders/{id}/cancel")).await.code(), (409, "state_conflict"));
}

#[actix_web::test]
async fn units_are_cancelled_one_by_one_to_the_minor_unit() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["freight"] = fen(7);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2), (1, "A", "W2", 1)])).await;
    let path = format!("/v1/orders/{id}/cancel");
    for status in ["sourced", "sourced", "cancelled"] {
        let answer = shop.post(&path, json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)), "{}", answer.body);
    }
    // 100 paid for three units goes back as 33, 34, 33, and the freight with the last one.
    let told: Vec<OrderCancelled> = told(&shop.test.store).await;
    assert_eq!(told.iter().map(|it| it.lines[0].amount).collect::<Vec<_>>(), [33, 34, 33]);
    assert_eq!(told.iter().map(|it| it.whole).collect::<Vec<_>>(), [false, false, true]);
    let order = shop.order(&id).await;
    assert_eq!((&order["totals"]["given_back_amount"], &order["payment_status"]), (&fen(107), &json!("refunded")));
}

#[actix_web::test]
async fn what_shipped_cannot_be_cancelled() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 3, 1000)]), &[(1, "A", "W1", 2), (1, "A", "W2", 1)]).await;
    let [first, _] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{first}/{step}")).await.status, 200);
    }
    let path = format!("/v1/orders/{id}/cancel");
    assert_eq!(shop.act(&path).await.code(), (409, "state_conflict"));
    let units = |quantity: i64| shop.post(&path, json!({"lines": [{"line_no": 1, "quantity": quantity}]}));
    assert_eq!(units(2).await.code(), (409, "state_conflict"));
    assert_eq!(units(1).await.body["status"], "shipped", "what is left has left");
    let unknown = shop.post(&path, json!({"lines": [{"line_no": 7, "quantity": 1}]})).await;
    assert_eq!(unknown.fields(), ["lines[0].line_no"]);
}

#[actix_web::test]
async fn a_cancelled_order_is_never_offered_when_its_answer_comes_late() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 3, 1000)])).await;
    assert_eq!(shop.act(&format!("/v1/orders/{id}/cancel")).await.status, 200);
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["fulfilments"]), (&json!("cancelled"), &json!([])));
    assert!(told::<FulfilmentOffered>(&shop.test.store).await.is_empty());
    let cancelled: Vec<OrderCancelled> = told(&shop.test.store).await;
    assert!(cancelled[0].allocations.is_empty(), "nobody knew a location yet");
}

#[actix_web::test]
async fn units_cancelled_while_the_answer_is_on_its_way_are_left_out() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 3, 1000)])).await;
    let cancel = shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 2}]})).await;
    assert_eq!((cancel.status, &cancel.body["status"]), (200, &json!("sourcing")));
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1), (1, "A", "W2", 2)])).await;
    let order = shop.order(&id).await;
    assert_eq!(order["status"], "sourced");
    let parts: Vec<_> = order["fulfilments"].as_array().unwrap().iter().map(|it| it["location"].clone()).collect();
    assert_eq!(parts, [json!("W1")], "the highest location code gives up its units first");
}

/// Sourcing and cancelling at once, many times: whoever comes first, no live fulfilment is left of a cancelled order.
#[actix_web::test]
async fn cancelling_and_sourcing_at_once_leave_nothing_alive() {
    let shop = Shop::new().await;
    for round in 0..20 {
        let id = shop.placed(&format!("T-{round}"), json!([line(1, "A", 3, 1000)])).await;
        let (path, answer) = (format!("/v1/orders/{id}/cancel"), answered(&id, 1, &[(1, "A", "W1", 3)]));
        let (cancelled, ()) = futures_util::join!(shop.act(&path), shop.hear(&answer));
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
        let order = shop.order(&id).await;
        assert_eq!(order["status"], "cancelled");
        let live = order["fulfilments"].as_array().unwrap().iter().filter(|it| it["status"] != "cancelled").count();
        assert_eq!(live, 0, "{order}");
    }
}

/// Shipping and cancelling at once, many times: exactly one of the two wins.
#[actix_web::test]
async fn of_a_ship_and_a_cancel_exactly_one_wins() {
    let shop = Shop::new().await;
    for round in 0..20 {
        let id = shop.sourced(&format!("T-{round}"), json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
        let (ship, cancel) = (format!("/v1/fulfilments/{fulfilment}/ship"), format!("/v1/orders/{id}/cancel"));
        let (shipped, cancelled) = futures_util::join!(shop.act(&ship), shop.act(&cancel));
        let statuses = BTreeSet::from([shipped.status, cancelled.status]);
        assert_eq!(statuses, BTreeSet::from([200, 409]), "{} {}", shipped.body, cancelled.body);
        let order = shop.order(&id).await;
        let (status, units) = if shipped.status == 200 { ("shipped", [0, 2]) } else { ("cancelled", [2, 0]) };
        assert_eq!(order["status"], status);
        assert_eq!(
            [&order["lines"][0]["cancelled"], &order["lines"][0]["shipped"]],
            units.map(|it| json!(it)).each_ref()
        );
    }
}

#[actix_web::test]
async fn many_cancels_of_one_unit_each_take_no_more_than_there_is() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 5, 999)]), &[(1, "A", "W1", 5)]).await;
    let path = format!("/v1/orders/{id}/cancel");
    let cancels = (0..12).map(|_| shop.post(&path, json!({"lines": [{"line_no": 1, "quantity": 1}]})));
    let answers = join_all(cancels).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7);
    let told: Vec<OrderCancelled> = told(&shop.test.store).await;
    assert_eq!(told.iter().map(|it| it.lines[0].amount).sum::<i64>(), 5 * 999);
}

#[actix_web::test]
async fn a_bundle_is_cancelled_by_its_components() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "SET", 2, 1000)]), &[(1, "CUP", "W1", 4), (1, "POT", "W1", 2)]).await;
    let cancel = shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    assert_eq!(cancel.status, 200, "{}", cancel.body);
    let left = json!([{"line_no": 1, "sku": "CUP", "quantity": 2}, {"line_no": 1, "sku": "POT", "quantity": 1}]);
    assert_eq!(cancel.body["fulfilments"][0]["lines"], left);
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
    }
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("shipped"), &json!(1)));
}

#[actix_web::test]
async fn cancelling_asks_for_the_version_and_the_channel() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 5, 999)])).await;
    let request = || TestRequest::post().uri(&format!("/v1/orders/{id}/cancel"));
    let stale = shop.send(&shop.claims("*"), request().insert_header(("If-Match", "\"7\""))).await;
    assert_eq!(stale.code(), (412, "precondition_failed"));
    let mut other = shop.claims("order:write");
    other.channels = Some(BTreeSet::new());
    assert_eq!(shop.send(&other, request()).await.status, 403);
    let missing = kernel::id::OrderId::at(shop.test.store.now());
    assert_eq!(shop.act(&format!("/v1/orders/{missing}/cancel")).await.code(), (404, "not_found"));
}
