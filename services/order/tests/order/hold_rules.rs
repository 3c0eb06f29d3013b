//! Rules that hold orders are written as documents, and one of them judges.

use actix_web::test::TestRequest;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Shop};

async fn add(shop: &Shop, rules: Value) -> Answer {
    shop.post("/v1/order-hold-rules", json!({"rules": rules})).await
}

fn of_channel(channel: &str) -> Value {
    json!([{"name": "by channel", "reason": "channel", "when": {"channel": [channel]}}])
}

async fn activate(shop: &Shop, version: i64) -> Answer {
    shop.act(&format!("/v1/order-hold-rules/{version}/activate")).await
}

/// The versions and their states, the newest first.
async fn states(shop: &Shop) -> Vec<(i64, String)> {
    let page = shop.get("/v1/order-hold-rules").await.body;
    let state = |it: &Value| (it["version"].as_i64().unwrap(), it["state"].as_str().unwrap().to_owned());
    page["items"].as_array().unwrap().iter().map(state).collect()
}

#[actix_web::test]
async fn rules_are_drafts_until_one_version_judges() {
    let shop = Shop::new().await;
    let first = add(&shop, of_channel("tmall")).await;
    assert_eq!((first.status, first.location.as_deref()), (201, Some("/v1/order-hold-rules/1")), "{}", first.body);
    assert_eq!((&first.body["state"], &first.body["author"]), (&json!("draft"), &json!("oms")));
    assert_eq!(first.body["rules"], of_channel("tmall"));
    assert_eq!(add(&shop, json!([])).await.body["version"], 2);
    assert_eq!(activate(&shop, 1).await.body["state"], "active");
    assert_eq!(activate(&shop, 1).await.code(), (409, "state_conflict"));
    assert_eq!(activate(&shop, 3).await.code(), (404, "not_found"));
    assert_eq!(activate(&shop, 2).await.status, 200);
    let state = |version, text: &str| (version, text.to_owned());
    assert_eq!(states(&shop).await, [state(2, "active"), state(1, "retired")]);
    // And back.
    let read = shop.get("/v1/order-hold-rules/1").await;
    let request = |etag: &str| {
        let request = TestRequest::post().uri("/v1/order-hold-rules/1/activate");
        request.insert_header(("If-Match", etag.to_owned()))
    };
    assert_eq!(shop.send(&shop.claims("*"), request("\"1\"")).await.code(), (412, "precondition_failed"));
    assert_eq!(shop.send(&shop.claims("*"), request(&read.etag.unwrap())).await.status, 200);
    assert_eq!(states(&shop).await, [state(2, "retired"), state(1, "active")]);
}

#[actix_web::test]
async fn what_is_wrong_with_rules_is_named_where_it_stands() {
    let shop = Shop::new().await;
    let rule = |when: Value| json!([{"name": "n", "reason": "r", "when": when}]);
    let empty = add(&shop, rule(json!({"all": []}))).await;
    assert_eq!((empty.status, empty.fields()), (422, vec!["rules[0].when.all"]), "{}", empty.body);
    let unknown = add(&shop, rule(json!({"moon": "full"}))).await;
    assert_eq!((unknown.status, unknown.fields()), (400, vec!["rules[0].when"]), "{}", unknown.body);
    assert_eq!(states(&shop).await, []);
    let schema = shop.get("/v1/order-hold-rules/schema").await.body;
    assert_eq!(schema["title"], "Rules that hold orders");
    assert!(schema["$defs"]["HoldCondition"].is_object(), "{schema}");
}

#[actix_web::test]
async fn rules_have_permissions_of_their_own() {
    let shop = Shop::new().await;
    let send = async |scope: &str, request: TestRequest| shop.send(&shop.claims(scope), request).await.status;
    let post = || TestRequest::post().uri("/v1/order-hold-rules").set_json(json!({"rules": []}));
    assert_eq!(send("order:write hold_rule:read", post()).await, 403);
    assert_eq!(send("hold_rule:write", post()).await, 201);
    let put = || TestRequest::post().uri("/v1/order-hold-rules/1/activate");
    assert_eq!(send("order:* hold_rule:read", put()).await, 403);
    assert_eq!(send("hold_rule:write", put()).await, 200);
    for path in ["/v1/order-hold-rules", "/v1/order-hold-rules/1", "/v1/order-hold-rules/schema"] {
        assert_eq!(send("hold_rule:read", TestRequest::get().uri(path)).await, 200);
        assert_eq!(send("order:read", TestRequest::get().uri(path)).await, 403);
    }
}

#[actix_web::test]
async fn of_versions_put_in_force_at_once_one_stays() {
    let shop = Shop::new().await;
    let added = join_all((0..6).map(|_| add(&shop, json!([])))).await;
    let mut versions: Vec<i64> = added.iter().map(|it| it.body["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
    let answers = join_all(versions.iter().map(|version| activate(&shop, *version))).await;
    assert!(answers.iter().all(|it| it.status == 200));
    assert_eq!(states(&shop).await.iter().filter(|(_, state)| state == "active").count(), 1);
}

#[actix_web::test]
async fn rules_that_may_not_be_meant_so_are_taken_with_a_warning() {
    let shop = Shop::new().await;
    let amount = |at_least: i64| json!({"amount": {"currency": "CNY", "at_least": at_least}});
    let rule = |name: &str, when: Value| json!({"name": name, "reason": "r", "when": when});
    let both = json!({"all": [{"channel": ["tmall"]}, {"channel": ["jd"]}]});
    let rules = json!([rule("dear", amount(500_000)), rule("two channels", both), rule("all", amount(20_000))]);
    let added = add(&shop, rules).await;
    let expected = json!([
        {"code": "shadowed", "rule": "dear", "by": "all",
         "detail": "rule 'dear' holds only orders that are held by rule 'all'"},
        {"code": "never_holds", "rule": "two channels", "detail": "no order can be like rule 'two channels'"},
    ]);
    assert_eq!((added.status, &added.body["warnings"]), (201, &expected), "{}", added.body);
    assert_eq!(shop.get("/v1/order-hold-rules/1").await.body["warnings"], expected);
    assert_eq!(activate(&shop, 1).await.body["warnings"], expected);
    assert_eq!(add(&shop, of_channel("tmall")).await.body.get("warnings"), None);
}
