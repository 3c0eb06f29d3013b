//! The API: the real routes, tokens and database.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, read_body};
use contracts::events::PointsChanged;
use runtime::cache::Cache;
use runtime::lifecycle::Lifecycle;
use runtime::settings::Settings;
use serde_json::{Value, json};
use service::Platform;
use testkit::told;
use web::testing::{Credentials, service as site_service};
use web::{Limits, Readiness, Site, SiteParts};

use super::{Shop, phone};

struct Api {
    shop: Shop,
    site: Site,
    credentials: Credentials,
}

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Value,
}

impl Api {
    async fn new() -> Self {
        let shop = Shop::new().await;
        let keys = [("IDENTITY_KEY", "01".repeat(32)), ("MASTER_KEY", "02".repeat(32))];
        let keys = keys.map(|(name, key)| (format!("ONEPOOL__MEMBER__{name}"), key));
        let settings = Settings::load(&[crate::DESCRIPTOR.defaults], None, keys).unwrap();
        let platform = Platform {
            store: shop.test.store.clone(),
            clock: shop.test.clock.clone(),
            cache: Cache::connect(&settings.section("cache").unwrap()).unwrap(),
            lifecycle: Lifecycle::new(),
            zone: chrono_tz::Asia::Shanghai,
            settings: Arc::new(settings),
            data_dir: std::env::temp_dir(),
        };
        let service = crate::service(&platform).unwrap();
        let credentials = Credentials::new(shop.test.clock.clone()).unwrap();
        let parts = SiteParts {
            routes: service.routes,
            openapi: vec![service.openapi],
            verifier: credentials.verifier(),
            readiness: Readiness::new(),
            limits: Limits::default(),
        };
        Self { shop, site: Site::new(parts).unwrap(), credentials }
    }

    async fn send(&self, scope: &str, request: TestRequest) -> Answer {
        let token = self.credentials.token("crm", scope).unwrap();
        let app = site_service(&self.site).await;
        let request = request.insert_header(("Authorization", format!("Bearer {token}")));
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let body = read_body(response).await;
        Answer { status, etag, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("*", TestRequest::get().uri(path)).await
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send("*", TestRequest::default().method(method).uri(path).set_json(body)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    /// The id of a new member with a phone.
    async fn register(&self, number: &str) -> String {
        let answer = self.post("/v1/members", json!({"identities": [{"type": "phone", "value": number}]})).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }
}

#[actix_web::test]
async fn routes_and_document_agree() {
    let api = Api::new().await;
    assert_eq!(web::differences(api.site.routes(), api.site.document()), Vec::<String>::new());
}

#[actix_web::test]
async fn a_member_is_registered_once_and_found_by_every_identity() {
    let api = Api::new().await;
    let body = json!({
        "identities": [{"type": "phone", "value": "138 0013 8000"}, {"type": "wechat_openid", "value": "o1", "issuer": "app"}],
        "profile": {"name": "王小明", "birthday": "1990-05-01"},
    });
    let first = api.post("/v1/members", body.clone()).await;
    assert_eq!((first.status, first.body["tier"].as_str()), (201, Some("silver")));
    let second = api.post("/v1/members", body).await;
    assert_eq!((second.status, &second.body["id"]), (200, &first.body["id"]));
    let found = api.get("/v1/members?identity=phone:%2B8613800138000").await;
    assert_eq!(found.body["items"][0]["id"], first.body["id"]);
    let by_openid = api.get("/v1/members?identity=wechat_openid:o1&issuer=app").await;
    assert_eq!(by_openid.body["items"][0]["profile"]["name"], "王小明");
    assert_eq!(api.get("/v1/members?identity=wechat_openid:o1").await.body["items"], json!([]));
    let member = api.get(&format!("/v1/members/{}", first.body["id"].as_str().unwrap())).await;
    assert_eq!(member.body["identities"][0]["value"], "+8613800138000");
    assert_eq!(member.body["points"]["active"], 0);
}

#[actix_web::test]
async fn resolving_creates_only_when_asked() {
    let api = Api::new().await;
    let ask = |create: bool| {
        api.post("/v1/members/resolve", json!({"identities": [{"type": "jd_pin", "value": "p"}], "create": create}))
    };
    assert_eq!(ask(false).await.status, 404);
    let created = ask(true).await;
    assert_eq!(created.status, 201);
    let found = ask(false).await;
    assert_eq!((found.status, &found.body["id"]), (200, &created.body["id"]));
}

#[actix_web::test]
async fn what_proves_nothing_or_cannot_be_read_is_refused_by_field() {
    let api = Api::new().await;
    let register = |kind: &str, value: &str| {
        let identity = json!({"type": kind, "value": value});
        api.post("/v1/members", json!({"identities": [identity]}))
    };
    let weak = register("payment_account", "h").await;
    assert_eq!((weak.status, weak.body["errors"][0]["field"].as_str()), (422, Some("identities")));
    let masked = register("phone", "138****8000").await;
    assert_eq!((masked.status, masked.body["errors"][0]["field"].as_str()), (422, Some("identities[0]")));
    assert!(!masked.body.to_string().contains("8000"), "a refusal does not repeat personal data");
    assert_eq!(register("passport", "E1").await.status, 422);
}

#[actix_web::test]
async fn a_key_replays_the_answer_without_keeping_personal_data() {
    let api = Api::new().await;
    let send = || {
        let body = json!({"identities": [{"type": "phone", "value": "13800138000"}], "profile": {"name": "王小明"}});
        let request = TestRequest::post().uri("/v1/members").insert_header(("Idempotency-Key", "k1"));
        api.send("*", request.set_json(body))
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    let kept =
        "SELECT count(*) AS number FROM member.idempotency WHERE body LIKE '%王小明%' OR body LIKE '%13800138000%'";
    assert_eq!(api.shop.number(kept), 0);
}

#[actix_web::test]
async fn a_profile_is_changed_field_by_field_against_its_version() {
    let api = Api::new().await;
    let path = format!("/v1/members/{}", api.register("13800138000").await);
    let change = |version: &'static str, body: Value| {
        let request = TestRequest::patch().uri(&path).insert_header(("If-Match", version)).set_json(body);
        api.send("*", request)
    };
    let named = change("\"1\"", json!({"name": "Li Lei", "gender": "m"})).await;
    assert_eq!((named.status, named.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(change("\"1\"", json!({"name": "Han"})).await.status, 412);
    assert_eq!(change("\"2\"", json!({"gender": null})).await.status, 200);
    assert_eq!(api.get(&path).await.body["profile"], json!({"name": "Li Lei"}));
    assert_eq!(change("\"3\"", json!({"name": " "})).await.status, 422);
    assert_eq!(change("\"3\"", json!({"points": 5})).await.status, 400);
}

#[actix_web::test]
async fn identities_are_linked_and_unlinked_by_hand() {
    let api = Api::new().await;
    let (anna, ben) = (api.register("13800138000").await, api.register("13900139000").await);
    let link = |member: &str| {
        let body = json!({"identity": {"type": "till_card", "value": "77"}, "reason": "showed it"});
        api.call(Method::POST, Box::leak(format!("/v1/members/{member}/identities").into_boxed_str()), body)
    };
    assert_eq!(link(&anna).await.status, 200);
    assert_eq!(link(&anna).await.status, 200);
    assert_eq!(link(&ben).await.status, 409);
    let path = format!("/v1/members/{anna}/identities?identity=till_card:77&reason=lost");
    assert_eq!(api.send("*", TestRequest::delete().uri(&path)).await.status, 200);
    assert_eq!(api.send("*", TestRequest::delete().uri(&path)).await.status, 404);
    assert_eq!(link(&ben).await.status, 200);
    let claims = "SELECT count(*) AS number FROM member.identity_evidence WHERE type = 'till_card'";
    assert_eq!(api.shop.number(claims), 3);
}

#[actix_web::test]
async fn an_unknown_field_of_an_identity_is_refused_by_its_path() {
    let api = Api::new().await;
    let member = api.register("13800138000").await;
    let identity = json!({"type": "phone", "value": "13900139000", "colour": "red"});
    let link = json!({"identity": identity, "reason": "said so"});
    let cases = [
        ("/v1/members".to_owned(), json!({"identities": [identity]}), "identities[0].colour"),
        ("/v1/members/resolve".to_owned(), json!({"identities": [identity]}), "identities[0].colour"),
        (format!("/v1/members/{member}/identities"), link, "identity.colour"),
    ];
    for (path, body, field) in cases {
        let answer = api.post(&path, body).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (400, &json!(field)), "{path}");
    }
}

#[actix_web::test]
async fn points_are_read_page_by_page() {
    let api = Api::new().await;
    let (member, order) = api.shop.member_with("13800138000", 50).await;
    let points = api.get(&format!("/v1/members/{member}/points")).await;
    assert_eq!((points.body["active"].as_i64(), points.etag.as_deref()), (Some(50), Some("\"3\"")));
    let lapses = json!([{"points": 50, "expires_at": "2027-12-31T16:00:00Z"}]);
    assert_eq!(points.body["expiring"], lapses);
    let lots = api.get(&format!("/v1/members/{member}/points/lots")).await;
    assert_eq!(lots.body["items"][0]["order_id"], order.order_id.to_string());
    let mut reasons = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/v1/members/{member}/points/entries?limit=1{cursor}")).await;
        reasons.push(page.body["items"][0]["reason"].as_str().unwrap().to_owned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["activated", "earned"]);
    let proof = api.get("/v1/points/proof").await;
    assert_eq!(proof.body["drift"], json!([]));
    assert!(proof.body["checked"].as_i64().unwrap() >= 3);
}

#[actix_web::test]
async fn a_lapse_that_is_not_booked_uses_up_no_version() {
    let api = Api::new().await;
    let (member, _) = api.shop.member_with("13800138000", 50).await;
    api.shop.test.clock.set("2028-01-01T00:00:00+08:00");
    let path = format!("/v1/members/{member}/points");
    let lapsed = api.get(&path).await.body;
    assert_eq!((&lapsed["active"], &lapsed["version"]), (&json!(0), &json!(3)));
    api.shop.hears(&api.shop.order(&[phone("13800138000")], &[("A", 1, 1_000)])).await.unwrap();
    let told: Vec<PointsChanged> = told(&api.shop.test.store).await;
    assert_eq!(told.last().map(|it| it.version), Some(4));
    assert_eq!(api.get(&path).await.body["version"], 4);
}

#[actix_web::test]
async fn points_are_granted_held_and_captured() {
    let api = Api::new().await;
    let member = api.register("13800138000").await;
    let grant = json!({"member_id": member, "points": 100, "reason": "welcome"});
    assert_eq!(api.post("/v1/points/grants", grant).await.status, 201);
    let hold = |points: i64| {
        api.post(
            "/v1/points/holds",
            json!({"member_id": member, "points": points, "reason": "a mug", "ttl_seconds": 60}),
        )
    };
    let held = hold(60).await;
    assert_eq!((held.status, held.body["status"].as_str()), (201, Some("held")));
    let refused = hold(60).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (422, Some("refused_by_rule")));
    let path = format!("/v1/points/holds/{}", held.body["id"].as_str().unwrap());
    assert_eq!(api.post(&format!("{path}/capture"), Value::Null).await.body["status"], "captured");
    assert_eq!(api.post(&format!("{path}/release"), Value::Null).await.status, 409);
    assert_eq!(api.get(&path).await.body["status"], "captured");
    let points = api.get(&format!("/v1/members/{member}/points")).await.body;
    assert_eq!((points["active"].as_i64(), points["held"].as_i64()), (Some(40), Some(0)));
    let too_long = json!({"member_id": member, "points": 1, "reason": "a mug", "ttl_seconds": 604_801});
    assert_eq!(api.post("/v1/points/holds", too_long).await.status, 422);
}

#[actix_web::test]
async fn a_tier_says_what_keeps_it_and_what_comes_next() {
    let api = Api::new().await;
    let (member, _) = api.shop.member_with("13800138000", 2_500).await;
    let tier = api.get(&format!("/v1/members/{member}/tier")).await.body;
    assert_eq!((tier["tier"].as_str(), tier["name"].as_str()), (Some("gold"), Some("金卡")));
    assert_eq!(tier["until"], "2027-11-11T16:00:00Z");
    assert_eq!(tier["to_keep"]["amount"], 200_000);
    assert_eq!(tier["qualifying_amount"]["amount"], 250_000);
    assert_eq!(
        (tier["next"]["tier"].as_str(), tier["next"]["missing"]["amount"].as_i64()),
        (Some("platinum"), Some(750_000))
    );
    api.shop.test.clock.set("2027-11-12T00:00:00+08:00");
    let lost = api.get(&format!("/v1/members/{member}/tier")).await.body;
    assert_eq!((lost["tier"].as_str(), lost["since"].as_str()), (Some("silver"), Some("2027-11-11T16:00:00Z")));
}

#[actix_web::test]
async fn rules_have_versions_and_the_newest_counts() {
    let api = Api::new().await;
    let double = json!({"base": {"points": 2, "per": {"amount": 100, "currency": "CNY"}}});
    let put = |body: Value| api.call(Method::PUT, "/v1/points/rules/default", body);
    let changed = put(double.clone()).await;
    assert_eq!((changed.status, changed.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(put(double).await.etag.as_deref(), Some("\"2\""));
    assert_eq!(api.get("/v1/points/rules/default").await.body["base"]["points"], 2);
    let (member, _) = api.shop.member_with("13800138000", 50).await;
    assert_eq!(api.shop.points(member).await.active, 100);
    assert_eq!(put(json!({"base": {"points": -1, "per": {"amount": 100, "currency": "CNY"}}})).await.status, 422);
    let tiers = json!({"currency": "CNY", "window": {"kind": "lifetime"},
        "tiers": [{"code": "basic", "name": "Basic", "from_amount": 0}, {"code": "plus", "name": "Plus", "from_amount": 5_000}]});
    let program = api.call(Method::PUT, "/v1/tier-programs/default", tiers).await;
    assert_eq!((program.status, program.body["version"].as_i64()), (200, Some(2)));
    let tier = api.get(&format!("/v1/members/{member}/tier")).await.body;
    assert_eq!((tier["tier"].as_str(), &tier["until"]), (Some("plus"), &Value::Null));
    assert_eq!(api.call(Method::PUT, "/v1/points/rules/wechat", json!({"channels": ["wechat"]})).await.status, 201);
}

#[actix_web::test]
async fn a_channel_has_one_rule_and_one_rule_is_for_all_the_others() {
    let api = Api::new().await;
    let put = async |code: &str, channels: &[&str]| {
        api.call(Method::PUT, &format!("/v1/points/rules/{code}"), json!({ "channels": channels })).await
    };
    let refused = async |code: &str, channels: &[&str]| {
        let answer = put(code, channels).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (422, Some("refused_by_rule")), "{}", answer.body);
        assert_eq!(answer.body["errors"][0]["field"], "channels", "{}", answer.body);
        answer.body["errors"][0]["detail"].as_str().unwrap().to_owned()
    };
    // The rule `default`, which comes with the product, is for every channel.
    assert!(refused("second", &[]).await.contains("the rule default is for every channel that no other rule names"));
    assert_eq!(put("shops", &["wechat", "pos"]).await.status, 201);
    assert!(refused("second", &["tmall", "pos"]).await.contains("the rule shops is for the channel pos already"));
    assert!(refused("shops", &[]).await.contains("the rule default"));
    // What a rule gives up another may have.
    assert_eq!(put("shops", &["wechat"]).await.status, 200);
    assert_eq!(put("second", &["tmall", "pos"]).await.status, 201);
    assert_eq!(put("default", &["douyin"]).await.status, 200);
    assert_eq!(put("rest", &[]).await.status, 201);
}

#[actix_web::test]
async fn every_route_asks_for_its_permission() {
    let api = Api::new().await;
    let order = api.shop.order(&[phone("13800138000")], &[("A", 1, 100)]);
    api.shop.hears(&order).await.unwrap();
    let member = api.shop.buyer_of(&order).await.unwrap();
    for (path, scope) in [("", "member:read"), ("/points", "points:read"), ("/tier", "tier:read")] {
        let path = format!("/v1/members/{member}{path}");
        assert_eq!(api.send(scope, TestRequest::get().uri(&path)).await.status, 200, "{path}");
        assert_eq!(api.send("order:read", TestRequest::get().uri(&path)).await.status, 403, "{path}");
    }
    let unknown = format!("/v1/members/{}", order.order_id);
    assert_eq!(api.get(&unknown).await.status, 404);
}
