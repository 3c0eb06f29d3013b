//! Nearer stock was found: what nobody has picked is taken back, and sourced anew.

use bus::ConsumeError;
use contracts::events::FulfilmentRejected;
use kernel::id::OrderId;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, better, line, order};

async fn states(shop: &Shop, id: &str) -> Vec<(String, String, bool)> {
    let order = shop.order(id).await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let state = |it: &Value| (text(&it["location"]), text(&it["status"]), it["recalled"].as_bool().unwrap_or(false));
    order["fulfilments"].as_array().unwrap().iter().map(state).collect()
}

fn state(location: &str, status: &str, recalled: bool) -> (String, String, bool) {
    (location.to_owned(), status.to_owned(), recalled)
}

/// An order of two of `A` from `W1`, on which these steps were taken, and the inventory's request.
async fn asked_after(steps: &[&str]) -> (Shop, String) {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in steps {
        let Answer { status, body, .. } = shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
        assert_eq!(status, 200, "{step}: {body}");
    }
    shop.hear(&better(&id, 1, &[(1, "A", "W1", 2)])).await;
    (shop, id)
}

#[actix_web::test]
async fn what_nobody_has_picked_is_recalled_and_offered_elsewhere() {
    for steps in [&[][..], &["accept"]] {
        let (shop, id) = asked_after(steps).await;
        assert_eq!(states(&shop, &id).await, [state("W1", "rejected", true)]);
        let order = shop.order(&id).await;
        assert_eq!(order["status"], "sourcing");
        assert_eq!(order["fulfilments"][0]["reason"], "recalled");
        let last = order["history"].as_array().unwrap().last().unwrap();
        assert_eq!(last["actor"], "inventory");
        assert_eq!(
            (&last["what"], &last["reason"]),
            (&json!("W1 recalled; order sourcing"), &json!("S1: 30000 m nearer"))
        );
        let told: Vec<FulfilmentRejected> = told(&shop.test.store).await;
        let [rejected] = told.try_into().unwrap();
        assert_eq!((rejected.location.as_str(), rejected.lines[0].quantity.get()), ("W1", 2));
        assert!(rejected.recalled && rejected.recalled_with.is_empty() && rejected.sourced_with.is_none());
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        let late = shop.act(&format!("/v1/fulfilments/{fulfilment}/pick")).await;
        assert_eq!(late.code(), (409, "state_conflict"), "whoever picks now is told that it is too late");
        shop.hear(&answered(&id, 2, &[(1, "A", "S1", 2)])).await;
        assert_eq!(states(&shop, &id).await, [state("W1", "rejected", true), state("S1", "offered", false)]);
        assert_eq!(shop.order(&id).await["status"], "sourced");
    }
}

#[actix_web::test]
async fn what_was_picked_stays() {
    for (steps, status) in [
        (&["accept", "pick"][..], "picked"),
        (&["accept", "pick", "pack"], "packed"),
        (&["accept", "ship"], "shipped"),
        (&["accept", "ship", "deliver"], "delivered"),
    ] {
        let (shop, id) = asked_after(steps).await;
        assert_eq!(states(&shop, &id).await, [state("W1", status, false)]);
        assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await, []);
    }
}

#[actix_web::test]
async fn a_request_that_is_heard_twice_recalls_once() {
    let (shop, id) = asked_after(&[]).await;
    shop.hear(&better(&id, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await.len(), 1);
    // Nor does a late repetition touch what was offered since.
    shop.hear(&answered(&id, 2, &[(1, "A", "S1", 2)])).await;
    shop.hear(&better(&id, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(states(&shop, &id).await, [state("W1", "rejected", true), state("S1", "offered", false)]);
}

#[actix_web::test]
async fn all_parts_move_or_none() {
    let shop = Shop::new().await;
    let lines = json!([line(1, "A", 2, 1000), line(2, "B", 1, 1000)]);
    let parts = [(1, "A", "W1", 2), (2, "B", "W2", 1)];
    let one = shop.sourced("T-1", lines.clone(), &parts).await;
    let two = shop.sourced("T-2", lines, &parts).await;
    let [_, second] = shop.fulfilments(&two).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{second}/accept")).await;
    shop.act(&format!("/v1/fulfilments/{second}/pick")).await;
    shop.hear(&better(&one, 1, &parts)).await;
    shop.hear(&better(&two, 1, &parts)).await;
    assert_eq!(states(&shop, &one).await, [state("W1", "rejected", true), state("W2", "rejected", true)]);
    assert_eq!(states(&shop, &two).await, [state("W1", "offered", false), state("W2", "picked", false)]);
    // The first names the other, which names the first: they are sourced as one.
    let told: Vec<FulfilmentRejected> = told(&shop.test.store).await;
    let [first, other] = told.try_into().unwrap();
    assert_eq!((first.location.as_str(), other.location.as_str()), ("W1", "W2"));
    assert_eq!((first.recalled_with.len(), first.sourced_with), (1, None));
    assert_eq!((first.recalled_with[0].location.as_str(), &first.recalled_with[0].lines), ("W2", &other.lines));
    assert_eq!((other.recalled_with.len(), other.sourced_with), (0, Some(first.fulfilment_id)));
}

#[actix_web::test]
async fn pickups_and_orders_that_are_over_are_left_alone() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "W1"});
    let pickup = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&pickup, 1, &[(1, "A", "W1", 1)])).await;
    shop.hear(&better(&pickup, 1, &[(1, "A", "W1", 1)])).await;
    assert_eq!(states(&shop, &pickup).await, [state("W1", "offered", false)]);
    let over = shop.sourced("T-2", json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    let cancelled = shop.post(&format!("/v1/orders/{over}/cancel"), json!({"reason": "changed their mind"})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    shop.hear(&better(&over, 1, &[(1, "A", "W1", 1)])).await;
    assert_eq!(states(&shop, &over).await, [state("W1", "cancelled", false)]);
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await, []);
}

#[actix_web::test]
async fn a_request_for_an_order_nobody_knows_is_tried_again() {
    let shop = Shop::new().await;
    let unknown = OrderId::at(shop.test.store.now()).to_string();
    let heard = shop.try_hear(&better(&unknown, 1, &[(1, "A", "W1", 1)])).await;
    assert!(matches!(heard, Err(ConsumeError::Retry(_))), "{heard:?}");
}
