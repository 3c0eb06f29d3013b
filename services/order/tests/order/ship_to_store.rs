//! What a buyer collects may come from another location: it ships there, and is that location's from then on.

use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::{
    FulfilmentArrived, FulfilmentDelivered, FulfilmentLine, FulfilmentRejected, FulfilmentSent, FulfilmentShipped,
    OrderCancelled, OrderRestated, StockPromisedLong,
};
use futures_util::future::join;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Three of `A` at 10.00, to be collected at `S1`.
async fn pickup(shop: &Shop, allocations: &[(i32, &str, &str, i64)]) -> String {
    let mut body = order("T-1", json!([line(1, "A", 3, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "S1"});
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, allocations)).await;
    id
}

async fn step(shop: &Shop, fulfilment: &str, name: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/fulfilments/{fulfilment}/{name}"), body).await
}

/// Accepts it and sends it on in one parcel.
async fn send(shop: &Shop, fulfilment: &str) -> Answer {
    assert_eq!(step(shop, fulfilment, "accept", json!({})).await.status, 200);
    let parcels = json!({"parcels": [{"carrier": "SF", "tracking_no": "SF1"}]});
    let sent = step(shop, fulfilment, "ship", parcels).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    sent
}

fn of_a(quantity: i64) -> Vec<FulfilmentLine> {
    vec![FulfilmentLine { line_no: 1, sku: "A".parse().unwrap(), quantity: quantity.try_into().unwrap() }]
}

async fn work_list(shop: &Shop, query: &str) -> Vec<(String, String)> {
    let page = shop.get(&format!("/v1/fulfilments?{query}")).await.body;
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    // Those that were made in the same moment are in no order.
    let mut all: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|it| (text(it, "location"), text(it, "status"))).collect();
    all.sort();
    all
}

fn at(location: &str, status: &str) -> (String, String) {
    (location.to_owned(), status.to_owned())
}

#[actix_web::test]
async fn goods_are_sent_to_the_store_made_ready_and_collected() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "S1", 1), (1, "A", "W1", 2)]).await;
    let [own, other] = shop.fulfilments(&id).await.try_into().unwrap();
    let read = shop.get(&format!("/v1/fulfilments/{other}")).await.body;
    assert_eq!((&read["type"], &read["collect_at"]), (&json!("ship"), &json!("S1")));
    assert_eq!(shop.get(&format!("/v1/fulfilments/{own}")).await.body.get("collect_at"), None);
    assert_eq!(step(&shop, &other, "ready", json!({})).await.code(), (409, "state_conflict"), "it is not here");
    let sent = send(&shop, &other).await.body;
    assert_eq!((&sent["type"], &sent["status"], &sent["location"]), (&json!("pickup"), &json!("sent"), &json!("S1")));
    assert_eq!((&sent["sent_from"], sent["sent_at"].is_string()), (&json!("W1"), true));
    let [told_sent]: [FulfilmentSent; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((told_sent.location.as_str(), told_sent.to.as_str(), told_sent.lines), ("W1", "S1", of_a(2)));
    assert_eq!(work_list(&shop, "location=S1").await, [at("S1", "offered"), at("S1", "sent")]);
    assert_eq!(work_list(&shop, "location=W1").await, []);
    assert_eq!(work_list(&shop, "status=sent").await, [at("S1", "sent")]);
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["lines"][0]["shipped"]), (&json!("fulfilling"), &json!(0)));
    let ready = step(&shop, &other, "ready", json!({})).await;
    let code = ready.body["collect_code"].as_str().unwrap().to_owned();
    let [arrived]: [FulfilmentArrived; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((arrived.location.as_str(), arrived.from.as_str()), ("S1", "W1"));
    assert_eq!((arrived.lines, arrived.missing), (of_a(2), vec![]));
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await, []);
    assert_eq!(step(&shop, &other, "collect", json!({"code": code})).await.status, 200);
    let [left]: [FulfilmentShipped; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((left.location.as_str(), left.lines), ("S1", of_a(2)));
    let [there]: [FulfilmentDelivered; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!(there.location.as_str(), "S1");
    assert_eq!(shop.order(&id).await["lines"][0]["shipped"], 2);
    // W1 shipped one; S1 handed one over, and had nothing to do with how long it took to come.
    let statistics = shop.get("/v1/fulfilment-statistics").await.body;
    let of = |location: &str, what: &str| {
        let day = statistics["items"].as_array().unwrap().iter().find(|it| it["location"] == location).unwrap();
        day[what].as_i64().unwrap()
    };
    let counted =
        [of("W1", "accepted"), of("W1", "shipped"), of("S1", "shipped"), of("S1", "ready"), of("S1", "collected")];
    assert_eq!(counted, [1, 1, 0, 0, 1], "{statistics}");
}

#[actix_web::test]
async fn on_the_way_nothing_is_cancelled_or_refused_and_then_it_is_the_stores() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "W1", 3)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    // Until it is sent it is W1's to cancel: one unit.
    let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), one.clone()).await.status, 200);
    send(&shop, &fulfilment).await;
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), one.clone()).await.code(), (409, "state_conflict"));
    let refused = step(&shop, &fulfilment, "reject", json!({"reason": "no room"})).await;
    assert_eq!(refused.code(), (409, "state_conflict"), "{}", refused.body);
    assert_eq!(step(&shop, &fulfilment, "deliver", json!({})).await.code(), (409, "state_conflict"));
    // The carrier's reports are kept; that the parcel arrived makes nothing ready.
    let report = json!({"updates": [{"tracking_no": "SF1", "status": "delivered", "at": "2026-11-11T09:00:00+08:00"}]});
    let tracked = step(&shop, &fulfilment, "tracking", report).await;
    assert_eq!(tracked.status, 200, "{}", tracked.body);
    assert_eq!(work_list(&shop, "location=S1").await, [at("S1", "sent")]);
    assert_eq!(step(&shop, &fulfilment, "ready", json!({})).await.status, 200);
    assert_eq!(shop.post(&format!("/v1/orders/{id}/cancel"), one).await.status, 200);
    let cancelled: Vec<OrderCancelled> = told(&shop.test.store).await;
    let places: Vec<_> = cancelled.iter().map(|it| it.allocations[0].location.as_str()).collect();
    assert_eq!(places, ["W1", "S1"]);
    // What nobody collects goes back on the store's shelf, and its money to the buyer.
    shop.test.clock.advance(Duration::from_secs(8 * 24 * 3600));
    shop.run_job("lapse_pickups").await;
    let order = shop.order(&id).await;
    assert_eq!((&order["status"], &order["totals"]["given_back_amount"]), (&json!("cancelled"), &fen(3000)));
    let cancelled: Vec<OrderCancelled> = told(&shop.test.store).await;
    assert_eq!(cancelled.last().unwrap().allocations[0].location.as_str(), "S1");
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_does_not_come_is_sourced_anew() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "W1", 3)]).await;
    let [first] = shop.fulfilments(&id).await.try_into().unwrap();
    let early = step(&shop, &first, "ready", json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    assert_eq!((early.status, early.fields()), (422, vec!["lines"]), "{}", early.body);
    send(&shop, &first).await;
    let too_many = step(&shop, &first, "ready", json!({"lines": [{"line_no": 1, "quantity": 4}]})).await;
    assert_eq!(too_many.fields(), ["lines[0].quantity"]);
    let some = step(&shop, &first, "ready", json!({"lines": [{"line_no": 1, "quantity": 2}]})).await;
    assert_eq!((&some.body["status"], &some.body["lines"][0]["quantity"]), (&json!("ready"), &json!(2)));
    let [arrived]: [FulfilmentArrived; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((arrived.lines, arrived.missing), (of_a(2), of_a(1)));
    // The one that is missing comes from elsewhere, and nothing of it comes either.
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 1)])).await;
    let second = shop.order(&id).await["fulfilments"][1]["id"].as_str().unwrap().to_owned();
    send(&shop, &second).await;
    let lost = step(&shop, &second, "ready", json!({"lines": []})).await;
    assert_eq!((&lost.body["status"], &lost.body["reason"]), (&json!("rejected"), &json!("lost")), "{}", lost.body);
    assert_eq!(lost.body.get("collect_code"), None);
    let [_, arrived]: [FulfilmentArrived; 2] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((arrived.lines, arrived.missing), (vec![], of_a(1)));
    assert_eq!(told::<FulfilmentRejected>(&shop.test.store).await, [], "nobody refused anything");
    shop.hear(&answered(&id, 3, &[(1, "A", "S1", 1)])).await;
    assert_eq!(shop.order(&id).await["status"], "fulfilling");
}

#[actix_web::test]
async fn until_it_is_sent_it_is_a_shipment_like_any_other() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "W1", 3)]).await;
    // An offer to send lapses, unlike an offer to hand over: another location may do it.
    shop.test.clock.advance(Duration::from_secs(86_400));
    shop.run_job("lapse_offers").await;
    let [lapsed]: [FulfilmentRejected; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((lapsed.location.as_str(), lapsed.reason.as_str()), ("W1", "lapsed"));
    shop.hear(&answered(&id, 2, &[(1, "A", "W2", 3)])).await;
    let second = shop.order(&id).await["fulfilments"][1]["id"].as_str().unwrap().to_owned();
    step(&shop, &second, "accept", json!({})).await;
    let packed = step(&shop, &second, "pack", json!({"parcels": [{"carrier": "SF", "tracking_no": "SF2"}]})).await;
    assert_eq!(packed.status, 200, "{}", packed.body);
    let list = shop.post("/v1/handover-lists", json!({"location": "W2", "carrier": "SF"})).await;
    assert_eq!((list.status, &list.body["parcel_count"]), (201, &json!(1)), "{}", list.body);
    assert_eq!(work_list(&shop, "location=S1").await, [at("S1", "sent")]);
}

#[actix_web::test]
async fn whoever_asks_is_told_what_is_on_its_way() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "W1", 3)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    send(&shop, &fulfilment).await;
    let question = StockPromisedLong { order_id: id.parse().unwrap(), found_at: shop.test.store.now() };
    shop.hear(&question).await;
    step(&shop, &fulfilment, "ready", json!({})).await;
    shop.hear(&question).await;
    let told: Vec<OrderRestated> = told(&shop.test.store).await;
    let of = |it: &OrderRestated| {
        let part = &it.fulfilments[0];
        let from = part.sent_from.as_ref().map(ToString::to_string);
        (part.location.to_string(), from, part.open, part.shipped, it.uncovered.as_ref().unwrap().len())
    };
    let from = Some("W1".to_owned());
    let expected = [("S1".to_owned(), from.clone(), false, false, 0), ("S1".to_owned(), from, true, false, 0)];
    assert_eq!(told.iter().map(of).collect::<Vec<_>>(), expected);
}

#[actix_web::test]
async fn who_may_work_for_one_location_alone_has_it_as_long_as_it_is_there() {
    let shop = Shop::new().await;
    let id = pickup(&shop, &[(1, "A", "W1", 3)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    let bound = |location: &str| {
        let mut claims = shop.claims("fulfilment:write fulfilment:read");
        claims.locations = Some([location.parse().unwrap()].into());
        claims
    };
    let act = |location: &'static str, name: &str| {
        let uri = format!("/v1/fulfilments/{fulfilment}/{name}");
        let (shop, claims) = (&shop, bound(location));
        async move { shop.send(&claims, TestRequest::post().uri(&uri)).await.status }
    };
    assert_eq!([act("S1", "accept").await, act("W1", "accept").await], [403, 200]);
    // Of a cancellation and a shipment in the same moment exactly one counts.
    let cancel = format!("/v1/orders/{id}/cancel");
    let (sent, cancelled) = join(act("W1", "ship"), shop.act(&cancel)).await;
    let status = shop.order(&id).await["fulfilments"][0]["status"].clone();
    match (sent, cancelled.status) {
        (200, 409) => assert_eq!(status, "sent"),
        (409, 200) => assert_eq!(status, "cancelled"),
        other => panic!("{other:?}"),
    }
    if sent == 200 {
        assert_eq!([act("W1", "ready").await, act("S1", "ready").await], [403, 200]);
    }
}
