//! A person holds an order: nothing of it moves on until it is released.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{
    FulfilmentPickupDue, FulfilmentRejected, FulfilmentShipped, OrderCancelled, OrderHeld, OrderPlaced, OrderReleased,
    StockOwing, StockShorted,
};
use futures_util::future::{join, join_all};
use kernel::Timestamp;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, better, code, line, order};

/// An order of two of `A` that `W1` is asked for: the order and its fulfilment order.
async fn offered(shop: &Shop, number: &str) -> (String, String) {
    let id = shop.sourced(number, json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    (id, fulfilment)
}

async fn hold(shop: &Shop, id: &str, reason: &str) -> Answer {
    shop.post(&format!("/v1/orders/{id}/hold"), json!({"reason": reason, "note": "looks odd"})).await
}

async fn release(shop: &Shop, id: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/orders/{id}/release"), body).await
}

async fn step(shop: &Shop, fulfilment: &str, step: &str) -> Answer {
    shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await
}

async fn steps(shop: &Shop, fulfilment: &str, steps: &[&str]) {
    for name in steps {
        let answer = step(shop, fulfilment, name).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
}

/// The state of an order's first fulfilment order.
async fn state(shop: &Shop, id: &str) -> String {
    shop.order(id).await["fulfilments"][0]["status"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_held_order_stands_still_and_goes_on_when_it_is_released() {
    let shop = Shop::new().await;
    let (id, fulfilment) = offered(&shop, "T-1").await;
    let held = hold(&shop, &id, "suspicious").await;
    assert_eq!((held.status, &held.body["status"], &held.body["held"]), (200, &json!("sourced"), &json!(true)));
    let it = &held.body["holds"][0];
    assert_eq!(
        (&it["kind"], &it["reason"], &it["note"], &it["placed_by"]),
        (&json!("manual"), &json!("suspicious"), &json!("looks odd"), &json!("oms"))
    );
    assert!(it.get("rule").is_none() && it.get("released_at").is_none(), "{it}");
    let [event]: [OrderHeld; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((event.holds[0].hold_id.to_string(), event.before_placed), (it["id"].as_str().unwrap().into(), false));
    assert_eq!((event.channel.as_str(), event.channel_order_no.as_str()), ("tmall", "T-1"));
    let refused = step(&shop, &fulfilment, "accept").await;
    assert_eq!(refused.code(), (409, "state_conflict"));
    assert!(refused.body["detail"].as_str().unwrap().contains("suspicious"), "{}", refused.body);
    assert_eq!(told::<OrderReleased>(&shop.test.store).await, []);
    let free = release(&shop, &id, json!({"note": "the buyer called"})).await;
    assert_eq!((free.status, &free.body["status"], &free.body["held"]), (200, &json!("sourced"), &json!(false)));
    let it = &free.body["holds"][0];
    assert_eq!((&it["released_by"], &it["release_note"]), (&json!("oms"), &json!("the buyer called")));
    let [event]: [OrderReleased; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((event.holds[0].to_string(), event.ended), (it["id"].as_str().unwrap().to_owned(), false));
    let whats: Vec<&Value> = free.body["history"].as_array().unwrap().iter().map(|it| &it["what"]).collect();
    assert_eq!(whats[2..], [&json!("held: suspicious"), &json!("released: suspicious")]);
    steps(&shop, &fulfilment, &["accept", "pick", "pack", "ship", "deliver"]).await;
    assert_eq!(told::<OrderPlaced>(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn goods_do_not_come_nearer_to_the_buyer_while_they_are_held() {
    let shop = Shop::new().await;
    for (number, before) in ["", "accept", "accept pick", "accept pick pack"].iter().enumerate() {
        let (id, fulfilment) = offered(&shop, &format!("T-{number}")).await;
        steps(&shop, &fulfilment, &before.split_whitespace().collect::<Vec<_>>()).await;
        let before = state(&shop, &id).await;
        assert_eq!(hold(&shop, &id, "odd").await.status, 200);
        for name in ["accept", "pick", "pack", "ship"] {
            assert_eq!(step(&shop, &fulfilment, name).await.code(), (409, "state_conflict"), "{before} {name}");
        }
        assert_eq!(state(&shop, &id).await, before);
        // Whoever does not have the goods says so at any time.
        let refused = shop.post(&format!("/v1/fulfilments/{fulfilment}/reject"), json!({"reason": "broken"})).await;
        assert_eq!(refused.status, 200, "{}", refused.body);
        shop.hear(&answered(&id, 2, &[(1, "A", "W2", 2)])).await;
        let order = shop.order(&id).await;
        assert_eq!((&order["held"], &order["fulfilments"][1]["status"]), (&json!(true), &json!("offered")));
    }
    let lines =
        format!("{}\n", json!({"id": shop.fulfilments(&offered_and_held(&shop).await).await[0], "action": "accept"}));
    let request =
        TestRequest::post().uri("/v1/fulfilments/import").insert_header(("Content-Type", "application/x-ndjson"));
    let answer = shop.send(&shop.claims("*"), request.set_payload(lines)).await;
    assert_eq!(answer.body["problem"]["code"], "state_conflict", "{}", answer.body);
}

async fn offered_and_held(shop: &Shop) -> String {
    let (id, _) = offered(shop, "T-held").await;
    assert_eq!(hold(shop, &id, "odd").await.status, 200);
    id
}

#[actix_web::test]
async fn what_has_left_arrives_and_the_rest_is_held() {
    let shop = Shop::new().await;
    let parts = [(1, "A", "W1", 1), (1, "A", "W2", 1)];
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &parts).await;
    let [first, second] = shop.fulfilments(&id).await.try_into().unwrap();
    steps(&shop, &first, &["accept", "ship"]).await;
    assert_eq!(hold(&shop, &id, "odd").await.status, 200);
    steps(&shop, &first, &["deliver"]).await;
    assert_eq!(step(&shop, &second, "accept").await.code(), (409, "state_conflict"));
    // Without the rest there is nothing left to hold.
    let rest = json!({"lines": [{"line_no": 1, "quantity": 1}], "reason": "too late"});
    let cancelled = shop.post(&format!("/v1/orders/{id}/cancel"), rest).await;
    assert_eq!((&cancelled.body["status"], &cancelled.body["held"]), (&json!("delivered"), &json!(false)));
    let hold = &cancelled.body["holds"][0];
    assert_eq!((&hold["released_by"], &hold["release_note"]), (&json!("oms"), &json!("too late")));
    let [event]: [OrderReleased; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert!(event.ended);
}

#[actix_web::test]
async fn an_order_goes_on_when_its_last_hold_is_released() {
    let shop = Shop::new().await;
    let (id, fulfilment) = offered(&shop, "T-1").await;
    hold(&shop, &id, "odd").await;
    let held = hold(&shop, &id, "address").await;
    let refused = step(&shop, &fulfilment, "accept").await;
    assert!(refused.body["detail"].as_str().unwrap().ends_with("address, odd"), "{}", refused.body);
    let [first, second] = [0, 1].map(|index: usize| held.body["holds"][index]["id"].clone());
    let one = release(&shop, &id, json!({"hold_id": first})).await;
    assert_eq!((one.status, &one.body["held"]), (200, &json!(true)), "{}", one.body);
    assert_eq!(told::<OrderReleased>(&shop.test.store).await, []);
    assert_eq!(release(&shop, &id, json!({"hold_id": first})).await.code(), (409, "state_conflict"), "it is released");
    let unknown = release(&shop, &id, json!({"hold_id": id})).await;
    assert_eq!(unknown.code(), (404, "not_found"));
    let last = release(&shop, &id, json!({"hold_id": second})).await;
    assert_eq!((last.status, &last.body["held"]), (200, &json!(false)));
    assert_eq!(release(&shop, &id, json!({})).await.code(), (409, "state_conflict"), "nothing holds it");
    // Held again it is held by another hold.
    hold(&shop, &id, "odd").await;
    hold(&shop, &id, "odd").await;
    let all = release(&shop, &id, json!({})).await;
    assert_eq!((&all.body["held"], all.body["holds"].as_array().unwrap().len()), (&json!(false), 4));
    let events: Vec<OrderReleased> = told(&shop.test.store).await;
    assert_eq!(events.iter().map(|it| it.holds.len()).collect::<Vec<_>>(), [1, 2]);
}

#[actix_web::test]
async fn what_is_over_cannot_be_held_and_what_is_held_can_be_cancelled() {
    let shop = Shop::new().await;
    let delivered = shop.delivered("T-1", json!([line(1, "A", 1, 1000)])).await;
    let (shipped, fulfilment) = offered(&shop, "T-2").await;
    steps(&shop, &fulfilment, &["accept", "ship"]).await;
    let (cancelled, _) = offered(&shop, "T-3").await;
    hold(&shop, &cancelled, "odd").await;
    let answer = shop.act(&format!("/v1/orders/{cancelled}/cancel")).await;
    assert_eq!((&answer.body["status"], &answer.body["held"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(told::<OrderCancelled>(&shop.test.store).await.len(), 1);
    for id in [&delivered, &shipped, &cancelled] {
        assert_eq!(hold(&shop, id, "odd").await.code(), (409, "state_conflict"));
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_holds WHERE released_at IS NULL"), 0);
    // One that waits for stock can be held.
    let waiting = shop.placed("T-4", json!([line(1, "A", 1, 1000)])).await;
    assert_eq!(hold(&shop, &waiting, "odd").await.body["status"], "sourcing");
    shop.hear(&answered(&waiting, 1, &[(1, "A", "W1", 1)])).await;
    let order = shop.order(&waiting).await;
    assert_eq!((&order["status"], &order["held"]), (&json!("sourced"), &json!(true)));
}

#[actix_web::test]
async fn holding_and_releasing_are_permissions_of_their_own() {
    let shop = Shop::new().await;
    let (id, _) = offered(&shop, "T-1").await;
    let send = async |scope: &str, channel: &str, action: &str, body: Value| {
        let claims = web::Claims { channels: Some([code(channel)].into()), ..shop.claims(scope) };
        let request = TestRequest::default().method(Method::POST).uri(&format!("/v1/orders/{id}/{action}"));
        shop.send(&claims, request.set_json(body)).await
    };
    let why = || json!({"reason": "odd"});
    assert_eq!(send("order:write order:release", "tmall", "hold", why()).await.code(), (403, "forbidden"));
    assert_eq!(send("order:hold", "till", "hold", why()).await.code(), (403, "forbidden"));
    assert_eq!(send("order:hold", "tmall", "hold", why()).await.status, 200);
    assert_eq!(send("order:write order:hold", "tmall", "release", json!({})).await.code(), (403, "forbidden"));
    assert_eq!(send("order:release", "till", "release", json!({})).await.code(), (403, "forbidden"));
    assert_eq!(send("order:release", "tmall", "release", json!({})).await.status, 200);
    assert_eq!(send("order:hold", "tmall", "hold", json!({})).await.status, 400);
    let long = json!({"reason": "odd", "note": "x".repeat(1001)});
    assert_eq!(send("order:hold", "tmall", "hold", long).await.fields(), ["note"]);
    assert_eq!(hold(&shop, "0199aaaa-0000-7000-8000-000000000001", "odd").await.code(), (404, "not_found"));
}

#[actix_web::test]
async fn a_hold_that_is_sent_twice_is_one_and_a_stale_one_is_refused() {
    let shop = Shop::new().await;
    let (id, _) = offered(&shop, "T-1").await;
    let path = format!("/v1/orders/{id}/hold");
    let request = |name: &'static str, value: &str| {
        TestRequest::post().uri(&path).insert_header((name, value.to_owned())).set_json(json!({"reason": "odd"}))
    };
    let etag = shop.get(&format!("/v1/orders/{id}")).await.etag.unwrap();
    for _ in 0..2 {
        let answer = shop.send(&shop.claims("*"), request("Idempotency-Key", "k")).await;
        assert_eq!((answer.status, answer.body["holds"].as_array().unwrap().len()), (200, 1));
    }
    assert_eq!(told::<OrderHeld>(&shop.test.store).await.len(), 1);
    assert_eq!(shop.send(&shop.claims("*"), request("If-Match", &etag)).await.code(), (412, "precondition_failed"));
    let stale = TestRequest::post().uri(&format!("/v1/orders/{id}/release")).insert_header(("If-Match", etag));
    assert_eq!(shop.send(&shop.claims("*"), stale).await.code(), (412, "precondition_failed"));
}

#[actix_web::test]
async fn an_offer_does_not_lapse_while_its_order_is_held_and_then_has_its_time_anew() {
    let shop = Shop::with(&[("FULFILMENT__OFFER_LAPSES_AFTER_SECONDS", "3600")]).await;
    let (id, _) = offered(&shop, "T-1").await;
    hold(&shop, &id, "odd").await;
    shop.test.clock.advance(Duration::from_secs(10 * 3600));
    shop.run_job("lapse_offers").await;
    assert_eq!(state(&shop, &id).await, "offered");
    assert_eq!(release(&shop, &id, json!({})).await.status, 200);
    shop.test.clock.advance(Duration::from_secs(3599));
    shop.run_job("lapse_offers").await;
    assert_eq!(state(&shop, &id).await, "offered");
    shop.test.clock.advance(Duration::from_secs(1));
    shop.run_job("lapse_offers").await;
    assert_eq!(state(&shop, &id).await, "lapsed");
}

#[actix_web::test]
async fn goods_at_the_counter_wait_for_the_release_and_then_have_their_time_anew() {
    let shop = Shop::with(&[
        ("FULFILMENT__PICKUP_LAPSES_AFTER_SECONDS", "36000"),
        ("FULFILMENT__PICKUP_REMINDER_BEFORE_SECONDS", "3600"),
    ])
    .await;
    let mut body = order("T-1", json!([line(1, "A", 2, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "S1", 2)])).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    steps(&shop, &fulfilment, &["accept"]).await;
    hold(&shop, &id, "odd").await;
    assert_eq!(step(&shop, &fulfilment, "ready").await.code(), (409, "state_conflict"));
    release(&shop, &id, json!({})).await;
    let ready = step(&shop, &fulfilment, "ready").await;
    hold(&shop, &id, "odd").await;
    let collect = json!({"code": ready.body["collect_code"]});
    let path = format!("/v1/fulfilments/{fulfilment}/collect");
    assert_eq!(shop.post(&path, collect.clone()).await.code(), (409, "state_conflict"));
    shop.test.clock.advance(Duration::from_secs(20 * 3600));
    for job in ["remind_pickups", "lapse_pickups"] {
        shop.run_job(job).await;
    }
    assert_eq!(state(&shop, &id).await, "ready");
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await, []);
    release(&shop, &id, json!({})).await;
    let by = shop.get(&format!("/v1/fulfilments/{fulfilment}")).await.body["collect_by"].clone();
    assert_eq!(by, serde_json::to_value(shop.test.store.now().plus_seconds(36000)).unwrap());
    shop.test.clock.advance(Duration::from_secs(9 * 3600));
    for job in ["remind_pickups", "lapse_pickups"] {
        shop.run_job(job).await;
    }
    assert_eq!(told::<FulfilmentPickupDue>(&shop.test.store).await.len(), 1);
    assert_eq!(shop.post(&path, collect).await.status, 200);
}

#[actix_web::test]
async fn a_van_takes_what_is_not_held() {
    let shop = Shop::new().await;
    let mut all = Vec::new();
    for number in ["T-1", "T-2"] {
        shop.test.clock.advance(Duration::from_secs(1));
        let (id, fulfilment) = offered(&shop, number).await;
        steps(&shop, &fulfilment, &["accept"]).await;
        let parcels = json!({"parcels": [{"carrier": "SF", "tracking_no": number}]});
        assert_eq!(shop.post(&format!("/v1/fulfilments/{fulfilment}/pack"), parcels).await.status, 200);
        all.push((id, fulfilment));
    }
    let [(held, first), (_, second)] = all.try_into().unwrap();
    hold(&shop, &held, "odd").await;
    let list = |body: Value| shop.post("/v1/handover-lists", body);
    let named = list(json!({"location": "W1", "carrier": "SF", "fulfilments": [second, first]})).await;
    assert_eq!(named.code(), (409, "state_conflict"), "{}", named.body);
    assert!(named.body["detail"].as_str().unwrap().contains("odd"), "{}", named.body);
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await, []);
    let any = list(json!({"location": "W1", "carrier": "SF"})).await;
    assert_eq!((any.status, &any.body["parcels"][0]["tracking_no"]), (201, &json!("T-2")), "{}", any.body);
    assert_eq!(any.body["parcel_count"], 1);
    assert_eq!(state(&shop, &held).await, "packed");
}

#[actix_web::test]
async fn a_held_order_is_not_moved_to_nearer_stock_but_gives_back_what_is_not_there() {
    let shop = Shop::new().await;
    let (id, _) = offered(&shop, "T-1").await;
    hold(&shop, &id, "odd").await;
    let now = answered(&id, 1, &[(1, "A", "W1", 2)]);
    shop.hear(&better(&id, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(state(&shop, &id).await, "offered");
    let owing = StockOwing { order_id: now.order_id, quantity: 2.try_into().unwrap() };
    let (sku, location, units) = (code("A"), code("W1"), 2.try_into().unwrap());
    let shorted = StockShorted { sku, location, units, promised: vec![owing], shorted_at: Timestamp::EPOCH };
    shop.hear(&shorted).await;
    assert_eq!(state(&shop, &id).await, "rejected");
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await.len(), 1);
    assert_eq!(shop.order(&id).await["held"], true);
}

#[actix_web::test]
async fn of_a_hold_and_a_shipment_at_once_one_sees_the_other() {
    let shop = Shop::new().await;
    let mut orders = Vec::new();
    for number in 0..20 {
        let (id, fulfilment) = offered(&shop, &format!("T-{number}")).await;
        steps(&shop, &fulfilment, &["accept"]).await;
        orders.push((id, fulfilment));
    }
    let races = orders.iter().map(|(id, fulfilment)| join(hold(&shop, id, "odd"), step(&shop, fulfilment, "ship")));
    let mut shipped = 0;
    for ((id, _), (held, ship)) in orders.iter().zip(join_all(races).await) {
        assert_eq!(
            [held.status, ship.status].iter().filter(|it| **it == 200).count(),
            1,
            "{} {}",
            held.body,
            ship.body
        );
        let order = shop.order(id).await;
        let (status, is_held) = if ship.status == 200 { ("shipped", false) } else { ("fulfilling", true) };
        assert_eq!((&order["status"], &order["held"]), (&json!(status), &json!(is_held)));
        shipped += usize::from(ship.status == 200);
    }
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await.len(), shipped);
    // Of a release and a shipment at once, the shipment goes out or comes too early.
    let held: Vec<&(String, String)> = orders.iter().collect();
    let mut still = Vec::new();
    for (id, fulfilment) in held {
        if shop.order(id).await["held"] == true {
            still.push((id, fulfilment));
        }
    }
    let races =
        still.iter().map(|(id, fulfilment)| join(release(&shop, id, json!({})), step(&shop, fulfilment, "ship")));
    for ((id, _), (freed, ship)) in still.iter().zip(join_all(races).await) {
        assert_eq!(freed.status, 200, "{}", freed.body);
        assert!(ship.status == 200 || ship.code() == (409, "state_conflict"), "{}", ship.body);
        let status = if ship.status == 200 { "shipped" } else { "fulfilling" };
        let order = shop.order(id).await;
        assert_eq!((&order["status"], &order["held"]), (&json!(status), &json!(false)));
    }
    // Two who release at once: one does.
    let (id, _) = offered(&shop, "T-again").await;
    hold(&shop, &id, "odd").await;
    let answers = join_all((0..4).map(|_| release(&shop, &id, json!({})))).await;
    let statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
    assert_eq!(
        (statuses.iter().filter(|it| **it == 200).count(), told::<OrderReleased>(&shop.test.store).await.len()),
        (1, still.len() + 1)
    );
}
