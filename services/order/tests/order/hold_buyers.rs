//! Rules that ask who buys: how often, whether for the first time, and whether the blacklist names them.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::held_intake::in_force;
use crate::support::{Answer, Shop, code, line, order};

/// An order of a buyer with these identities, `(type, value)`.
fn of_buyer(number: &str, identities: &[(&str, &str)]) -> Value {
    let mut body = order(number, json!([line(1, "A", 1, 1000)]));
    let identities = identities.iter().map(|(kind, value)| json!({"type": kind, "value": value}));
    body["buyer"] = json!({"identities": identities.collect::<Vec<_>>()});
    body
}

/// Whether an order of a buyer is held.
async fn is_held(shop: &Shop, number: &str, identities: &[(&str, &str)]) -> bool {
    let answer = shop.post("/v1/orders", of_buyer(number, identities)).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.body);
    answer.body["held"].as_bool().unwrap()
}

async fn velocity(shop: &Shop, orders: i64, within_seconds: i64) {
    let when = json!({"velocity": {"orders": orders, "within_seconds": within_seconds}});
    in_force(shop, &[("often", "velocity", when)]).await;
}

async fn import(shop: &Shop, bodies: &[Value]) -> Vec<bool> {
    let text: Vec<String> = bodies.iter().map(ToString::to_string).collect();
    let request = TestRequest::post().uri("/v1/orders/import").insert_header(("Content-Type", "application/x-ndjson"));
    let answer = shop.send(&shop.claims("*"), request.set_payload(text.join("\n"))).await;
    let held = |line: &str| serde_json::from_str::<Value>(line).unwrap()["result"]["held"] == true;
    answer.body.as_str().unwrap().lines().map(held).collect()
}

const WANG: (&str, &str) = ("phone", "+8613800138000");
const PIN: (&str, &str) = ("jd_pin", "wang");
const LI: (&str, &str) = ("phone", "+8613900139000");

#[actix_web::test]
async fn whoever_orders_too_often_is_held_by_any_of_their_identities() {
    let shop = Shop::new().await;
    velocity(&shop, 3, 60).await;
    assert!(!is_held(&shop, "T-1", &[WANG]).await);
    shop.test.clock.advance(Duration::from_secs(30));
    assert!(!is_held(&shop, "T-2", &[PIN, WANG]).await);
    assert!(!is_held(&shop, "T-2", &[PIN, WANG]).await, "the same order again is no other");
    assert!(!is_held(&shop, "T-3", &[LI]).await);
    assert!(!is_held(&shop, "T-4", &[]).await, "nobody is known to order often");
    shop.test.clock.advance(Duration::from_secs(29));
    assert!(is_held(&shop, "T-5", &[WANG]).await, "the third within 59 seconds");
    assert!(!is_held(&shop, "T-6", &[PIN]).await, "the second by this identity");
    // A minute after the first, it counts no more: the second and the fifth do.
    shop.test.clock.advance(Duration::from_secs(1));
    assert!(is_held(&shop, "T-7", &[WANG]).await);
    shop.test.clock.advance(Duration::from_secs(60));
    assert!(!is_held(&shop, "T-8", &[WANG]).await);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_buyers"), 8);
}

#[actix_web::test]
async fn of_many_orders_of_one_buyer_at_once_exactly_the_first_pass() {
    let shop = Shop::new().await;
    let other = shop.replica();
    velocity(&shop, 3, 60).await;
    let claims = shop.claims("*");
    let place =
        |number: usize| TestRequest::post().uri("/v1/orders").set_json(of_buyer(&format!("T-{number}"), &[WANG, PIN]));
    let here = join_all((0..12).map(|number| shop.send(&claims, place(number))));
    let there = join_all((6..18).map(|number| shop.send_to(&other, &claims, place(number))));
    let (here, there) = futures_util::future::join(here, there).await;
    assert!(here.iter().chain(&there).all(|it: &Answer| [200, 201].contains(&it.status)));
    let held = |held: bool| shop.number(&format!("SELECT count(*) FROM \"order\".orders WHERE held = {held}"));
    assert_eq!((held(false), held(true)), (2, 16));
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_holds"), 16);
}

#[actix_web::test]
async fn orders_that_come_in_together_count_each_other() {
    let shop = Shop::new().await;
    velocity(&shop, 3, 60).await;
    let bodies: Vec<Value> = (0..5).map(|number| of_buyer(&format!("T-{number}"), &[WANG])).collect();
    assert_eq!(import(&shop, &bodies).await.iter().filter(|held| **held).count(), 3);
    assert_eq!(import(&shop, &bodies).await, [false; 5], "they are known");
}

#[actix_web::test]
async fn a_first_order_is_one_that_nobody_of_its_identities_placed_before() {
    let shop = Shop::new().await;
    // Orders from before there were rules count.
    assert!(!is_held(&shop, "T-0", &[LI]).await);
    in_force(&shop, &[("new", "first", json!({"first_order": true}))]).await;
    assert!(!is_held(&shop, "T-1", &[LI]).await);
    assert!(is_held(&shop, "T-2", &[WANG]).await);
    assert!(!is_held(&shop, "T-3", &[WANG, PIN]).await);
    assert!(!is_held(&shop, "T-4", &[PIN]).await);
    assert!(!is_held(&shop, "T-5", &[]).await, "an anonymous sale is nobody's first order");
    let bodies: Vec<Value> = (6..9).map(|number| of_buyer(&format!("T-{number}"), &[("phone", "1")])).collect();
    assert_eq!(import(&shop, &bodies).await.iter().filter(|held| **held).count(), 1);
    in_force(&shop, &[("known", "known", json!({"first_order": false}))]).await;
    assert!(is_held(&shop, "T-10", &[PIN]).await);
    assert!(!is_held(&shop, "T-11", &[("phone", "2")]).await);
    assert!(!is_held(&shop, "T-12", &[]).await);
}

async fn put(shop: &Shop, body: Value) -> Answer {
    let request = TestRequest::default().method(Method::PUT).uri("/v1/order-blacklist").set_json(body);
    shop.send(&shop.claims("order:blacklist"), request).await
}

async fn remove(shop: &Shop, id: &str) -> u16 {
    let request = TestRequest::default().method(Method::DELETE).uri(&format!("/v1/order-blacklist/{id}"));
    shop.send(&shop.claims("order:blacklist"), request).await.status
}

fn entry(more: Value) -> Value {
    let mut body = json!({"identity": {"type": "phone", "value": WANG.1}, "reason": "charged back"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[actix_web::test]
async fn whom_the_blacklist_names_is_held_where_and_as_long_as_it_says() {
    let shop = Shop::new().await;
    let added = put(&shop, entry(json!({}))).await;
    assert_eq!((added.status, &added.body["identity_type"]), (201, &json!("phone")), "{}", added.body);
    assert!(!is_held(&shop, "T-1", &[WANG]).await, "no rule asks for it");
    in_force(&shop, &[("blacklist", "blacklist", json!({"blacklisted": true}))]).await;
    assert!(is_held(&shop, "T-2", &[PIN, WANG]).await);
    assert!(!is_held(&shop, "T-3", &[PIN]).await);
    assert!(!is_held(&shop, "T-4", &[]).await);
    // The same identity again takes the place of the entry.
    let until = shop.test.store.now().plus_seconds(60);
    let again = put(&shop, entry(json!({"expires_at": until, "reason": "until tomorrow"}))).await;
    assert_eq!((again.status, &again.body["id"]), (200, &added.body["id"]), "{}", again.body);
    assert!(is_held(&shop, "T-5", &[WANG]).await);
    shop.test.clock.advance(Duration::from_secs(60));
    assert!(!is_held(&shop, "T-6", &[WANG]).await, "it has expired");
    let other = put(&shop, entry(json!({"channel": "till"}))).await;
    assert!(!is_held(&shop, "T-7", &[WANG]).await, "it holds for another channel");
    let here = put(&shop, entry(json!({"channel": "tmall"}))).await;
    assert!(is_held(&shop, "T-8", &[WANG]).await);
    assert_eq!(remove(&shop, &here.id()).await, 204);
    assert!(!is_held(&shop, "T-9", &[WANG]).await);
    assert_eq!(remove(&shop, &here.id()).await, 404);
    let page = shop.get("/v1/order-blacklist?limit=1").await.body;
    assert_eq!((&page["items"][0]["id"], &page["items"][0]["reason"]), (&added.body["id"], &json!("until tomorrow")));
    assert!(!page.to_string().contains("138001"), "the value is not kept: {page}");
    let next = shop.get(&format!("/v1/order-blacklist?cursor={}", page["next_cursor"].as_str().unwrap())).await.body;
    assert_eq!((&next["items"][0]["id"], &next["items"][0]["channel"]), (&other.body["id"], &json!("till")));
    let still = shop.get("/v1/orders?order_no=T-8").await.body["items"][0]["held"].clone();
    assert_eq!(still, true, "an order stays held when its buyer is taken off");
}

#[actix_web::test]
async fn the_blacklist_has_a_permission_and_follows_the_channels_of_its_clients() {
    let shop = Shop::new().await;
    let all = put(&shop, entry(json!({}))).await;
    let till = put(&shop, entry(json!({"channel": "till"}))).await;
    let claims = |scope: &str| web::Claims { channels: Some([code("tmall")].into()), ..shop.claims(scope) };
    let send = async |claims: &web::Claims, method: Method, path: &str, body: Value| {
        shop.send(claims, TestRequest::default().method(method).uri(path).set_json(body)).await
    };
    let (bound, path) = (claims("order:blacklist"), "/v1/order-blacklist");
    let writer = shop.claims("order:write order:hold");
    assert_eq!(send(&writer, Method::PUT, path, entry(json!({}))).await.code(), (403, "forbidden"));
    assert_eq!(send(&writer, Method::GET, path, json!({})).await.code(), (403, "forbidden"));
    assert_eq!(send(&bound, Method::PUT, path, entry(json!({}))).await.code(), (403, "forbidden"));
    assert_eq!(send(&bound, Method::PUT, path, entry(json!({"channel": "till"}))).await.code(), (403, "forbidden"));
    assert_eq!(send(&bound, Method::PUT, path, entry(json!({"channel": "tmall"}))).await.status, 201);
    let seen = send(&bound, Method::GET, path, json!({})).await;
    let channels: Vec<&Value> = seen.body["items"].as_array().unwrap().iter().map(|it| &it["channel"]).collect();
    assert_eq!(channels, ["tmall"]);
    for id in [all.id(), till.id()] {
        let answer = send(&bound, Method::DELETE, &format!("{path}/{id}"), json!({})).await;
        assert_eq!(answer.code(), (403, "forbidden"), "{}", answer.body);
    }
    let faulty = json!({"identity": {"type": "", "value": "x"}, "reason": ""});
    assert_eq!(put(&shop, faulty).await.fields(), ["identity.type", "reason"]);
}
