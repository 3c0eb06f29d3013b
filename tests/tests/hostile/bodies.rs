//! Bodies, paths and queries that are wrong in every way that was thought of.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::shop::{NewOrder, places, yuan};
use system_tests::{Answer, Api};

use crate::{CHANNEL, victim};

/// An order that would be taken.
fn fine() -> Value {
    NewOrder::new(CHANNEL, "HOSTILE", places::SHANGHAI).line("TEE", 1, 100).body().clone()
}

/// The order with one thing changed, at a JSON pointer.
fn but(pointer: &str, value: Value) -> Value {
    let mut order = fine();
    match order.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            order.pointer_mut(parent).expect("a place for it")[field] = value;
        }
    }
    order
}

/// The answer refuses, with a problem that names this field.
#[track_caller]
fn names(answer: &Answer, field: &str, what: &str) {
    assert!((400..500).contains(&answer.status), "{what} was answered with {}: {}", answer.status, answer.body);
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let named: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
    assert!(named.contains(&field), "{what} should name {field}: {}", answer.body);
}

/// Every 4xx and 5xx is a problem, and no 5xx is ever ours.
#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what} was answered with {}: {}", answer.status, answer.body);
    assert!(answer.body["code"].is_string(), "{what}: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_wrong_is_refused_with_the_field_named() {
    let (victim, shop) = victim().await;
    let nul = "a\u{0}b";
    let long = "x".repeat(65);
    let wrong: Vec<(&str, Value, &str)> = vec![
        ("an unknown field", but("/colour", json!("red")), "colour"),
        ("an unknown field of a line", but("/lines/0/colour", json!("red")), "lines[0].colour"),
        ("an unknown field of the buyer", but("/buyer", json!({ "shoe": 43 })), "buyer.shoe"),
        ("a text for a number", but("/lines/0/quantity", json!("one")), "lines[0].quantity"),
        ("a fraction of a unit", but("/lines/0/quantity", json!(0.5)), "lines[0].quantity"),
        ("no unit", but("/lines/0/quantity", json!(0)), "lines[0].quantity"),
        ("units below zero", but("/lines/0/quantity", json!(-1)), "lines[0].quantity"),
        ("more units than there are", but("/lines/0/quantity", json!(i64::MAX)), "lines[0].quantity"),
        ("more than a number holds", but("/lines/0/quantity", json!(u64::MAX)), "lines[0].quantity"),
        ("a price below zero", but("/lines/0/unit_price", yuan(-1)), "lines[0].unit_price"),
        ("a price beyond all money", but("/lines/0/unit_price", yuan(i64::MAX)), "lines[0].unit_price"),
        ("a fraction of a cent", but("/lines/0/unit_price/amount", json!(0.5)), "lines[0].unit_price.amount"),
        ("no price", but("/lines/0/unit_price", Value::Null), "lines[0].unit_price"),
        (
            "a price in other money",
            but("/lines/0/unit_price", json!({ "amount": 1, "currency": "JPY" })),
            "lines[0].unit_price",
        ),
        ("money that is none", but("/currency", json!("XYZ")), "currency"),
        ("the money of another country", but("/currency", json!("JPY")), "lines[0].unit_price"),
        ("a discount beyond the price", but("/discount", yuan(101)), "discount"),
        ("a discount below zero", but("/discount", yuan(-1)), "discount"),
        ("freight below zero", but("/freight", yuan(-1)), "freight"),
        (
            "payments that do not add up",
            but("/payments", json!([{ "method": "cash", "amount": yuan(99) }])),
            "payments",
        ),
        ("no lines", but("/lines", json!([])), "lines"),
        ("lines that are a text", but("/lines", json!("TEE")), "lines"),
        ("line 0", but("/lines/0/line_no", json!(0)), "lines"),
        ("an unknown SKU", but("/lines/0/sku", json!("GHOST")), "lines[0].sku"),
        ("a SKU with a NUL", but("/lines/0/sku", json!(nul)), "lines[0].sku"),
        ("a number with a NUL", but("/channel_order_no", json!(nul)), "channel_order_no"),
        ("a number that is too long", but("/channel_order_no", json!(long)), "channel_order_no"),
        ("an empty number", but("/channel_order_no", json!("")), "channel_order_no"),
        ("a remark with a NUL", but("/note", json!(nul)), "note"),
        ("a name with a NUL", but("/fulfilment/ship_to/name", json!(nul)), "fulfilment.ship_to.name"),
        (
            "an identity with a NUL",
            but("/buyer", json!({ "identities": [{ "type": "phone", "value": nul }] })),
            "buyer.identities[0].value",
        ),
        ("an unknown channel", but("/channel", json!("ghost")), "channel"),
        ("no channel", but("/channel", Value::Null), "channel"),
        ("a place beyond the pole", but("/fulfilment/ship_to/latitude", json!(91.0)), "fulfilment.ship_to"),
        ("half a place", but("/fulfilment/ship_to/latitude", Value::Null), "fulfilment.ship_to"),
        ("nowhere to ship to", but("/fulfilment", json!({ "type": "ship" })), "fulfilment.ship_to"),
        ("a pickup nowhere", but("/fulfilment", json!({ "type": "pickup" })), "fulfilment.location"),
        ("a way that is none", but("/fulfilment/type", json!("fly")), "fulfilment.type"),
        ("a day that is none", but("/placed_at", json!("2026-02-30T00:00:00Z")), "placed_at"),
        ("an instant without an offset", but("/placed_at", json!("2026-11-11T00:00:00")), "placed_at"),
        ("a hold that is no id", but("/reservation_id", json!("mine")), "reservation_id"),
    ];
    for (what, order, field) in wrong {
        let answer = shop.api.post("/v1/orders", &order).await;
        names(&answer, field, what);
    }
    victim.is_unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_order_are_refused() {
    let (victim, shop) = victim().await;
    let json_type = [("content-type", "application/json")];
    let send = async |bytes: Vec<u8>| shop.api.send_bytes(Method::POST, "/v1/orders", bytes, &json_type).await;
    let text = fine().to_string();
    let broken =
        text.replace("HOSTILE", "HOST\u{1}LE").into_bytes().iter().map(|b| if *b == 1 { 0xff } else { *b }).collect();
    let half = text.as_bytes()[..text.len() / 2].to_vec();
    let after = format!("{text} and more").into_bytes();
    let twice = text.replacen('{', "{\"currency\":\"CNY\",", 1).into_bytes();
    let huge_number = text.replace("\"quantity\":1", "\"quantity\":1e999").into_bytes();
    let cases: [(&str, Vec<u8>); 9] = [
        ("nothing", Vec::new()),
        ("broken UTF-8", broken),
        ("half of it", half),
        ("something after it", after),
        ("a field that is there twice", twice),
        ("an infinite number", huge_number),
        ("a list", b"[]".to_vec()),
        ("a bottomless pit", b"[".repeat(200_000)),
        ("a bottomless field", format!("{{\"note\":{}", "[".repeat(200_000)).into_bytes()),
    ];
    for (what, bytes) in cases {
        let answer = send(bytes).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        answer.problem(400, "malformed");
    }
    let padded = but("/note", json!("x".repeat(10 << 20)));
    send(padded.to_string().into_bytes()).await.problem(413, "too_large");
    let xml = [("content-type", "text/xml")];
    let answer = shop.api.send_bytes(Method::POST, "/v1/orders", b"<order/>".to_vec(), &xml).await;
    answer.problem(415, "unsupported_media_type");
    victim.is_unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_lines_are_refused() {
    let (victim, shop) = victim().await;
    let mut lines = String::new();
    for number in 1..=10_000 {
        write!(
            lines,
            "{}{{\"line_no\":{number},\"sku\":\"TEE\",\"quantity\":1,\"unit_price_decimal\":\"1\"}}",
            if number > 1 { "," } else { "" }
        )
        .expect("a string takes everything");
    }
    let body = fine().to_string().replace(&fine()["lines"].to_string(), &format!("[{lines}]"));
    let answer = shop
        .api
        .send_bytes(Method::POST, "/v1/orders", body.into_bytes(), &[("content-type", "application/json")])
        .await;
    names(&answer, "lines", "ten thousand lines");
    let adjustments: Vec<Value> =
        (0..10_000).map(|_| json!({ "sku": "TEE", "location": "WH-SH", "delta": 1, "reason": "x" })).collect();
    refused(&shop.api.post("/v1/stock/adjustments", &json!(adjustments)).await, "ten thousand adjustments");
    victim.is_unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_write_names_what_is_wrong() {
    let (victim, shop) = victim().await;
    let nul = "a\u{0}b";
    let adjust = |field: &str, value: Value| {
        let mut one = json!({ "sku": "TEE", "location": "WH-SH", "delta": 1, "reason": "found" });
        one[field] = value;
        json!([one])
    };
    let hold = |field: &str, value: Value| {
        let mut one = json!({ "channel": CHANNEL, "lines": [{ "sku": "TEE", "quantity": 1 }], "ttl_seconds": 60,
            "ship_to": { "country": "CN", "latitude": 31.0, "longitude": 121.0 } });
        one[field] = value;
        one
    };
    let wrong: Vec<(&str, &str, Value, &str)> = vec![
        ("POST", "/v1/stock/adjustments", adjust("sku", json!("GHOST")), "[0].sku"),
        ("POST", "/v1/stock/adjustments", adjust("location", json!("GHOST")), "[0].location"),
        ("POST", "/v1/stock/adjustments", adjust("delta", json!(0)), "[0].delta"),
        ("POST", "/v1/stock/adjustments", adjust("delta", json!(i64::MIN)), "[0].delta"),
        ("POST", "/v1/stock/adjustments", adjust("delta", json!(i64::MAX)), "[0].delta"),
        ("POST", "/v1/stock/adjustments", adjust("reason", json!(nul)), "[0].reason"),
        ("POST", "/v1/stock/adjustments", adjust("colour", json!(1)), "[0].colour"),
        ("POST", "/v1/reservations", hold("lines", json!([])), "lines"),
        ("POST", "/v1/reservations", hold("ttl_seconds", json!(-1)), "ttl_seconds"),
        ("POST", "/v1/reservations", hold("ttl_seconds", json!(i64::MAX)), "ttl_seconds"),
        ("POST", "/v1/reservations", hold("buyer", json!(nul)), "buyer"),
        ("PUT", "/v1/locations/NEW", json!({ "name": "x", "kind": "moon", "latitude": 0, "longitude": 0 }), "kind"),
        (
            "PUT",
            "/v1/locations/NEW",
            json!({ "name": "x", "kind": "store", "latitude": 90.1, "longitude": 0 }),
            "latitude",
        ),
        ("PUT", "/v1/locations/NEW", json!({ "name": nul, "kind": "store", "latitude": 9, "longitude": 0 }), "name"),
        ("PUT", "/v1/skus/NEW", json!({ "name": nul }), "name"),
        ("PUT", "/v1/skus/NEW", json!({ "name": "x", "gtin": "4006381333932" }), "gtin"),
        ("PUT", "/v1/skus/NEW", json!({ "name": "x", "weight_grams": -1 }), "weight_grams"),
        ("PUT", "/v1/channels/new", json!({ "name": nul, "kind": "pos", "currency": "CNY" }), "name"),
        ("PUT", "/v1/channels/new", json!({ "name": "x", "kind": "pos", "currency": "cny" }), "currency"),
        ("PUT", "/v1/payees/new", json!({ "name": nul, "kind": "guide" }), "name"),
        ("PUT", "/v1/payees/new", json!({ "name": "x", "kind": "king" }), "kind"),
        ("POST", "/v1/clients", json!({ "name": "x", "permissions": ["everything"] }), "permissions"),
        ("POST", "/v1/members", json!({ "identities": [{ "type": "soul", "value": "1" }] }), "identities[0]"),
        (
            "POST",
            "/v1/members",
            json!({ "identities": [{ "type": "phone", "value": "not a number" }] }),
            "identities[0]",
        ),
        ("POST", "/v1/points/grants", json!({ "member_id": "me", "points": 1, "reason": "x" }), "member_id"),
        (
            "POST",
            "/v1/rebate/policies",
            json!({ "code": "x", "name": "x", "document": { "basis": "paid", "shares": [] } }),
            "document.shares",
        ),
        (
            "PUT",
            "/v1/tier-programs/default",
            json!({ "currency": "CNY", "window": { "kind": "lifetime" }, "tiers": [] }),
            "tiers",
        ),
        (
            "POST",
            "/v1/returns",
            json!({ "order_id": victim.order, "lines": [{ "line_no": 1, "quantity": 1 }], "reason": "x" }),
            "lines[0].quantity",
        ),
        (
            "POST",
            "/v1/returns",
            json!({ "order_id": victim.order, "lines": [{ "line_no": 9, "quantity": 1 }], "reason": "x" }),
            "lines[0].line_no",
        ),
    ];
    for (method, path, body, field) in wrong {
        let answer = shop.api.send(method.parse().expect("a method"), path, &body, &[]).await;
        names(&answer, field, &format!("{method} {path} with {body}"));
    }
    victim.is_unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_queries_that_are_wrong_are_refused() {
    let (victim, shop) = victim().await;
    for path in [
        "/v1/orders/not-an-id",
        "/v1/orders/%00",
        "/v1/orders?limit=0",
        "/v1/orders?limit=501",
        "/v1/orders?limit=many",
        "/v1/orders?cursor=%27%3B%20DROP%20TABLE%20orders",
        "/v1/orders?colour=red",
        "/v1/orders?status=lost",
        "/v1/orders?channel_order_no=%00",
        "/v1/clients/%00",
        "/v1/orders?from=yesterday",
        "/v1/stock?limit=-1",
        "/v1/stock/%00",
        "/v1/skus/GHOST",
        "/v1/locations?near=here",
        "/v1/members?identity=13800138000",
        "/v1/members/018f0000-0000-7000-8000-000000000000/points",
        "/v1/rebate/lines?period=2026-13",
        "/v1/nowhere",
        "/v1/../../etc/passwd",
    ] {
        refused(&shop.api.get(path).await, path);
    }
    let quoted = shop.api.get("/v1/orders?channel_order_no=%27%20OR%201%3D1%20--").await.ok();
    assert_eq!(quoted["items"], json!([]));
    shop.api.send(Method::PUT, "/v1/orders", &json!({}), &[]).await.problem(405, "method_not_allowed");
    unknown_ids_are_not_found(&shop.api).await;
    victim.is_unharmed(&shop).await;
}

async fn unknown_ids_are_not_found(api: &Api) {
    const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";
    for path in [
        format!("/v1/orders/{NOBODY}"),
        format!("/v1/fulfilments/{NOBODY}"),
        format!("/v1/returns/{NOBODY}"),
        format!("/v1/reservations/{NOBODY}"),
        format!("/v1/members/{NOBODY}"),
        format!("/v1/rebate/policies/{NOBODY}"),
        format!("/v1/rebate/lines/{NOBODY}/explain"),
        format!("/v1/orders/{NOBODY}/sourcing"),
    ] {
        let problem = api.get(&path).await.problem(404, "not_found");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(NOBODY)), "{problem}");
    }
    api.post(&format!("/v1/orders/{NOBODY}/cancel"), &json!({ "reason": "x" })).await.problem(404, "not_found");
}
