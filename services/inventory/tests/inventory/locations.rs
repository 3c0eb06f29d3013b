//! Locations.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::LocationChanged;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Pool, order, row};

#[actix_web::test]
async fn a_location_is_read_as_it_was_written_and_told_when_it_changes() {
    let pool = Pool::new().await;
    let body = json!({"name": "Bund", "kind": "dealer", "owner": "F-1", "latitude": 31.2304, "longitude": 121.4737,
        "address": {"city": "Shanghai", "adcode": "310101"}, "capabilities": ["ship", "return"],
        "hours": [{"days": ["mon", "sat"], "opens": "09:00", "closes": "21:30"}], "cutoff": "16:00",
        "handling_minutes": 45, "daily_capacity": 80, "priority": 5, "status": "inactive"});
    let written = pool.service.put("/v1/locations/BUND", body.clone()).await;
    assert_eq!((written.status, written.header("ETag")), (201, Some("\"1\"")));
    let read = pool.service.get("/v1/locations/BUND").await.body;
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&read[field], value, "{field}");
    }
    // Written again as it is, nothing changes and nothing is told.
    assert_eq!(pool.service.put("/v1/locations/BUND", body).await.header("ETag"), Some("\"1\""));
    let told: Vec<_> = told::<LocationChanged>(&pool.service.test.store).await;
    assert_eq!(
        told.iter()
            .filter(|it| it.location.as_str() == "BUND")
            .map(|it| (it.version, it.active, it.takes_returns))
            .collect::<Vec<_>>(),
        [(1, false, Some(true))]
    );
}

#[actix_web::test]
async fn a_stale_if_match_is_refused() {
    let pool = Pool::new().await;
    let claims = pool.service.credentials.claims("erp", "*");
    let send = |version: &'static str, name: &'static str| {
        let body = json!({"name": name, "kind": "store", "latitude": 0.0, "longitude": 1.0});
        let request = TestRequest::default()
            .method(Method::PUT)
            .uri("/v1/locations/S1")
            .insert_header(("If-Match", version))
            .set_json(body);
        pool.service.send_as(&claims, request)
    };
    assert_eq!(send("\"1\"", "first").await.status, 200);
    assert_eq!(send("\"1\"", "second").await.status, 412);
    assert_eq!(pool.service.get("/v1/locations/S1").await.body["name"], "first");
}

#[actix_web::test]
async fn what_is_not_on_the_earth_or_not_known_is_refused_by_field() {
    let pool = Pool::new().await;
    let north = pool.location("X", json!({"latitude": 91.0})).await;
    assert_eq!((north.status, north.body["errors"][0]["field"].as_str()), (422, Some("latitude")));
    let typo = pool.location("X", json!({"capabilites": []})).await;
    assert_eq!((typo.status, typo.body["errors"][0]["field"].as_str()), (400, Some("capabilites")));
    let typo = pool.location("X", json!({"address": {"citty": "Shanghai"}})).await;
    assert_eq!((typo.status, typo.body["errors"][0]["field"].as_str()), (400, Some("address.citty")));
    let typo = pool.hold(&[("A", 1)], json!({"ship_to": {"citty": "Shanghai"}})).await;
    assert_eq!((typo.status, typo.body["errors"][0]["field"].as_str()), (400, Some("ship_to.citty")));
    assert_eq!(pool.service.get("/v1/locations/X").await.status, 404);
}

#[actix_web::test]
async fn the_nearest_locations_come_first() {
    let pool = Pool::new().await;
    pool.location("W", json!({"longitude": 9.0, "kind": "warehouse"})).await;
    let codes = |body: &Value| -> Vec<String> {
        body["items"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect()
    };
    let near = pool.service.get("/v1/locations?near=0,2.9&limit=3").await;
    assert_eq!(codes(&near.body), ["S3", "S2", "S1"]);
    // A tenth of a degree on the equator: 6,371,008.8 m × π ÷ 1,800 = 11,119.5 m.
    assert_eq!(near.body["items"][0]["distance_metres"], 11_120);
    assert_eq!(codes(&pool.service.get("/v1/locations?kind=warehouse").await.body), ["W"]);
    let first = pool.service.get("/v1/locations?limit=3").await.body;
    let second =
        pool.service.get(&format!("/v1/locations?cursor={}", first["next_cursor"].as_str().unwrap())).await.body;
    assert_eq!((codes(&first), codes(&second)), (vec!["S1".into(), "S2".into(), "S3".into()], vec!["W".to_owned()]));
}

#[actix_web::test]
async fn an_import_answers_every_line() {
    let pool = Pool::new().await;
    let body = r#"{"code":"W1","name":"One","kind":"warehouse","latitude":1,"longitude":1}
{"code":"W2","name":"Two","kind":"warehouse","latitude":100,"longitude":1}
{"code":"S1","name":"S1","kind":"store","latitude":0,"longitude":1}"#;
    let request = TestRequest::post().uri("/v1/locations/import").set_payload(body);
    let reply = pool.service.send_as(&pool.service.credentials.claims("erp", "*"), request).await;
    let answers: Vec<Value> = reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["result"], json!({"code": "W1", "version": 1, "created": true}));
    assert_eq!(answers[1]["problem"]["errors"][0]["field"], "latitude");
    assert_eq!(answers[2]["result"], json!({"code": "S1", "version": 1, "created": false}));
}

#[actix_web::test]
async fn a_closed_location_gets_no_orders_from_then_on() {
    let pool = Pool::new().await;
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    let before = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(before).await, [(1, vec![row(1, "A", "S1", 1)])]);
    pool.location("S1", json!({"longitude": 1.0, "status": "inactive"})).await;
    let after = pool.place(order(&[("A", 1)])).await;
    assert_eq!(pool.sourced(after).await, [(1, vec![row(1, "A", "S2", 1)])]);
}

/// The locations that a hold of so many units lies at, and how many units there; nothing when it is refused.
async fn held(pool: &Pool, units: i64) -> Vec<(String, i64)> {
    let reply = pool.hold(&[("A", units)], json!({})).await;
    let lines = reply.body["lines"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|it| (it["location"].as_str().unwrap().to_owned(), it["quantity"].as_i64().unwrap())).collect()
}

/// Whatever changed between two plans, and in whatever order, the next plan sees all of it.
#[actix_web::test]
async fn a_plan_sees_locations_and_stock_that_changed_together() {
    let pool = Pool::new().await;
    let at = |name: &str, units: i64| vec![(name.to_owned(), units)];
    let (open, shut) = (json!({"longitude": 1.0}), json!({"longitude": 1.0, "status": "inactive"}));
    pool.receive(&[("A", "S1", 5), ("A", "S2", 5)]).await;
    assert_eq!(held(&pool, 1).await, at("S1", 1));

    // One ceases to take part, then stock arrives at it and at another.
    pool.location("S1", shut).await;
    pool.receive(&[("A", "S1", 3), ("A", "S2", 2)]).await;
    assert_eq!(held(&pool, 8).await, []);
    assert_eq!(held(&pool, 7).await, at("S2", 7));

    // Stock leaves it, then it takes part again.
    pool.receive(&[("A", "S1", -4), ("A", "S2", 1)]).await;
    pool.location("S1", open).await;
    assert_eq!(held(&pool, 3).await, at("S1", 3));
    assert_eq!(held(&pool, 2).await, []);

    // It moves farther away than the other, and both get stock; one that was not there before gets some too.
    pool.location("S1", json!({"longitude": 2.5})).await;
    pool.receive(&[("A", "S1", 1), ("A", "S2", 1)]).await;
    assert_eq!(held(&pool, 2).await, at("S2", 2));
    pool.location("S0", json!({"longitude": 0.5})).await;
    pool.receive(&[("A", "S0", 2), ("A", "S1", 1)]).await;
    assert_eq!(held(&pool, 2).await, at("S0", 2));
    assert_eq!(held(&pool, 2).await, at("S1", 2));
    assert_eq!(held(&pool, 1).await, []);
    pool.is_proved().await;
}
