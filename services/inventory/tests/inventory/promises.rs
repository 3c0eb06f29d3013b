//! Sharing rules that promise too much are saved, and say so.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::support::{Pool, code};

/// Saves a rule under its channel's name; its warnings.
async fn warnings(pool: &Pool, id: &str, rule: Value) -> Value {
    let path = format!("/v1/sharing-rules/{id}");
    let saved = pool.service.put(&path, rule).await;
    assert!([200, 201].contains(&saved.status), "{}", saved.text);
    let read = pool.service.get(&path).await.body;
    assert_eq!(read["warnings"], saved.body["warnings"], "read later it says the same");
    saved.body["warnings"].clone()
}

fn exclusive(channel: &str, sku: Option<&str>, value: i64) -> Value {
    json!({"channel": channel, "scope": sku.map_or(json!({}), |sku| json!({"sku": sku})), "mode": "exclusive", "value": value})
}

#[actix_web::test]
async fn percentages_over_a_hundred_are_warned_of() {
    let pool = Pool::new().await;
    let percentage = |channel: &str, value: i64| json!({"channel": channel, "mode": "percentage", "value": value});
    assert_eq!(warnings(&pool, "tmall", percentage("tmall", 60)).await, Value::Null);
    assert_eq!(warnings(&pool, "jd", percentage("jd", 40)).await, Value::Null);
    let promised = |jd: i64| json!([{"channel": "jd", "rule": "jd", "value": jd}, {"channel": "tmall", "rule": "tmall", "value": 60}]);
    let expected = json!([{"code": "percentages_over_100", "promises": promised(41),
        "detail": "101 percent of everything are promised to 2 channels"}]);
    assert_eq!(warnings(&pool, "jd", percentage("jd", 41)).await, expected);
    // For one SKU more: of it the closer rule counts.
    assert_eq!(warnings(&pool, "jd", percentage("jd", 40)).await, Value::Null);
    let closer = json!({"channel": "jd", "scope": {"sku": "A"}, "mode": "percentage", "value": 70});
    let expected = json!([{"code": "percentages_over_100",
        "promises": [{"channel": "jd", "rule": "jd-a", "value": 70}, {"channel": "tmall", "rule": "tmall", "value": 60}],
        "detail": "130 percent of A are promised to 2 channels"}]);
    assert_eq!(warnings(&pool, "jd-a", closer).await, expected);
    assert_eq!(warnings(&pool, "tmall", percentage("tmall", 60)).await, expected);
    let list = pool.service.get("/v1/sharing-rules").await.body;
    assert!(list["items"].as_array().unwrap().iter().all(|it| it["warnings"].is_null()), "{list}");
}

#[actix_web::test]
async fn ring_fences_that_keep_more_than_there_is_are_warned_of() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 12), ("A", "S2", 8), ("B", "S1", 5), ("CUP", "S1", 30)]).await;
    assert_eq!(warnings(&pool, "live-a", exclusive("live", Some("A"), 14)).await, Value::Null);
    assert_eq!(pool.hold(&[("A", 4)], json!({"channel": "live"})).await.status, 201);
    // 14 less the 4 that are held, and 7, are one more than the 16 that are left.
    let both =
        json!([{"channel": "club", "rule": "club-a", "value": 7}, {"channel": "live", "rule": "live-a", "value": 14}]);
    let expected = json!([{"code": "exclusives_over_stock", "promises": both, "count": 1, "skus": ["A"],
        "detail": "of A 17 units are kept, and 16 can be promised"}]);
    assert_eq!(warnings(&pool, "club-a", exclusive("club", Some("A"), 7)).await, expected);
    assert_eq!(warnings(&pool, "club-a", exclusive("club", Some("A"), 6)).await, Value::Null);
    // What its own locations cannot fill it promises alone: the hold lies at S1, so all 8 at S2 are there.
    let mut near = exclusive("club", Some("A"), 9);
    near["locations"] = json!(["S2"]);
    let expected = json!([{"code": "exclusives_over_stock", "count": 1, "skus": ["A"],
        "promises": [{"channel": "club", "rule": "club-a", "value": 9}],
        "detail": "of A 9 units are kept, and 8 can be promised"}]);
    assert_eq!(warnings(&pool, "club-a", near).await, expected);
}

#[actix_web::test]
async fn a_ring_fence_for_everything_names_what_it_cannot_have() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 20), ("B", "S1", 5), ("CUP", "S1", 9), ("POT", "S1", 30)]).await;
    assert_eq!(warnings(&pool, "club-a", exclusive("club", Some("A"), 15)).await, Value::Null);
    let own = json!({"code": "exclusives_over_stock", "promises": [{"channel": "live", "rule": "live", "value": 10}],
        "count": 2, "skus": ["B", "CUP"], "detail": "of B 10 units are kept, and 5 can be promised"});
    let both = json!({"code": "exclusives_over_stock", "count": 1, "skus": ["A"],
        "promises": [{"channel": "club", "rule": "club-a", "value": 15}, {"channel": "live", "rule": "live", "value": 10}],
        "detail": "of A 25 units are kept, and 20 can be promised"});
    assert_eq!(warnings(&pool, "live", exclusive("live", None, 10)).await, json!([own, both]));
    // A closer rule goes before: of A, live has none for itself.
    let open = json!({"channel": "live", "scope": {"sku": "A"}, "mode": "shared"});
    assert_eq!(warnings(&pool, "live-a", open).await, Value::Null);
    assert_eq!(warnings(&pool, "live", exclusive("live", None, 10)).await, json!([own]));
    let quota = json!({"channel": "jd", "mode": "quota", "value": 1_000_000});
    assert_eq!(warnings(&pool, "jd", quota).await, Value::Null);
}

#[actix_web::test]
async fn a_client_is_not_told_what_other_channels_have() {
    let pool = Pool::new().await;
    let percentage = |channel: &str, value: i64| json!({"channel": channel, "mode": "percentage", "value": value});
    warnings(&pool, "tmall", percentage("tmall", 60)).await;
    let mut claims = pool.service.credentials.claims("shop", "sharing:read sharing:write");
    claims.channels = Some([code("jd")].into());
    let saved = pool.service.call_as(&claims, Method::PUT, "/v1/sharing-rules/jd", percentage("jd", 50)).await;
    let own = json!([{"code": "percentages_over_100", "promises": [{"channel": "jd", "rule": "jd", "value": 50}],
        "detail": "110 percent of everything are promised to 2 channels"}]);
    assert_eq!((saved.status, &saved.body["warnings"]), (201, &own));
    assert_eq!(
        pool.service.call_as(&claims, Method::GET, "/v1/sharing-rules/jd", Value::Null).await.body["warnings"],
        own
    );
}
