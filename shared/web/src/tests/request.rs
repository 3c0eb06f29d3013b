//! Bodies, queries, paths and headers, well meant and not.

use super::*;

const ORDER: &str = r#"{"channel":"tmall","lines":[{"sku":"A","quantity":2}]}"#;

/// The field and detail of the first error of a problem.
fn first_error(reply: &Reply) -> (String, String) {
    let error = &reply.json()["errors"][0];
    (error["field"].as_str().unwrap().to_owned(), error["detail"].as_str().unwrap().to_owned())
}

async fn refused(body: impl Into<Vec<u8>>) -> (String, String) {
    let reply = Shop::open().ask(post("/v1/orders", body)).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "malformed"));
    first_error(&reply)
}

#[actix_web::test]
async fn a_new_resource_is_answered_with_its_version() {
    let reply = Shop::open().ask(post("/v1/orders", ORDER)).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("etag"), Some("\"3\""));
    assert_eq!(reply.json()["lines"], 1);
    assert_eq!(reply.json()["shop"], "the shop");
}

#[actix_web::test]
async fn a_wrong_type_is_named_by_its_path() {
    let (field, detail) =
        refused(r#"{"channel":"c","lines":[{"sku":"A","quantity":1},{"sku":"B","quantity":"2"}]}"#).await;
    assert_eq!(field, "lines[1].quantity");
    assert!(detail.contains("expected u32"), "{detail}");
    assert_eq!(refused(r#"{"channel":7,"lines":[]}"#).await.0, "channel");
    assert_eq!(refused(r#"{"channel":"c","lines":[{"sku":"A","quantity":-1}]}"#).await.0, "lines[0].quantity");
    assert_eq!(refused(r#"{"channel":"c","lines":[{"sku":"A","quantity":1.5}]}"#).await.0, "lines[0].quantity");
    assert_eq!(refused(r#"{"channel":"c","lines":{}}"#).await.0, "lines");
}

#[actix_web::test]
async fn an_unknown_or_missing_field_is_named_by_its_path() {
    assert_eq!(refused(r#"{"channel":"c","lines":[],"color":"red"}"#).await.0, "color");
    assert_eq!(refused(r#"{"channel":"c","lines":[{"sku":"A","quantity":1,"x":1}]}"#).await.0, "lines[0].x");
    assert_eq!(refused(r#"{"lines":[]}"#).await.0, "channel");
    assert_eq!(refused(r#"{"channel":"c","lines":[{"sku":"A"}]}"#).await.0, "lines[0].quantity");
    assert_eq!(refused(r#"{"channel":"c","channel":"d","lines":[]}"#).await.0, "channel");
}

#[actix_web::test]
async fn broken_json_is_malformed_wherever_it_breaks() {
    for body in ["{", "[]", "null", "\"", "{\"channel\"", "{\"channel\":\"c\",\"lines\":[]} x", "NaN"] {
        refused(body).await;
    }
    refused(b"{\"channel\":\"\xff\xfe\",\"lines\":[]}".to_vec()).await;
    refused(b"{\"channel\":\"\\ud800\",\"lines\":[]}".to_vec()).await;
    refused("[".repeat(100_000)).await;
    let deep = format!(r#"{{"channel":"c","lines":[],"note":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    refused(deep).await;
    let reply = Shop::open().ask(post("/v1/orders", "")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "malformed"));
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413_whether_announced_or_not() {
    let shop = Shop::open();
    let large = format!(r#"{{"channel":"{}","lines":[]}}"#, "c".repeat(10 << 20));
    for announced in [true, false] {
        let mut request = post("/v1/orders", large.clone());
        if announced {
            request = request.insert_header(("content-length", large.len().to_string()));
        }
        let reply = shop.ask(request).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (413, "too_large"));
    }
    let lying = post("/v1/orders", ORDER).insert_header(("content-length", u64::MAX.to_string()));
    assert_eq!(shop.ask(lying).await.status, 413);
}

#[actix_web::test]
async fn a_body_that_is_no_json_by_its_type_is_415() {
    let shop = Shop::open();
    for (media_type, expected) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/xml", 415),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("application/vnd.shop+json", 201),
    ] {
        let reply = shop.ask(post("/v1/orders", ORDER).insert_header(("content-type", media_type))).await;
        assert_eq!(reply.status.as_u16(), expected, "{media_type}");
        if expected == 415 {
            assert_eq!(reply.problem(), "unsupported_media_type");
        }
    }
}

#[actix_web::test]
async fn query_parameters_are_read_and_named_when_they_are_wrong() {
    let shop = Shop::open();
    // Nw is 7 in base64url.
    let reply = shop.ask(get("/v1/orders?limit=5&cursor=Nw&status=on%20hold&weight=7")).await;
    assert_eq!(reply.json(), json!({"limit": 5, "after": 7, "status": "on hold", "weight": 7}));
    assert_eq!(shop.ask(get("/v1/orders")).await.json()["limit"], 50);
    for (query, field) in [
        ("limit=501", "limit"),
        ("cursor=x", "cursor"),
        ("weight=many", "weight"),
        ("weight=-1", "weight"),
        ("weight=70000", "weight"),
        ("colour=red", "colour"),
    ] {
        let reply = shop.ask(get(&format!("/v1/orders?{query}"))).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "malformed"));
        assert_eq!(first_error(&reply).0, field, "{query}");
    }
}

#[actix_web::test]
async fn a_limit_that_is_no_number_is_malformed() {
    let reply = Shop::open().ask(get("/v1/orders?limit=many")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "malformed"));
}

#[actix_web::test]
async fn forms_and_raw_bodies_are_read_and_bounded() {
    let shop = Shop::open();
    let form = |body: &str| {
        TestRequest::post()
            .uri("/oauth/token")
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(body.to_owned())
    };
    let reply = shop.send(form("grant_type=client_credentials&client_id=a%26b")).await;
    assert_eq!(reply.json(), json!({"grant_type": "client_credentials", "client_id": "a&b"}));
    assert_eq!(first_error(&shop.send(form("grant_type=x")).await).0, "client_id");
    assert_eq!(shop.send(post("/oauth/token", "{}")).await.status, 415);
    assert_eq!(shop.send(post("/v1/hook", vec![0xff; 1 << 20])).await.json(), 1 << 20);
    assert_eq!(shop.send(post("/v1/hook", vec![0xff; (1 << 20) + 1])).await.problem(), "too_large");
}

#[actix_web::test]
async fn a_path_parameter_that_does_not_parse_is_400() {
    let shop = Shop::open();
    let reply = shop.ask(get("/v1/orders/0197f000-0000-7000-8000-000000000001")).await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"7\"")));
    let reply = shop.ask(get("/v1/orders/42")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "malformed"));
}

#[actix_web::test]
async fn a_callers_own_code_survives_the_path() {
    let shop = Shop::open();
    assert_eq!(shop.send(get("/v1/skus/%E9%9E%8B-42%20EU")).await.json(), "鞋-42 EU");
    assert_eq!(shop.send(get("/v1/skus/a%2Fb")).await.json(), "a/b");
    assert_eq!(shop.send(get("/v1/skus/50%25")).await.json(), "50%");
    assert_eq!(shop.send(get("/v1/skus/a+b")).await.json(), "a+b");
}

#[actix_web::test]
async fn the_fingerprint_tells_requests_apart() {
    let shop = Shop::open();
    let fingerprint = async |path: &str, body: &str| {
        shop.ask(post(path, body)).await.json()["fingerprint"].as_str().unwrap().to_owned()
    };
    let one = fingerprint("/v1/orders", ORDER).await;
    assert_eq!(one.len(), 64);
    assert_eq!(one, fingerprint("/v1/orders", ORDER).await);
    assert_ne!(one, fingerprint("/v1/orders?x=1", ORDER).await);
    assert_ne!(one, fingerprint("/v1/orders", &ORDER.replace('2', "3")).await);
}

#[actix_web::test]
async fn idempotency_key_and_wait_are_read_and_bounded() {
    let shop = Shop::open();
    let send =
        async |name: &'static str, value: &str| shop.ask(post("/v1/orders", ORDER).insert_header((name, value))).await;
    assert_eq!(send("idempotency-key", "k-1").await.json()["key"], "k-1");
    assert_eq!(send("idempotency-key", &"k".repeat(255)).await.status, 201);
    for bad in ["", " ", &"k".repeat(256), "schlüssel"] {
        let reply = send("idempotency-key", bad).await;
        assert_eq!((reply.status.as_u16(), first_error(&reply).0.as_str()), (400, "Idempotency-Key"));
    }
    assert_eq!(send("prefer", "wait=5").await.json()["wait"], 5);
    assert_eq!(send("prefer", "respond-async, wait=5").await.json()["wait"], 5);
    assert_eq!(send("prefer", "wait=86400").await.json()["wait"], 30);
    assert_eq!(send("prefer", "wait=soon").await.json()["wait"], Value::Null);
}

#[actix_web::test]
async fn a_write_to_another_version_is_412() {
    let shop = Shop::open();
    let send = async |etag: &str| shop.ask(post("/v1/orders", ORDER).insert_header(("if-match", etag))).await;
    for fine in ["\"3\"", "W/\"3\"", "3", "*"] {
        assert_eq!(send(fine).await.status, 201, "{fine}");
    }
    let reply = send("\"2\"").await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (412, "precondition_failed"));
    assert_eq!(first_error(&send("\"new\"").await).0, "If-Match");
}

#[actix_web::test]
async fn the_callers_trace_is_continued() {
    let settings = runtime::settings::TelemetrySettings {
        log_format: runtime::settings::LogFormat::Json,
        otlp_endpoint: String::new(),
        sample_ratio: 0.0,
    };
    runtime::telemetry::init("onepool", "off", &settings).unwrap();
    let shop = Shop::open();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = ("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let reply = shop.ask(post("/v1/orders", ORDER).insert_header(parent.clone())).await;
    let passed_on = reply.json()["traceparent"].as_str().unwrap().to_owned();
    assert!(passed_on.starts_with(&format!("00-{trace}-")), "{passed_on}");
    assert!(!passed_on.contains("00f067aa0ba902b7"), "the cause is our span, not the caller's");
    let reply = shop.ask(post("/v1/orders", "{").insert_header(parent)).await;
    assert_eq!(reply.json()["trace_id"], trace);
    let reply = shop.ask(post("/v1/orders", "{").insert_header(("traceparent", "rubbish"))).await;
    assert_eq!(reply.json()["trace_id"].as_str().map(str::len), Some(32));
}
