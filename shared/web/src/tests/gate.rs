//! Tokens, permissions, rates, methods and paths.

use super::*;

#[actix_web::test]
async fn a_route_without_a_token_is_refused_unless_it_is_open() {
    let shop = Shop::open();
    let reply = shop.send(get("/v1/orders")).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.problem(), "unauthenticated");
    assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert_eq!(shop.send(get("/v1/skus/A-1")).await.status, 200);
}

#[actix_web::test]
async fn a_token_needs_the_permission_of_the_method() {
    let shop = Shop::open();
    let bearer = |scope: &str| ("authorization", format!("Bearer {}", shop.token(scope)));
    assert_eq!(shop.send(get("/v1/orders").insert_header(bearer("order:read"))).await.status, 200);
    assert_eq!(shop.send(get("/v1/orders").insert_header(bearer("order:*"))).await.status, 200);
    let reply = shop.send(post("/v1/orders", "{}").insert_header(bearer("order:read"))).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.problem(), "forbidden");
    assert!(reply.json()["detail"].as_str().unwrap().contains("order:write"));
}

#[actix_web::test]
async fn the_scheme_may_be_written_in_any_case_but_must_be_bearer() {
    let shop = Shop::open();
    let token = shop.token("*");
    let with = |value: String| get("/v1/orders").insert_header(("authorization", value));
    assert_eq!(shop.send(with(format!("bearer {token}"))).await.status, 200);
    assert_eq!(shop.send(with(token.clone())).await.status, 401);
    assert_eq!(shop.send(with(format!("Basic {token}"))).await.status, 401);
    assert_eq!(shop.send(with("Bearer ".to_owned())).await.status, 401);
}

#[actix_web::test]
async fn the_handler_knows_the_caller_and_its_bounds() {
    let shop = Shop::open();
    let token = shop.credentials.token_at("till-7", "who:read", ["SH-1".parse().unwrap()].into()).unwrap();
    let reply = shop.send(get("/v1/who").insert_header(("authorization", format!("Bearer {token}")))).await;
    assert_eq!(reply.json(), json!({"client": "till-7", "locations": ["SH-1"]}));
}

#[actix_web::test]
async fn a_known_path_with_another_method_is_405_and_names_the_methods() {
    let shop = Shop::open();
    let reply = shop.ask(TestRequest::delete().uri("/v1/orders")).await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.problem(), "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET, POST, HEAD"));
    assert_eq!(shop.send(TestRequest::post().uri("/livez")).await.problem(), "method_not_allowed");
}

#[actix_web::test]
async fn an_unknown_path_is_404() {
    let shop = Shop::open();
    for path in ["/v1", "/v1/nothing", "/v1/orders/", "/v1//orders", "/%ff", "/v1/orders/a/b"] {
        let reply = shop.ask(get(path)).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (404, "not_found"), "{path}");
    }
}

#[actix_web::test]
async fn a_fixed_path_is_not_taken_for_a_parameter() {
    assert_eq!(Shop::open().ask(get("/v1/orders/summary")).await.json(), "summary");
}

#[actix_web::test]
async fn what_can_be_read_can_be_asked_about() {
    let reply = Shop::open().ask(TestRequest::with_uri("/v1/orders").method(Method::HEAD)).await;
    assert_eq!(reply.status, 200);
}

#[actix_web::test]
async fn a_client_beyond_its_rate_is_told_when_to_come_back() {
    let shop = Shop::with(routes(), per_second(1, 3));
    for _ in 0..3 {
        assert_eq!(shop.ask(get("/v1/orders")).await.status, 200);
    }
    let reply = shop.ask(get("/v1/orders")).await;
    assert_eq!(reply.status, 429);
    assert_eq!(reply.problem(), "rate_limited");
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.json()["retry_after_seconds"], 1);
    let other = shop.credentials.token("client-2", "*").unwrap();
    let reply = shop.send(get("/v1/orders").insert_header(("authorization", format!("Bearer {other}")))).await;
    assert_eq!(reply.status, 200, "another client has an allowance of its own");
}

#[actix_web::test]
async fn open_routes_are_rationed_by_address() {
    let shop = Shop::with(routes(), per_second(1, 1));
    let from = |address: &str| get("/v1/skus/A").peer_addr(format!("{address}:4000").parse().unwrap());
    assert_eq!(shop.send(from("10.0.0.1")).await.status, 200);
    assert_eq!(shop.send(from("10.0.0.1")).await.status, 429);
    assert_eq!(shop.send(from("10.0.0.2")).await.status, 200);
}

#[actix_web::test]
async fn more_requests_than_can_be_worked_on_are_turned_away() {
    let shop = Shop::with(routes(), Limits { in_flight: 0, ..Limits::default() });
    let reply = shop.ask(get("/v1/orders")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (503, "unavailable"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(shop.send(get("/livez")).await.status, 200, "health is asked all the same");
}

#[actix_web::test]
async fn internal_text_never_leaves() {
    let reply = Shop::open().send(get("/v1/fault")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (500, "internal"));
    assert!(!reply.text().contains("hunter2"));
}

#[actix_web::test]
async fn every_answer_carries_the_security_headers() {
    let shop = Shop::open();
    for reply in [shop.ask(get("/v1/orders")).await, shop.send(get("/v1/orders")).await, shop.send(get("/no")).await] {
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"));
    }
}

#[test]
fn contradicting_routes_are_all_named() {
    let open = |path| Route::get(path, Access::Open, || async { "" });
    let faults =
        crate::faults(&[open("/a/{id}"), open("/a/{id}"), open("/b/{x}/c"), open("/b/{y}/c"), open("/a/{id}.csv")]);
    assert_eq!(
        faults,
        ["GET /a/{id} is routed twice", "/b/{x}/c and /b/{y}/c are the same path with other parameter names"]
    );
}
