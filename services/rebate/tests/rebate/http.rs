//! Payees, bindings, policies and what finance asks, over HTTP: the real routes, tokens and database.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::http::Method;
use contracts::events::OrderPlaced;
use serde_json::{Value, json};
use testkit::{Reply, TestService};

use crate::world::{World, completed, refund};

/// Posts as one of the clients that have a part in a policy.
async fn post(service: &TestService, client: &str, path: &str, body: Value) -> Reply {
    service.call_as(&service.credentials.claims(client, "*"), Method::POST, path, body).await
}

fn money(amount: i64) -> Value {
    json!({"amount": amount, "currency": "CNY"})
}

/// An order of three units for 100.00 that earned, was completed, and of which one unit came back.
async fn sold_and_partly_returned(world: &World) -> OrderPlaced {
    let order = world.sold(&[(3, 10_000)]).await;
    world.hear(&completed(&order)).await.unwrap();
    world.hear(&refund(&order, &[(1, 1)])).await.unwrap();
    order
}

#[actix_web::test]
async fn routes_and_document_agree() {
    let api = World::empty().await.service;
    assert_eq!(web::differences(api.site.routes(), api.site.document()), Vec::<String>::new());
}

#[actix_web::test]
async fn a_payee_is_registered_changed_and_listed() {
    let api = World::empty().await.service;
    let put = |body| api.put("/v1/payees/G1", body);
    let created = put(json!({"name": "Li Lei", "kind": "guide"})).await;
    assert_eq!((created.status, created.header("etag")), (201, Some("\"1\"")));
    assert_eq!(created.body["status"], "active");
    assert_eq!(put(json!({"name": "Li Lei", "kind": "guide"})).await.header("etag"), Some("\"1\""));
    let changed = put(json!({"name": "Li Lei", "kind": "guide", "status": "inactive"})).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    assert_eq!(api.get("/v1/payees/G1").await.body["status"], "inactive");
    assert_eq!(api.get("/v1/payees?kind=guide").await.body["items"][0]["code"], "G1");
    assert_eq!(api.get("/v1/payees/G9").await.status, 404);
    assert_eq!(put(json!({"name": "Li Lei", "kind": "king"})).await.status, 400);
}

#[actix_web::test]
async fn a_guide_is_handed_over_and_a_performance_store_is_not() {
    let api = World::new().await.service;
    for (code, kind) in [("G2", "guide"), ("S2", "store")] {
        api.put(&format!("/v1/payees/{code}"), json!({"name": code, "kind": kind})).await;
    }
    let member = "01920000-0000-7000-8000-000000000001";
    let bind = |role: &str, payee: &str, from: &str| {
        let body = json!({"role": role, "subject": {"kind": "member", "key": member}, "payee": payee, "from": from});
        api.post("/v1/bindings", body)
    };
    assert_eq!(bind("guide", "GUIDE", "2026-01-01T00:00:00+08:00").await.status, 201);
    assert_eq!(bind("guide", "GUIDE", "2026-01-01T00:00:00+08:00").await.status, 200);
    api.test.clock.advance(Duration::from_secs(1));
    assert_eq!(bind("guide", "G2", "2026-06-01T00:00:00+08:00").await.status, 201);
    let listed = api.get(&format!("/v1/bindings?subject={member}&role=guide")).await.body;
    assert_eq!(listed["items"][0]["until"], "2026-05-31T16:00:00Z");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let past = api.get(&format!("/v1/bindings?subject={member}&at=2026-03-01T00:00:00Z")).await.body;
    assert_eq!(past["items"][0]["payee"], "GUIDE");
    assert_eq!(bind("guide", "GUIDE", "2026-03-01T00:00:00+08:00").await.status, 409);
    assert_eq!(bind("guide", "NOBODY", "2026-07-01T00:00:00+08:00").await.body["code"], "unknown_reference");
    assert_eq!(bind("performance_store", "STORE", "2026-01-01T00:00:00+08:00").await.status, 201);
    assert_eq!(bind("performance_store", "S2", "2026-06-01T00:00:00+08:00").await.body["code"], "refused_by_rule");
}

#[actix_web::test]
async fn a_policy_is_approved_by_another_hand_and_a_new_version_ends_the_old() {
    let api = World::empty().await.service;
    let document = |rate: i64| json!({"basis": "paid", "shares": [{"role": "guide", "rate_ppm": rate}]});
    let body = json!({"code": "guides", "name": "Guides", "document": document(30_000)});
    let drafted = post(&api, "maker", "/v1/rebate/policies", body.clone()).await;
    assert_eq!((drafted.status, drafted.body["status"].as_str()), (201, Some("draft")));
    assert_eq!(post(&api, "maker", "/v1/rebate/policies", body).await.status, 409);
    let first = format!("/v1/rebate/policies/{}", drafted.body["id"].as_str().unwrap());
    let step = |client: &'static str, path: String| {
        let api = &api;
        async move { post(api, client, &path, Value::Null).await }
    };
    assert_eq!(step("checker", format!("{first}/activate")).await.status, 409);
    assert_eq!(step("maker", format!("{first}/approve")).await.body["code"], "refused_by_rule");
    assert_eq!(step("checker", format!("{first}/approve")).await.status, 200);
    assert_eq!(step("checker", format!("{first}/activate")).await.body["status"], "active");
    let body = json!({"name": "Guides", "document": document(40_000)});
    let second = post(&api, "maker", &format!("{first}/versions"), body).await.body;
    assert_eq!(second["version"], 2);
    let path = format!("/v1/rebate/policies/{}", second["id"].as_str().unwrap());
    step("checker", format!("{path}/approve")).await;
    step("checker", format!("{path}/activate")).await;
    let listed = api.get("/v1/rebate/policies?code=guides").await.body;
    let statuses: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["ended", "active"]);
    let wrong = json!({"code": "x", "name": "x", "document": document(0)});
    let refused = post(&api, "maker", "/v1/rebate/policies", wrong).await;
    assert_eq!(refused.body["errors"][0]["field"], "document.shares[0].rate_ppm");
}

#[actix_web::test]
async fn finance_sees_balances_entries_lines_and_a_trial_balance_that_agree() {
    let world = World::new().await;
    let (api, order) = (&world.service, sold_and_partly_returned(&world).await);
    // 5 % of 100.00 is 5.00; a third of it went back: 1.67.
    let balances = api.get("/v1/rebate/balances?payee=STORE").await.body;
    assert_eq!(
        balances["items"],
        json!([{"payee": "STORE", "accrued": money(0), "payable": money(333), "expense": money(333)}])
    );
    let entries = api.get("/v1/rebate/entries?payee=STORE").await.body;
    let mut told: Vec<(&str, &str, i64)> = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["debit"].as_str().unwrap(),
                entry["credit"].as_str().unwrap(),
                entry["amount"]["amount"].as_i64().unwrap(),
            )
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("accrued", "payable", 500), ("expense", "accrued", 500), ("payable", "expense", 167)]);
    let of_order = api.get(&format!("/v1/rebate/entries?order_id={}", order.order_id)).await.body;
    assert_eq!(of_order["items"].as_array().unwrap().len(), 9);
    let trial = api.get("/v1/rebate/trial-balance").await.body;
    assert_eq!((trial["balanced"].as_bool(), trial["checked"].as_i64()), (Some(true), Some(9)));
    // Two thirds of 3.00 and 2.00 are 2.00 and 1.33; with the store's 3.33 that is 6.66.
    let payable = trial["lines"].as_array().unwrap().iter().find(|line| line["account"] == "payable").unwrap();
    assert_eq!(payable["credit"], money(666));
    assert_eq!(api.get("/v1/rebate/balances?payee=NOBODY").await.status, 404);
}

#[actix_web::test]
async fn a_line_explains_itself() {
    let world = World::new().await;
    let (api, order) = (&world.service, sold_and_partly_returned(&world).await);
    let path = format!("/v1/rebate/lines?order_id={}&payee=STORE&period=2026-11", order.order_id);
    let line = api.get(&path).await.body["items"][0].clone();
    assert_eq!((&line["amount"], &line["reversed"], &line["net"]), (&money(500), &money(167), &money(333)));
    assert_eq!(line["status"], "payable");
    let path = format!("/v1/rebate/lines/{}/explain", line["id"].as_str().unwrap());
    let explained = api.get(&path).await.body;
    assert_eq!(explained["matches"], true);
    assert_eq!(explained["working"]["basis_total"], 10_000);
    assert_eq!(explained["working"]["rounding_remainder_millionths"], 0);
    assert_eq!(explained["policy"]["code"], "main");
    assert_eq!(explained["returns"][0]["amount"], 167);
    assert_eq!(
        explained["attribution"][1],
        json!({
        "role": "store", "source": "order_store", "payee": "STORE", "verdict": "won"})
    );
    let other = api.get("/v1/rebate/lines?period=2026-10").await.body;
    assert_eq!(other["items"], json!([]));
    assert_eq!(api.get("/v1/rebate/lines?period=November").await.status, 422);
}

#[actix_web::test]
async fn lists_come_in_pages_that_miss_nothing() {
    let world = World::new().await;
    let api = &world.service;
    for _ in 0..3 {
        world.sold(&[(1, 10_000)]).await;
    }
    for list in ["lines", "entries"] {
        let mut seen = BTreeSet::new();
        let mut path = format!("/v1/rebate/{list}?limit=4");
        loop {
            let page = api.get(&path).await.body;
            for item in page["items"].as_array().unwrap() {
                assert!(seen.insert(item["id"].to_string()), "twice");
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/rebate/{list}?limit=4&cursor={cursor}");
        }
        assert_eq!(seen.len(), 9, "{list}");
    }
}

#[actix_web::test]
async fn a_client_bound_to_a_payee_sees_that_payee_only() {
    let world = World::new().await;
    let (api, order) = (&world.service, sold_and_partly_returned(&world).await);
    let mut claims = api.credentials.claims("guide app", "rebate:read payee:read");
    claims.payees = Some(BTreeSet::from(["GUIDE".parse().unwrap()]));
    let get = |path: String| {
        let claims = &claims;
        async move { api.call_as(claims, Method::GET, &path, Value::Null).await }
    };
    let lines = get(format!("/v1/rebate/lines?order_id={}", order.order_id)).await.body;
    assert_eq!(lines["items"].as_array().unwrap().len(), 1);
    assert_eq!(lines["items"][0]["payee"], "GUIDE");
    let balances = get("/v1/rebate/balances".to_owned()).await.body;
    assert_eq!(balances["items"].as_array().unwrap().len(), 1);
    assert_eq!(get("/v1/rebate/entries".to_owned()).await.body["items"].as_array().unwrap().len(), 3);
    for forbidden in [
        "/v1/rebate/balances?payee=STORE",
        "/v1/rebate/entries?payee=STORE",
        "/v1/payees/STORE",
        "/v1/rebate/trial-balance",
    ] {
        assert_eq!(get(forbidden.to_owned()).await.status, 403, "{forbidden}");
    }
    let all = api.get(&format!("/v1/rebate/lines?order_id={}&payee=STORE", order.order_id)).await.body;
    let store_line = all["items"][0]["id"].as_str().unwrap();
    assert_eq!(get(format!("/v1/rebate/lines/{store_line}/explain")).await.status, 403);
    let put = api.call_as(&claims, Method::PUT, "/v1/payees/GUIDE", json!({"name": "x", "kind": "guide"})).await;
    assert_eq!(put.status, 403);
}
