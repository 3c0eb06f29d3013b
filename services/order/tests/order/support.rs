//! An order service on a database of its own, and what its users and neighbours do to it.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, read_body};
use bus::{ConsumeError, Subscription};
use contracts::envelope::SpecVersion;
use contracts::events::{
    Allocation, BundleComponent, ChannelChanged, LocationChanged, LocationKind, SkuChanged, SkuStatus,
    StockBetterFound, StockSourced,
};
use contracts::{Event, Payload};
use kernel::id::{DecisionId, OrderId, uuid_at};
use kernel::{Code, Currency, GeoPoint, Timestamp};
use runtime::cache::Cache;
use runtime::lifecycle::Lifecycle;
use runtime::settings::Settings;
use serde_json::{Value, json};
use service::{Job, Platform};
use testkit::TestStore;
use uuid::Uuid;
use web::testing::{Credentials, service as site_service};
use web::{Claims, Limits, Readiness, Site, SiteParts};

/// An answer, as far as tests look at it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub location: Option<String>,
    pub body: Value,
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.body)).to_owned()
    }

    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// The fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}

/// The service with its surroundings.
pub struct Shop {
    pub test: TestStore,
    pub site: Site,
    credentials: Credentials,
    consumers: Vec<Subscription>,
    jobs: Vec<Job>,
}

impl Shop {
    /// A shop that knows the channels `tmall` (CNY) and `till` (JPY), the SKUs `A`, `B` and the bundle `SET`, and the
    /// locations `W1`, `W2`, `S1`.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// As [`Shop::new`], with settings of the section `order`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let shop = Self::empty(settings).await;
        shop.hear(&channel("tmall", "CNY", 1)).await;
        shop.hear(&channel("till", "JPY", 1)).await;
        for name in ["A", "B", "CUP", "POT"] {
            shop.hear(&sku(name, &[])).await;
        }
        shop.hear(&sku("SET", &[("CUP", 2), ("POT", 1)])).await;
        for name in ["W1", "W2", "S1"] {
            shop.hear(&location(name)).await;
        }
        shop
    }

    /// A shop that knows nothing yet.
    pub async fn empty(settings: &[(&str, &str)]) -> Self {
        let test = TestStore::new("order", order::DESCRIPTOR.migrations).await;
        let variables = settings.iter().map(|(key, value)| (format!("ONEPOOL__ORDER__{key}"), (*value).to_owned()));
        let settings = Settings::load(&[order::DESCRIPTOR.defaults], None, variables).unwrap();
        let service = order::service(&platform(&test, test.store.clone(), settings)).unwrap();
        let credentials = Credentials::new(test.clock.clone()).unwrap();
        let site = site(service.routes, service.openapi, &credentials);
        Self { test, site, credentials, consumers: service.consumers, jobs: service.jobs }
    }

    /// Another process of the service on the same database.
    pub fn replica(&self) -> Site {
        let options = store::StoreOptions::new(self.test.database.url(), "order");
        let store = store::Store::connect(options, self.test.clock.clone()).unwrap();
        let settings = Settings::load(&[order::DESCRIPTOR.defaults], None, std::iter::empty()).unwrap();
        let service = order::service(&platform(&self.test, store, settings)).unwrap();
        site(service.routes, service.openapi, &self.credentials)
    }

    pub async fn send(&self, claims: &Claims, request: TestRequest) -> Answer {
        self.send_to(&self.site, claims, request).await
    }

    pub async fn send_to(&self, site: &Site, claims: &Claims, request: TestRequest) -> Answer {
        let token = self.credentials.signer().sign(claims).unwrap();
        let app = site_service(site).await;
        let request = request.insert_header(("Authorization", format!("Bearer {token}")));
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (etag, location) = (header("etag"), header("location"));
        let text = read_body(response).await;
        let body =
            serde_json::from_slice(&text).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&text).into()));
        Answer { status, etag, location, body }
    }

    /// The type and the bytes of an answer, where it may be of this type.
    pub async fn bytes(&self, claims: &Claims, path: &str, accept: &str) -> (String, Vec<u8>) {
        let token = self.credentials.signer().sign(claims).unwrap();
        let app = site_service(&self.site).await;
        let request = TestRequest::get().uri(path).insert_header(("Authorization", format!("Bearer {token}")));
        let response = call_service(&app, request.insert_header(("Accept", accept)).to_request()).await;
        let media_type = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
        (media_type, read_body(response).await.to_vec())
    }

    /// What a client with these permissions and no bound may say.
    pub fn claims(&self, scope: &str) -> Claims {
        self.credentials.claims("oms", scope)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(&self.claims("*"), TestRequest::get().uri(path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(&self.claims("*"), TestRequest::default().method(Method::POST).uri(path).set_json(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(&self.claims("*"), TestRequest::default().method(Method::PATCH).uri(path).set_json(body)).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.send(&self.claims("*"), TestRequest::post().uri(path)).await
    }

    /// Hands an event to whoever hears it, as the bus would.
    pub async fn hear<P: Payload>(&self, payload: &P) {
        self.try_hear(payload).await.unwrap();
    }

    pub async fn try_hear<P: Payload>(&self, payload: &P) -> Result<(), ConsumeError> {
        let event = self.event(payload, None);
        let hearer = self.consumers.iter().find(|it| it.events.contains(&P::KIND)).unwrap().clone();
        self.test.store.transact("hear", move |tx| (hearer.handle)(tx, P::KIND, &[event])).await
    }

    /// An event as another service tells it.
    pub fn event<P: Payload>(&self, payload: &P, cause: Option<Uuid>) -> Event {
        let now = self.test.store.now();
        Event {
            specversion: SpecVersion::V1,
            id: uuid_at(now),
            source: "onepool/test".to_owned(),
            kind: P::KIND.to_owned(),
            version: P::VERSION,
            subject: payload.subject(),
            time: now,
            traceparent: None,
            causationid: cause,
            data: serde_json::value::to_raw_value(payload).unwrap(),
        }
    }

    /// Hands an event to everyone who hears it.
    pub async fn deliver(&self, event: &Event) {
        for hearer in self.consumers.iter().filter(|it| it.events.contains(&event.kind.as_str())) {
            let (handle, event) = (hearer.handle.clone(), event.clone());
            let handled = self.test.store.transact("hear", move |tx| handle(tx, &event.kind.clone(), &[event]));
            handled.await.unwrap();
        }
    }

    /// Runs a job once.
    pub async fn run_job(&self, name: &str) {
        let run = self.jobs.iter().find(|job| job.name == name).unwrap().run.clone();
        self.test.store.transact("job", move |tx| run(tx)).await.unwrap();
    }

    /// The only row of a one-number query.
    pub fn number(&self, sql: &str) -> i64 {
        self.test.database.number(&format!("SELECT ({sql})::bigint AS number"))
    }

    /// No order, payment or refund that does not add up.
    pub fn assert_money_adds_up(&self) {
        let payments = r#"SELECT count(*) FROM "order".payments p WHERE p.refunded <>
        (SELECT coalesce(sum(n.amount), 0) FROM "order".refund_parts n
         WHERE n.order_id = p.order_id AND n.sequence = p.sequence)"#;
        let refunds = r#"SELECT count(*) FROM "order".refunds r
        WHERE r.order_id IN (SELECT order_id FROM "order".payments) AND r.total_amount <>
        (SELECT coalesce(sum(n.amount), 0) FROM "order".refund_parts n WHERE n.refund_id = r.refund_id)"#;
        let orders = r#"SELECT count(*) FROM "order".orders o LEFT JOIN
        (SELECT order_id, sum(total_amount) AS total, sum(freight_amount) AS freight
         FROM "order".refunds GROUP BY order_id) r ON r.order_id = o.order_id
        WHERE o.given_back_amount - o.waived_amount <> coalesce(r.total, 0)
        OR (o.waived_amount = 0 AND o.given_back_freight <> coalesce(r.freight, 0))"#;
        let paid = r#"SELECT count(*) FROM "order".orders o LEFT JOIN
        (SELECT order_id, sum(amount - authorised - voided) AS paid, sum(authorised) AS authorised FROM "order".payments GROUP BY order_id) p ON p.order_id = o.order_id
        WHERE (o.payment_terms <> 'settled' OR p.paid IS NOT NULL)
        AND (o.total_amount - o.due_amount - o.waived_amount - o.authorised_amount, o.authorised_amount)
        <> (coalesce(p.paid, 0), coalesce(p.authorised, 0))"#;
        let exchanged = r#"SELECT count(*) FROM "order".returns r LEFT JOIN "order".refunds n ON n.return_id = r.return_id
        WHERE r.exchange_amount <> coalesce(n.exchange_amount, 0) OR r.exchange_amount <>
        (SELECT coalesce(sum(p.amount), 0) FROM "order".payments p
         WHERE p.method = 'exchange' AND p.reference = r.return_id::text AND p.order_id = r.exchange_order_id)"#;
        let parts = r#"SELECT count(*) FROM "order".refunds r
        WHERE r.order_id IN (SELECT order_id FROM "order".payments) AND r.exchange_amount <>
        (SELECT coalesce(sum(n.exchange_amount), 0) FROM "order".refund_parts n WHERE n.refund_id = r.refund_id)"#;
        let lines = r#"SELECT count(*) FROM "order".orders o JOIN (SELECT order_id, sum(list_amount) AS list,
         sum(discount_amount) AS discount, sum(added_tax_amount) AS tax, sum(paid_amount) AS paid, sum(freight_amount) AS freight
         FROM "order".order_lines GROUP BY order_id) l USING (order_id)
        WHERE (o.list_amount, o.discount_amount, o.added_tax_amount, o.freight_amount, o.total_amount)
        <> (l.list, l.discount, l.tax, l.freight, l.paid + l.freight)"#;
        for sql in [payments, refunds, orders, paid, exchanged, parts, lines] {
            assert_eq!(self.number(sql), 0, "{sql}");
        }
    }

    /// An order in the book that the inventory has answered: `(line, sku, location, quantity)`. Its id.
    pub async fn sourced(&self, number: &str, lines: Value, allocations: &[(i32, &str, &str, i64)]) -> String {
        let id = self.placed(number, lines).await;
        self.hear(&answered(&id, 1, allocations)).await;
        id
    }

    /// An order in the book. Its id.
    pub async fn placed(&self, number: &str, lines: Value) -> String {
        let answer = self.post("/v1/orders", order(number, lines)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }

    /// An order that is with the buyer, all of it from `W1`. Its id.
    pub async fn delivered(&self, number: &str, lines: Value) -> String {
        let wanted: Vec<(i32, String, i64)> = lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                let text = line["sku"].as_str().unwrap().to_owned();
                (i32::try_from(line["line_no"].as_i64().unwrap()).unwrap(), text, line["quantity"].as_i64().unwrap())
            })
            .collect();
        let allocations: Vec<_> = wanted.iter().map(|(no, sku, units)| (*no, sku.as_str(), "W1", *units)).collect();
        let id = self.sourced(number, lines, &allocations).await;
        for fulfilment in self.fulfilments(&id).await {
            for step in ["accept", "ship", "deliver"] {
                let answer = self.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
                assert_eq!(answer.status, 200, "{step}: {}", answer.body);
            }
        }
        id
    }

    /// An order as it is read.
    pub async fn order(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/orders/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The ids of an order's fulfilment orders, by location.
    pub async fn fulfilments(&self, id: &str) -> Vec<String> {
        let order = self.order(id).await;
        let mut all: Vec<(String, String)> = order["fulfilments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["location"].as_str().unwrap().to_owned(), it["id"].as_str().unwrap().to_owned()))
            .collect();
        all.sort();
        all.into_iter().map(|(_, id)| id).collect()
    }
}

fn platform(test: &TestStore, store: store::Store, settings: Settings) -> Platform {
    Platform {
        store,
        clock: test.clock.clone(),
        cache: Cache::connect(&settings.section("cache").unwrap()).unwrap(),
        lifecycle: Lifecycle::new(),
        zone: chrono_tz::Asia::Shanghai,
        settings: Arc::new(settings),
        data_dir: std::env::temp_dir(),
    }
}

fn site(routes: web::Routes, openapi: utoipa::openapi::OpenApi, credentials: &Credentials) -> Site {
    let parts = SiteParts {
        routes,
        openapi: vec![openapi],
        verifier: credentials.verifier(),
        readiness: Readiness::new(),
        limits: Limits::default(),
    };
    Site::new(parts).unwrap()
}

/// An order of `tmall` with these lines.
pub fn order(number: &str, lines: Value) -> Value {
    json!({
        "channel": "tmall", "channel_order_no": number, "placed_at": "2026-11-11T00:00:00+08:00", "currency": "CNY",
        "buyer": {"identities": [{"type": "phone", "value": "+8613800138000"}], "name": "王小明"},
        "fulfilment": {"type": "ship", "ship_to": {"country": "CN", "province": "上海市", "latitude": 31.23, "longitude": 121.47}},
        "lines": lines,
    })
}

/// Fen.
pub fn fen(amount: i64) -> Value {
    json!({"amount": amount, "currency": "CNY"})
}

/// A line of so many units at a price in fen.
pub fn line(line_no: i32, sku: &str, quantity: i64, price: i64) -> Value {
    json!({"line_no": line_no, "sku": sku, "quantity": quantity, "unit_price": fen(price)})
}

pub fn code(text: &str) -> Code {
    text.parse().unwrap()
}

pub fn channel(name: &str, currency: &str, version: i64) -> ChannelChanged {
    let currency: Currency = currency.parse().unwrap();
    ChannelChanged { channel: code(name), name: name.to_owned(), currency, active: true, version }
}

pub fn sku(name: &str, bundle: &[(&str, i64)]) -> SkuChanged {
    let part =
        |(sku, quantity): &(&str, i64)| BundleComponent { sku: code(sku), quantity: (*quantity).try_into().unwrap() };
    SkuChanged {
        sku: code(name),
        name: name.to_owned(),
        status: SkuStatus::Active,
        category: Some("tea".to_owned()),
        brand: None,
        weight_grams: None,
        bundle: bundle.iter().map(part).collect(),
        version: 1,
    }
}

pub fn location(name: &str) -> LocationChanged {
    LocationChanged {
        location: code(name),
        name: name.to_owned(),
        kind: LocationKind::Warehouse,
        owner: None,
        point: GeoPoint::new(31.0, 121.0).unwrap(),
        active: true,
        takes_returns: None,
        version: 1,
    }
}

/// The inventory's answer: `(line, sku, location, quantity)`.
pub fn answered(order: &str, attempt: i32, allocations: &[(i32, &str, &str, i64)]) -> StockSourced {
    let allocation = |(line_no, sku, location, quantity): &(i32, &str, &str, i64)| Allocation {
        line_no: *line_no,
        sku: code(sku),
        location: code(location),
        quantity: (*quantity).try_into().unwrap(),
    };
    let order_id: OrderId = order.parse().unwrap();
    let at = Timestamp::EPOCH;
    StockSourced {
        order_id,
        decision_id: DecisionId::at(at),
        attempt,
        allocations: allocations.iter().map(allocation).collect(),
        sourced_at: at,
        answers_version: None,
    }
}

/// The inventory asks whether these, `(line, sku, location, quantity)`, may move to `S1`.
pub fn better(order: &str, attempt: i32, allocations: &[(i32, &str, &str, i64)]) -> StockBetterFound {
    let now = answered(order, attempt, allocations);
    StockBetterFound {
        order_id: now.order_id,
        attempt,
        allocations: now.allocations,
        better: vec![code("S1")],
        gain_metres: 30_000,
        fewer_parts: 0,
        found_at: Timestamp::EPOCH,
    }
}
