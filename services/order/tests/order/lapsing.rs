//! Offers that no location answers.

use std::time::Duration;

use contracts::events::FulfilmentRejected;
use futures_util::future::join_all;
use serde_json::json;
use testkit::told;

use crate::support::{Shop, answered, line, order};

const AN_HOUR: (&str, &str) = ("FULFILMENT__OFFER_LAPSES_AFTER_SECONDS", "3600");

/// The state of each of an order's fulfilment orders, by location.
async fn states(shop: &Shop, id: &str) -> Vec<(String, String)> {
    let order = shop.order(id).await;
    let text = |it: &serde_json::Value| it.as_str().unwrap().to_owned();
    let fulfilments = order["fulfilments"].as_array().unwrap().iter();
    fulfilments.map(|it| (text(&it["location"]), text(&it["status"]))).collect()
}

fn state(location: &str, status: &str) -> (String, String) {
    (location.to_owned(), status.to_owned())
}

#[actix_web::test]
async fn an_offer_lapses_when_its_time_is_up_and_is_sourced_elsewhere() {
    let shop = Shop::with(&[AN_HOUR]).await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    shop.test.clock.advance(Duration::from_secs(3599));
    shop.run_job("lapse_offers").await;
    assert_eq!(states(&shop, &id).await, [state("W1", "offered")]);
    shop.test.clock.advance(Duration::from_secs(1));
    shop.run_job("lapse_offers").await;
    shop.run_job("lapse_offers").await;
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["fulfilments"][0]["status"]), (&json!("sourcing"), &json!("lapsed")));
    assert_eq!(order["fulfilments"][0]["reason"], "lapsed");
    let last = order["history"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["actor"], &last["what"], &last["reason"]),
        (&json!("order"), &json!("W1 lapsed; order sourcing"), &json!("nobody has answered in time"))
    );
    let [told] = told::<FulfilmentRejected>(&shop.test.store).await.try_into().unwrap();
    assert_eq!((told.location.as_str(), told.lines[0].quantity.get(), told.reason.as_str()), ("W1", 2, "lapsed"));
    assert!(!told.recalled, "the location is not asked again");
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let late = shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
    assert_eq!(late.code(), (409, "state_conflict"));
    // The next location has its own hour.
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 2)])).await;
    shop.run_job("lapse_offers").await;
    assert_eq!(states(&shop, &id).await, [state("W1", "lapsed"), state("W2", "offered")]);
    assert_eq!(shop.order(&id).await["status"], "sourced");
}

#[actix_web::test]
async fn what_was_answered_and_what_only_one_location_may_have_stays() {
    let shop = Shop::with(&[AN_HOUR]).await;
    let parts = [(1, "A", "W1", 1), (1, "A", "W2", 1)];
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &parts).await;
    let [first, _] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{first}/accept")).await;
    let mut body = order("T-2", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let pickup = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&pickup, 1, &[(1, "A", "S1", 1)])).await;
    shop.test.clock.advance(Duration::from_secs(3600));
    shop.run_job("lapse_offers").await;
    assert_eq!(states(&shop, &id).await, [state("W1", "accepted"), state("W2", "lapsed")]);
    assert_eq!(shop.order(&id).await["status"], "fulfilling");
    assert_eq!(states(&shop, &pickup).await, [state("S1", "offered")]);
}

#[actix_web::test]
async fn with_a_time_of_zero_nothing_lapses() {
    let shop = Shop::with(&[("FULFILMENT__OFFER_LAPSES_AFTER_SECONDS", "0")]).await;
    let id = shop.sourced("T-1", json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    shop.test.clock.advance(Duration::from_secs(365 * 24 * 3600));
    shop.run_job("lapse_offers").await;
    assert_eq!(states(&shop, &id).await, [state("W1", "offered")]);
}

#[actix_web::test]
async fn two_replicas_lapse_an_offer_once() {
    let shop = Shop::with(&[AN_HOUR]).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(shop.sourced(&format!("T-{number}"), json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await);
    }
    shop.test.clock.advance(Duration::from_secs(3600));
    join_all((0..4).map(|_| shop.run_job("lapse_offers"))).await;
    // What one had locked, another has left.
    shop.run_job("lapse_offers").await;
    for id in &ids {
        assert_eq!(states(&shop, id).await, [state("W1", "lapsed")]);
        assert_eq!(shop.order(id).await["version"], 3, "sourced once, lapsed once");
    }
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await.len(), 20);
}

#[actix_web::test]
async fn an_answer_and_a_lapse_at_once_are_one_or_the_other() {
    let shop = Shop::with(&[AN_HOUR]).await;
    let mut lapsed = 0;
    for number in 0..20 {
        let id = shop.sourced(&format!("T-{number}"), json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        shop.test.clock.advance(Duration::from_secs(3600));
        let accept = format!("/v1/fulfilments/{fulfilment}/accept");
        let (accepted, ()) = futures_util::join!(shop.act(&accept), shop.run_job("lapse_offers"));
        let status = shop.order(&id).await["fulfilments"][0]["status"].clone();
        if accepted.status == 200 {
            assert_eq!(status, "accepted");
        } else {
            assert_eq!((accepted.code(), status), ((409, "state_conflict"), json!("lapsed")));
            lapsed += 1;
        }
    }
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await.len(), lapsed);
}
