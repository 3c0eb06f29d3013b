//! Taking orders in.

use actix_web::test::TestRequest;
use contracts::events::{ListingChanged, OrderPlaced, OrderTotals, SkuStatus};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{outbox_events, told};

use crate::support::{Shop, channel, code, fen, line, location, order, sku};

#[actix_web::test]
async fn routes_and_document_agree() {
    let shop = Shop::empty(&[]).await;
    assert_eq!(web::differences(shop.site.routes(), shop.site.document()), Vec::<String>::new());
}

#[actix_web::test]
async fn a_new_order_is_answered_told_and_read_back_alike() {
    let shop = Shop::new().await;
    let mut body = order(
        "T-1",
        json!([line(1, "A", 2, 1000), {"line_no": 2, "sku": "SET", "quantity": 3, "unit_price_decimal": "0.125"}]),
    );
    body["discount"] = fen(100);
    body["freight"] = fen(500);
    body["payments"] = json!([{"method": "alipay", "amount": fen(2438), "reference": "p-1"}]);
    body["guide"] = json!("G7");
    body["store"] = json!("S1");
    body["note"] = json!("礼盒\n请轻放");
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.location, Some(format!("/v1/orders/{}", answer.id())));
    assert_eq!(answer.etag.as_deref(), Some("\"1\""));
    assert_eq!((&answer.body["status"], &answer.body["payment_status"]), (&json!("sourcing"), &json!("paid")));
    assert_eq!(answer.body["lines"][0]["discount_amount"], fen(98));
    assert_eq!(answer.body["lines"][1]["list_amount"], fen(38));
    assert_eq!(answer.body["lines"][1]["unit_price_decimal"], "0.125");
    assert_eq!(answer.body["totals"]["total_amount"], fen(2438));
    let mut read = shop.order(&answer.id()).await;
    assert_eq!(read["history"][0]["actor"], "oms");
    read.as_object_mut().unwrap().remove("history");
    assert_eq!(read, answer.body);
    let placed: Vec<OrderPlaced> = told(&shop.test.store).await;
    assert_eq!(placed.len(), 1);
    let totals = OrderTotals { list_amount: 2038, discount_amount: 100, freight_amount: 500, total_amount: 2438 };
    assert_eq!((placed[0].totals, placed[0].order_id.to_string()), (totals, answer.id()));
    assert_eq!(placed[0].lines[0].category.as_deref(), Some("tea"));
    assert!(placed[0].fulfilment.destination.as_ref().unwrap().point.is_some());
}

#[actix_web::test]
async fn an_unknown_field_is_refused_by_its_path_wherever_a_body_has_one() {
    let shop = Shop::new().await;
    let form = order("T-1", json!([line(1, "A", 1, 1000)]));
    let lost = "01935f00-0000-7000-8000-000000000001";
    let cancel = json!({"lines": [{"line_no": 1, "quantity": 1}]});
    let ship = json!({"parcels": [{"carrier": "SF", "tracking_no": "1", "lines": [{"line_no": 1, "quantity": 1}]}]});
    let send_back = json!({"channel": "tmall", "lines": [], "reason": "x", "buyer": form["buyer"]});
    let cases = [
        ("/v1/orders".to_owned(), &form, "buyer"),
        ("/v1/orders".to_owned(), &form, "buyer.identities[0]"),
        ("/v1/orders".to_owned(), &form, "fulfilment.ship_to"),
        (format!("/v1/orders/{lost}/cancel"), &cancel, "lines[0]"),
        (format!("/v1/fulfilments/{lost}/ship"), &ship, "parcels[0]"),
        (format!("/v1/fulfilments/{lost}/ship"), &ship, "parcels[0].lines[0]"),
        ("/v1/returns".to_owned(), &send_back, "buyer"),
        ("/v1/returns".to_owned(), &send_back, "buyer.identities[0]"),
    ];
    for (path, body, place) in cases {
        let mut body = body.clone();
        let pointer = format!("/{}", place.replace(['.', '['], "/").replace(']', ""));
        body.pointer_mut(&pointer).unwrap()["colour"] = json!("red");
        let answer = shop.post(&path, body).await;
        let field = format!("{place}.colour");
        assert_eq!((answer.code(), answer.fields()), ((400, "malformed"), vec![field.as_str()]), "{path}");
    }
}

#[actix_web::test]
async fn an_address_to_ship_to_names_its_country() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"]["ship_to"].as_object_mut().unwrap().remove("country");
    let answer = shop.post("/v1/orders", body).await;
    assert_eq!((answer.code(), answer.fields()), ((422, "invalid_field"), vec!["fulfilment.ship_to.country"]));
}

#[actix_web::test]
async fn thirty_two_posts_of_one_order_make_one_order() {
    let shop = Shop::new().await;
    let body = order("T-1", json!([line(1, "A", 1, 1000)]));
    let answers = join_all((0..32).map(|_| shop.post("/v1/orders", body.clone()))).await;
    let id = answers[0].id();
    assert!(answers.iter().all(|answer| answer.id() == id));
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 31);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 1);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".order_lines"), 1);
    assert_eq!(outbox_events(&shop.test.store).await.len(), 1);
}

#[actix_web::test]
async fn thirty_two_requests_with_one_key_have_one_effect() {
    let shop = Shop::new().await;
    let send = |body: Value| {
        let request = TestRequest::post().uri("/v1/orders").insert_header(("Idempotency-Key", "k")).set_json(body);
        let claims = shop.claims("*");
        let shop = &shop;
        async move { shop.send(&claims, request).await }
    };
    let body = order("T-1", json!([line(1, "A", 1, 1000)]));
    let answers = join_all((0..32).map(|_| send(body.clone()))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 1);
    // The key stays with its request, whatever the number says.
    let other = send(order("T-2", json!([line(1, "A", 1, 1000)]))).await;
    assert_eq!(other.code(), (409, "idempotency_key_reused"));
    assert_eq!(send(body).await.status, 201, "the stored answer is given again");
}

#[actix_web::test]
async fn the_same_number_with_other_content_is_a_contradiction_that_is_named() {
    let shop = Shop::new().await;
    let first = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1000)]))).await;
    let mut other = order("T-1", json!([line(1, "A", 2, 1000)]));
    other["note"] = json!("gift");
    let refused = shop.post("/v1/orders", other).await;
    assert_eq!(refused.code(), (409, "contradiction"));
    assert_eq!(refused.fields(), ["lines", "note"]);
    assert!(refused.body["detail"].as_str().unwrap().contains(&first.id()));
    // Another spelling of the same content is the same order.
    let same = order("T-1", json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "10.00"}]));
    let again = shop.post("/v1/orders", same).await;
    assert_eq!((again.status, again.id()), (200, first.id()));
    // The number belongs to its channel.
    let mut elsewhere = order("T-1", json!([{"line_no": 1, "sku": "A", "quantity": 1, "unit_price_decimal": "10"}]));
    elsewhere["channel"] = json!("till");
    elsewhere["currency"] = json!("JPY");
    assert_eq!(shop.post("/v1/orders", elsewhere).await.status, 201);
}

#[actix_web::test]
async fn one_bad_order_does_not_hold_up_its_neighbours() {
    let shop = Shop::new().await;
    shop.placed("T-0", json!([line(1, "A", 1, 1000)])).await;
    let orders =
        (0..20).map(|number| shop.post("/v1/orders", order(&format!("T-{number}"), json!([line(1, "A", 2, 1000)]))));
    let answers = join_all(orders).await;
    assert_eq!(answers[0].code(), (409, "contradiction"));
    assert!(answers[1..].iter().all(|answer| answer.status == 201));
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 20);
}

#[actix_web::test]
async fn references_must_be_known_and_in_use() {
    let shop = Shop::new().await;
    let mut body = order("T-1", json!([line(1, "A", 1, 1), line(2, "NOPE", 1, 1)]));
    body["store"] = json!("NOWHERE");
    let refused = shop.post("/v1/orders", body).await;
    assert_eq!(refused.code(), (422, "unknown_reference"));
    assert_eq!(refused.fields(), ["store", "lines[1].sku"]);
    let mut body = order("T-1", json!([line(1, "A", 1, 1)]));
    body["channel"] = json!("jd");
    assert_eq!(shop.post("/v1/orders", body).await.fields(), ["channel"]);
    let mut retired = sku("A", &[]);
    (retired.status, retired.version) = (SkuStatus::Inactive, 2);
    shop.hear(&retired).await;
    let refused = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1)]))).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "refused_by_rule"), vec!["lines[0].sku"]));
    // An older event that comes late changes nothing.
    shop.hear(&sku("A", &[])).await;
    assert_eq!(shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1)]))).await.status, 422);
    let mut body = order("T-1", json!([{"line_no": 1, "sku": "B", "quantity": 1, "unit_price_decimal": "1"}]));
    body["currency"] = json!("JPY");
    assert_eq!(shop.post("/v1/orders", body).await.fields(), ["currency"]);
}

#[actix_web::test]
async fn whoever_is_faster_than_the_event_is_not_refused() {
    let shop = Shop::empty(&[]).await;
    let place = shop.post("/v1/orders", order("T-1", json!([line(1, "A", 1, 1000)])));
    let create = async {
        shop.hear(&channel("tmall", "CNY", 1)).await;
        shop.hear(&sku("A", &[])).await;
        shop.hear(&location("W1")).await;
    };
    let (answer, ()) = futures_util::join!(place, create);
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[actix_web::test]
async fn a_channels_own_sku_is_translated() {
    let shop = Shop::new().await;
    let mut listing = ListingChanged {
        channel: code("tmall"),
        channel_sku: code("tm-99"),
        sku: code("B"),
        published: true,
        removed: false,
        version: 1,
    };
    shop.hear(&listing).await;
    let lines = json!([{"line_no": 1, "channel_sku": "tm-99", "quantity": 1, "unit_price": fen(5)}]);
    let answer = shop.post("/v1/orders", order("T-1", lines.clone())).await;
    assert_eq!(
        (&answer.body["lines"][0]["sku"], &answer.body["lines"][0]["channel_sku"]),
        (&json!("B"), &json!("tm-99"))
    );
    (listing.removed, listing.version) = (true, 2);
    shop.hear(&listing).await;
    let refused = shop.post("/v1/orders", order("T-2", lines)).await;
    assert_eq!((refused.code(), refused.fields()), ((422, "unknown_reference"), vec!["lines[0].channel_sku"]));
}

#[actix_web::test]
async fn hostile_bodies_are_refused_by_field_and_never_an_error_of_ours() {
    let shop = Shop::new().await;
    let good = order("T-1", json!([line(1, "A", 1, 1000)]));
    let changed = |path: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        body
    };
    let mut extra = good.clone();
    extra["total"] = json!(1);
    let cases = [
        (400, "total", extra),
        (400, "lines[0].quantity", changed("/lines/0/quantity", json!(0))),
        (400, "lines[0].quantity", changed("/lines/0/quantity", json!(-80995))),
        (400, "lines[0].quantity", changed("/lines/0/quantity", json!(1.5))),
        (400, "lines[0].unit_price.amount", changed("/lines/0/unit_price/amount", json!(9.99))),
        (400, "lines[0].unit_price.currency", changed("/lines/0/unit_price/currency", json!("XXL"))),
        (400, "placed_at", changed("/placed_at", json!("2026-11-11 00:00:00"))),
        (400, "channel", changed("/channel", json!(""))),
        (400, "buyer.identities[0].secret", {
            let mut body = good.clone();
            body["buyer"]["identities"][0]["secret"] = json!(1);
            body
        }),
        (422, "channel_order_no", changed("/channel_order_no", json!("a\u{0}b"))),
        (422, "buyer.name", changed("/buyer/name", json!("\u{0}"))),
        (
            422,
            "buyer.identities",
            changed("/buyer/identities", json!(vec![json!({"type": "phone", "value": "1"}); 11])),
        ),
        (422, "fulfilment.ship_to.province", changed("/fulfilment/ship_to/province", json!("x".repeat(257)))),
        (422, "fulfilment.ship_to", changed("/fulfilment/ship_to/latitude", json!(1e300))),
        (422, "lines[0].unit_price", changed("/lines/0/unit_price/amount", json!(-1))),
        (422, "lines[0].unit_price", changed("/lines/0/unit_price/amount", json!(i64::MAX))),
        (422, "lines", changed("/lines", json!([]))),
    ];
    for (status, field, body) in cases {
        let answer = shop.post("/v1/orders", body.clone()).await;
        assert_eq!((answer.status, answer.fields()), (status, vec![field]), "{body}: {}", answer.body);
    }
    for text in ["", "{", "[]", "null", "\"\\ud800\"", &"[".repeat(100_000)] {
        let request = TestRequest::post().uri("/v1/orders").insert_header(("Content-Type", "application/json"));
        let answer = shop.send(&shop.claims("*"), request.set_payload(text.to_owned())).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 0);
}

#[actix_web::test]
async fn an_import_answers_each_line() {
    let shop = Shop::new().await;
    shop.placed("T-1", json!([line(1, "A", 1, 1000)])).await;
    let mut lines: Vec<String> =
        (1..=1_200).map(|number| order(&format!("T-{number}"), json!([line(1, "A", 1, 1000)])).to_string()).collect();
    lines.push("{\"channel\":".to_owned());
    lines.push(order("T-2", json!([line(1, "A", 9, 1000)])).to_string());
    lines.push(order("T-9999", json!([line(1, "NOPE", 9, 1000)])).to_string());
    let request = TestRequest::post().uri("/v1/orders/import").insert_header(("Content-Type", "application/x-ndjson"));
    let answer = shop.send(&shop.claims("*"), request.set_payload(lines.join("\n"))).await;
    assert_eq!(answer.status, 200);
    let text = answer.body.as_str().unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 1_203);
    assert_eq!(answers[0]["result"]["change"], "known");
    assert_eq!(answers[1]["result"]["change"], "created");
    let codes: Vec<&Value> = answers[1_200..].iter().map(|answer| &answer["problem"]["code"]).collect();
    assert_eq!(codes, [&json!("malformed"), &json!("contradiction"), &json!("unknown_reference")]);
    assert_eq!(shop.number("SELECT count(*) FROM \"order\".orders"), 1_200);
}

#[actix_web::test]
async fn a_client_is_held_to_its_permission_and_channels() {
    let shop = Shop::new().await;
    let body = order("T-1", json!([line(1, "A", 1, 1000)]));
    let request = || TestRequest::post().uri("/v1/orders").set_json(&body);
    let mut claims = shop.claims("order:write");
    claims.channels = Some([code("till")].into());
    assert_eq!(shop.send(&claims, request()).await.status, 403);
    assert_eq!(shop.send(&shop.claims("order:read"), request()).await.status, 403);
    let id = shop.send(&shop.claims("order:write"), request()).await.id();
    claims.scope = "order:read".to_owned();
    assert_eq!(shop.send(&claims, TestRequest::get().uri(&format!("/v1/orders/{id}"))).await.status, 403);
    assert_eq!(shop.send(&claims, TestRequest::get().uri("/v1/orders")).await.body["items"], json!([]));
    assert_eq!(shop.send(&claims, TestRequest::get().uri("/v1/orders?channel=tmall")).await.status, 403);
}
