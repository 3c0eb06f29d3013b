//! Callers who ask for more than they were given: without the permission, or outside their channels, locations, payees.

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::shop::{NewOrder, Shop, places, text};

use crate::{CHANNEL, Victim, victim};

/// Clients with less than everything: id, permissions, and the scope they are bound to.
pub const CLIENTS: [(&str, &[&str], &str); 3] = [
    ("reader", &["order:read", "stock:read"], "{}"),
    ("of-wechat", &["*"], r#"{ "channels": ["wechat"] }"#),
    ("of-hangzhou", &["*"], r#"{ "locations": ["ST-HZ"], "payees": ["guide-wu"] }"#),
];

/// A secret is told once, so it is kept here for the tests.
static SECRETS: std::sync::Mutex<Vec<(String, String)>> = std::sync::Mutex::new(Vec::new());

/// Creates one of the clients.
pub async fn create(shop: &Shop, id: &str, permissions: &[&str], scope: &str) {
    let mut body: Value = serde_json::from_str(scope).expect("a scope");
    body["client_id"] = json!(id);
    body["name"] = json!(format!("The {id}"));
    body["permissions"] = json!(permissions);
    let made = shop.api.post("/v1/clients", &body).await.status(201);
    let mut secrets = SECRETS.lock().expect("nobody panicked here");
    secrets.retain(|(known, _)| known != id);
    secrets.push((id.to_owned(), text(&made["client_secret"])));
}

async fn login(victim: &Victim, id: &str) -> Shop {
    let secret = SECRETS.lock().expect("nobody panicked here").iter().find(|(known, _)| known == id).cloned();
    Shop::new(victim.deployment.client(id, &secret.expect("a client that was created").1).await)
}

fn order(channel: &str) -> Value {
    NewOrder::new(channel, "FOREIGN", places::SHANGHAI).line("TEE", 1, 100).body().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_does_what_they_have_no_permission_for() {
    let (victim, admin) = victim().await;
    let reader = login(&victim, "reader").await;
    reader.api.get("/v1/orders").await.ok();
    let forbidden: [(Method, String, Value); 12] = [
        (Method::POST, "/v1/orders".to_owned(), order(CHANNEL)),
        (Method::POST, format!("/v1/orders/{}/cancel", victim.order), json!({ "reason": "spite" })),
        (Method::POST, "/v1/stock/adjustments".to_owned(), json!([])),
        (Method::POST, "/v1/reservations".to_owned(), json!({})),
        (Method::PUT, "/v1/channels/tmall".to_owned(), json!({})),
        (Method::PUT, "/v1/skus/TEE".to_owned(), json!({})),
        (Method::PUT, "/v1/locations/WH-SH".to_owned(), json!({})),
        (Method::POST, "/v1/points/grants".to_owned(), json!({})),
        (Method::POST, "/v1/rebate/policies".to_owned(), json!({})),
        (Method::POST, "/v1/clients".to_owned(), json!({ "name": "more", "permissions": ["*"] })),
        (Method::GET, "/v1/members?identity=phone:13800138000".to_owned(), json!(null)),
        (Method::GET, "/v1/rebate/balances".to_owned(), json!(null)),
    ];
    for (method, path, body) in forbidden {
        reader.api.send(method, &path, &body, &[]).await.problem(403, "forbidden");
    }
    victim.is_unharmed(&admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_one_channel_sees_and_changes_no_other() {
    let (victim, admin) = victim().await;
    let wechat = login(&victim, "of-wechat").await;
    wechat.api.post("/v1/orders", &order(CHANNEL)).await.problem(403, "forbidden");
    wechat.api.get(&format!("/v1/orders/{}", victim.order)).await.problem(403, "forbidden");
    wechat.api.get("/v1/orders?channel=tmall").await.problem(403, "forbidden");
    assert_eq!(wechat.api.get("/v1/orders").await.ok()["items"], json!([]));
    assert_eq!(wechat.api.get("/v1/returns").await.ok()["items"], json!([]));
    let cancel = format!("/v1/orders/{}/cancel", victim.order);
    wechat.api.post(&cancel, &json!({ "reason": "spite" })).await.problem(403, "forbidden");
    wechat.api.get(&format!("/v1/orders/{}/sourcing", victim.order)).await.problem(403, "forbidden");
    let wanted = json!({ "order_id": victim.order, "lines": [{ "line_no": 1, "quantity": 1 }], "reason": "theft" });
    wechat.api.post("/v1/returns", &wanted).await.problem(403, "forbidden");
    let hold = json!({ "channel": CHANNEL, "lines": [{ "sku": "TEE", "quantity": 1 }], "ttl_seconds": 60,
        "ship_to": { "country": "CN" } });
    wechat.api.post("/v1/reservations", &hold).await.problem(403, "forbidden");
    let channel = json!({ "name": "mine now", "kind": "marketplace", "currency": "CNY" });
    wechat.api.put("/v1/channels/tmall", &channel).await.problem(403, "forbidden");
    // Nobody hands out what they do not have.
    let more = json!({ "name": "more", "permissions": ["*"], "channels": ["tmall"] });
    wechat.api.post("/v1/clients", &more).await.problem(403, "forbidden");
    victim.is_unharmed(&admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_one_location_or_payee_sees_and_changes_no_other() {
    let (victim, admin) = victim().await;
    let hangzhou = login(&victim, "of-hangzhou").await;
    let adjustment = json!([{ "sku": "TEE", "location": "WH-SH", "delta": -1, "reason": "theft" }]);
    hangzhou.api.post("/v1/stock/adjustments", &adjustment).await.problem(403, "forbidden");
    hangzhou.api.get("/v1/stock?location=WH-SH").await.problem(403, "forbidden");
    assert_eq!(hangzhou.api.get("/v1/stock/TEE").await.ok()["items"], json!([]));
    assert_eq!(hangzhou.api.get("/v1/fulfilments").await.ok()["items"], json!([]));
    let found = admin.order(&victim.order).await;
    let fulfilment = text(&found["fulfilments"][0]["id"]);
    hangzhou.api.get(&format!("/v1/fulfilments/{fulfilment}")).await.problem(403, "forbidden");
    for action in ["accept", "ship", "deliver"] {
        let path = format!("/v1/fulfilments/{fulfilment}/{action}");
        hangzhou.api.post(&path, &json!({})).await.problem(403, "forbidden");
    }
    let reject = format!("/v1/fulfilments/{fulfilment}/reject");
    hangzhou.api.post(&reject, &json!({ "reason": "spite" })).await.problem(403, "forbidden");
    let location = json!({ "name": "mine now", "kind": "store", "latitude": 0.0, "longitude": 0.0 });
    hangzhou.api.put("/v1/locations/WH-SH", &location).await.problem(403, "forbidden");
    let lines = hangzhou
        .api
        .post_lines("/v1/stock/import", &[json!({ "sku": "TEE", "location": "WH-SH", "on_hand": 0 })])
        .await;
    assert_eq!(lines[0]["problem"]["code"], "forbidden", "{lines:?}");
    hangzhou.api.get("/v1/rebate/balances?payee=guide-li").await.problem(403, "forbidden");
    hangzhou.api.get("/v1/payees/guide-li").await.problem(403, "forbidden");
    hangzhou.api.get("/v1/rebate/trial-balance").await.problem(403, "forbidden");
    victim.is_unharmed(&admin).await;
}
