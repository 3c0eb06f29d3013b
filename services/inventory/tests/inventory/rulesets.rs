//! Rulesets: written, put to use, and followed by every replica.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{Destination, OrderPlaced};
use kernel::GeoPoint;
use serde_json::{Value, json};
use testkit::Reply;

use crate::support::{Pool, fulfilment_line, order, row};

const PATH: &str = "/v1/sourcing/rulesets";

/// A ruleset by which the farthest priority wins: `S3` before the others.
fn by_priority() -> Value {
    json!({"name": "by priority", "tiers": [{"name": "all", "sort": ["priority"], "split": {"max_parts": 2}}]})
}

async fn add(pool: &Pool, document: Value) -> i64 {
    let reply = pool.service.post(PATH, document).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.body["version"].as_i64().unwrap()
}

async fn put(pool: &Pool, version: i64, verb: &str) -> Reply {
    pool.service.post(&format!("{PATH}/{version}/{verb}"), Value::Null).await
}

async fn states(pool: &Pool) -> BTreeMap<i64, String> {
    let list = pool.service.get(PATH).await.body;
    let items = list["items"].as_array().unwrap().iter();
    items.map(|it| (it["version"].as_i64().unwrap(), it["state"].as_str().unwrap().to_owned())).collect()
}

#[actix_web::test]
async fn the_nearest_is_in_force_until_another_is_activated_and_comes_back() {
    let pool = Pool::new().await;
    pool.location("S3", json!({"longitude": 3.0, "priority": 1})).await;
    pool.receive(&[("A", "S1", 9), ("A", "S3", 9)]).await;
    let nearest = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(nearest).await, [(1, vec![row(1, "A", "S1", 1)])]);
    let version = add(&pool, by_priority()).await;
    assert_eq!(version, 2);
    let still = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(still).await, [(1, vec![row(1, "A", "S1", 1)])]);
    assert_eq!(put(&pool, 2, "activate").await.status, 200);
    let first = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(first).await, [(1, vec![row(1, "A", "S3", 1)])]);
    let hold = pool.hold(&[("A", 1)], json!({})).await;
    assert_eq!(hold.body["lines"][0]["location"], "S3");
    assert_eq!(put(&pool, 1, "activate").await.status, 200);
    let back = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(back).await, [(1, vec![row(1, "A", "S1", 1)])]);
    // Each decision is explained by the ruleset it was made by.
    let body = pool.service.get(&format!("/v1/orders/{first}/sourcing?why_not=S1")).await.body;
    assert_eq!((&body["ruleset"], &body["tier"]), (&json!(2), &json!("all")));
    assert_eq!(body["runner_up"]["margin_priority"], 99);
    assert_eq!((&body["why_not"]["rule"], &body["why_not"]["behind"]), (&json!("priority"), &json!(99)));
    let stored = pool.service.get(&format!("{PATH}/2")).await;
    assert_eq!(body["ruleset_hash"], stored.body["hash"]);
}

#[actix_web::test]
async fn one_is_in_force_and_one_decides_beside_it() {
    let pool = Pool::new().await;
    for name in ["a", "b", "c"] {
        add(&pool, json!({"name": name, "tiers": [{"name": "all"}]})).await;
    }
    assert_eq!(put(&pool, 2, "shadow").await.body["state"], "shadow");
    assert_eq!(put(&pool, 3, "shadow").await.body["state"], "shadow");
    let is = |states: [&str; 4]| (1..).zip(states.map(str::to_owned)).collect::<BTreeMap<i64, String>>();
    assert_eq!(states(&pool).await, is(["active", "retired", "shadow", "draft"]));
    assert_eq!(put(&pool, 3, "activate").await.body["state"], "active");
    assert_eq!(states(&pool).await, is(["retired", "retired", "active", "draft"]));
    let again = put(&pool, 3, "activate").await;
    assert_eq!((again.status, again.body["code"].as_str()), (409, Some("state_conflict")));
    assert_eq!(put(&pool, 3, "shadow").await.status, 409);
    assert_eq!(put(&pool, 9, "activate").await.status, 404);
    let claims = pool.service.credentials.claims("erp", "*");
    let stale = TestRequest::default().method(Method::POST).uri("/v1/sourcing/rulesets/4/activate");
    assert_eq!(pool.service.send_as(&claims, stale.insert_header(("If-Match", "\"7\""))).await.status, 412);
    assert_eq!(pool.service.get(&format!("{PATH}/4")).await.header("ETag"), Some("\"1\""));
}

#[actix_web::test]
async fn what_is_wrong_is_named_at_its_path() {
    let pool = Pool::new().await;
    let wrong = async |document: Value| {
        let reply = pool.service.post(PATH, document).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        let errors = reply.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|it| it["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let kind = json!({"name": "x", "tiers": [{"name": "a"}, {"name": "b", "filters": {"kinds": ["shop"]}}]});
    assert_eq!(wrong(kind).await, ["tiers[1].filters.kinds[0]"]);
    let many = json!({"name": "x", "tiers": [{"name": "a", "sort": [], "split": {"max_parts": 9}}]});
    assert_eq!(wrong(many).await, ["tiers[0].sort", "tiers[0].split.max_parts"]);
    let typo = json!({"name": "x", "tiers": [{"name": "a", "filters": {"radius": 5}}]});
    assert_eq!(wrong(typo).await, ["tiers[0].filters.radius"]);
    let reader = pool.service.credentials.claims("reader", "sourcing:read");
    let refused = pool.service.call_as(&reader, Method::POST, PATH, by_priority()).await;
    assert_eq!(refused.status, 403);
    // One key, one ruleset.
    let claims = pool.service.credentials.claims("erp", "*");
    for _ in 0..2 {
        let request = TestRequest::default().method(Method::POST).uri(PATH).set_json(by_priority());
        let reply = pool.service.send_as(&claims, request.insert_header(("Idempotency-Key", "k"))).await;
        assert_eq!((reply.status, &reply.body["version"]), (201, &json!(2)));
    }
}

#[actix_web::test]
async fn the_examples_are_accepted_and_the_schema_knows_their_fields() {
    let pool = Pool::new().await;
    let examples = pool.service.get(&format!("{PATH}/examples")).await.body;
    assert_eq!(examples.as_array().unwrap().len(), 6);
    for example in examples.as_array().unwrap() {
        add(&pool, example.clone()).await;
    }
    let schema = pool.service.get(&format!("{PATH}/schema")).await.body;
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["additionalProperties"], &schema["required"]), (&json!(false), &json!(["name", "tiers"])));
    let tier = &schema["$defs"]["RulesetTier"];
    assert_eq!((&tier["additionalProperties"], &tier["required"]), (&json!(false), &json!(["name"])));
    assert_eq!(schema["properties"]["tiers"]["items"]["$ref"], "#/$defs/RulesetTier");
    // Every reference leads somewhere within the document.
    let text = schema.to_string();
    for target in text.split("\"$ref\":\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(schema["$defs"].get(target).is_some(), "{target}");
    }
    assert!(!text.contains("components/schemas"));
}

#[actix_web::test]
async fn a_dry_run_may_ask_a_draft() {
    let pool = Pool::new().await;
    pool.location("S3", json!({"longitude": 3.0, "priority": 1})).await;
    pool.receive(&[("A", "S1", 9), ("A", "S3", 9)]).await;
    let version = add(&pool, by_priority()).await;
    let body = json!({"channel": "tmall", "ruleset": version, "lines": [{"sku": "A", "quantity": 1}],
        "fulfilment": {"type": "ship", "ship_to": {"latitude": 0.0, "longitude": 0.0}}});
    let reply = pool.service.post("/v1/sourcing/plans", body.clone()).await;
    assert_eq!(reply.body["winners"], json!(["S3"]), "{}", reply.text);
    let mut unknown = body;
    unknown["ruleset"] = json!(77);
    assert_eq!(pool.service.post("/v1/sourcing/plans", unknown).await.status, 404);
}

#[actix_web::test]
async fn lint_finds_what_cannot_be_meant_so() {
    let pool = Pool::new().await;
    pool.location("O1", json!({"longitude": 0.0, "groups": ["outlet"]})).await;
    let document = json!({"name": "x", "tiers": [
        {"name": "all"}, {"name": "never", "filters": {"groups": ["outlet", "outlt"]}},
        {"name": "busy", "filters": {"regions": ["same_city"], "max_distance_metres": 1000}, "sort": ["load"]}]});
    let version = add(&pool, document).await;
    let findings = put(&pool, version, "lint").await.body["findings"].clone();
    let found: Vec<(String, String, i64)> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let text = |field: &str| it[field].as_str().unwrap().to_owned();
            (text("code"), text("path"), it["count"].as_i64().unwrap())
        })
        .collect();
    let is = |code: &str, path: &str, count: i64| (code.to_owned(), path.to_owned(), count);
    // O1 lies at 0° north, 0° east; S1 is 111 km from it and no nearer to any other.
    let expected = [
        is("no_coordinates", "tiers[0]", 1),
        is("unreachable_tier", "tiers[1]", 0),
        is("nothing_matches", "tiers[1].filters.groups[1]", 0),
        is("no_coordinates", "tiers[1]", 1),
        is("unreachable_tier", "tiers[2]", 0),
        is("no_coordinates", "tiers[2]", 1),
        is("no_region", "tiers[2].filters.regions", 4),
        is("no_capacity", "tiers[2].sort", 4),
        is("no_choice", "tiers[2].filters.max_distance_metres", 0),
        is("no_catch_all", "tiers[2].filters", 0),
    ];
    assert_eq!(found, expected);
}

#[actix_web::test]
async fn regions_and_amounts_of_an_order_reach_the_rules() {
    let pool = Pool::new().await;
    let address = json!({"province": "Jiangsu", "city": "Nanjing"});
    pool.location("S3", json!({"longitude": 3.0, "address": address})).await;
    pool.receive(&[("A", "S1", 1), ("A", "S3", 1)]).await;
    let document = json!({"name": "x", "tiers": [
        {"name": "city", "filters": {"regions": ["same_city"]}},
        {"name": "all", "split": {"max_parts": 2, "min_order_amount": 5000}}]});
    let version = add(&pool, document).await;
    put(&pool, version, "activate").await;
    let of = |units: i64, amount: i64| {
        let mut placed: OrderPlaced = order(&[("A", units)]);
        placed.totals.total_amount = amount;
        placed.fulfilment.destination = Some(Destination {
            city: Some("Nanjing".to_owned()),
            point: Some(GeoPoint::new(0.0, 0.0).unwrap()),
            ..Destination::default()
        });
        placed
    };
    let cheap = pool.place(of(2, 4_999)).await;
    assert_eq!(pool.waits(cheap).await, [(1, vec![("A".to_owned(), 1)])]);
    pool.cancel(cheap, &[], &[]).await.unwrap();
    let dear = pool.place(of(2, 5_000)).await;
    assert_eq!(pool.sourced(dear).await, [(1, vec![row(1, "A", "S1", 1), row(1, "A", "S3", 1)])]);
    pool.cancel(dear, &[], &[]).await.unwrap();
    let ship_to = json!({"city": "Nanjing", "latitude": 0.0, "longitude": 0.0});
    let hold = pool.hold(&[("A", 1)], json!({"ship_to": ship_to})).await;
    assert_eq!(hold.body["lines"][0]["location"], "S3", "{}", hold.text);
    pool.receive(&[("A", "S3", 1)]).await;
    let one = pool.place(of(1, 100)).await;
    assert_eq!(pool.sourced(one).await, [(1, vec![row(1, "A", "S3", 1)])]);
}

#[actix_web::test]
async fn a_part_ships_and_the_rest_waits_before_orders_that_got_nothing() {
    let pool = Pool::new().await;
    let document = json!({"name": "x", "tiers": [{"name": "all", "split": {"max_parts": 2, "partial": true}}]});
    let version = add(&pool, document).await;
    put(&pool, version, "activate").await;
    pool.receive(&[("A", "S1", 2)]).await;
    let waiting = pool.place(order(&[("B", 1)])).await;
    let id = pool.place(order(&[("A", 3), ("B", 1)])).await;
    assert_eq!(pool.sourced(id).await, [(1, vec![row(1, "A", "S1", 2)])]);
    assert_eq!(pool.waits(id).await, [(1, vec![("A".to_owned(), 1), ("B".to_owned(), 1)])]);
    assert_eq!(pool.balance("A", "S1").await, (2, 2, 0, 0));
    // A hold is granted whole or refused.
    assert_eq!(pool.hold(&[("B", 1)], json!({})).await.status, 409);
    pool.receive(&[("B", "S2", 1)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await[1], (2, vec![row(2, "B", "S2", 1)]));
    assert_eq!(pool.sourced(waiting).await, []);
    pool.receive(&[("A", "S3", 5)]).await;
    pool.service.run_job("serve_backorders").await;
    assert_eq!(pool.sourced(id).await[2], (3, vec![row(1, "A", "S3", 1)]));
    // A cancelled rest leaves the queue, and the promises go back.
    let half = pool.place(order(&[("A", 9)])).await;
    assert_eq!(pool.sourced(half).await, [(1, vec![row(1, "A", "S3", 4)])]);
    pool.cancel(half, &[], &[]).await.unwrap();
    assert_eq!(pool.balance("A", "S3").await, (5, 1, 0, 4));
    pool.reject(id, "S3", vec![fulfilment_line(1, "A", 1)]).await.unwrap();
    pool.is_proved().await;
}
