//! What a client sees: over actix's own test service, and over a socket where that matters.

mod bulk;
mod gate;
mod health;
mod request;
mod server;
mod token;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service};
use kernel::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::testing::{Credentials, service};
use crate::{
    Access, Data, Failure, Form, Json, Limits, Meta, Path, Principal, Query, RawBody, Readiness, Route, Routes, Site,
    SiteParts, answer, page, with_state,
};

/// A clock that stands until it is moved.
pub(super) struct ManualClock(AtomicI64);

impl ManualClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000_000)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    channel: String,
    lines: Vec<OrderLine>,
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderLine {
    sku: String,
    quantity: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    status: Option<String>,
    weight: Option<u16>,
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    grant_type: String,
    client_id: String,
}

/// A few routes as a service would have them.
fn routes() -> Routes {
    let orders = vec![
        Route::get("/v1/orders", Access::Permission("order:read"), |filter: Query<Filter>| async move {
            let filter = filter.into_inner();
            let (limit, after) = page::<i64>(filter.limit, filter.cursor)?;
            answer_ok(json!({"status": filter.status, "weight": filter.weight, "limit": limit, "after": after}))
        }),
        Route::post("/v1/orders", Access::Permission("order:write"), place),
        Route::get("/v1/orders/{id}", Access::Permission("order:read"), |id: Path<uuid::Uuid>| async move {
            answer::versioned(&json!({"id": *id}), 7)
        }),
        Route::get("/v1/orders/summary", Access::Permission("order:read"), || async { answer::ok(&"summary") }),
        Route::get("/v1/skus/{sku}", Access::Open, |sku: Path<String>| async move { answer::ok(&*sku) }),
        Route::post("/oauth/token", Access::Open, |grant: Form<Grant>| async move { answer::ok(&grant.0) }),
        Route::post("/v1/hook", Access::Open, |body: RawBody| async move { answer::ok(&body.0.len()) }),
        Route::get("/v1/fault", Access::Open, fault),
        Route::get("/v1/who", Access::Permission("who:read"), |who: Principal| async move {
            answer::ok(&json!({"client": who.client_id, "locations": who.location_filter()}))
        }),
    ];
    with_state("the shop".to_owned(), orders)
}

fn answer_ok(body: Value) -> answer::Answer {
    Ok(answer::ok(&body))
}

async fn place(meta: Meta, order: Json<Order>, shop: Data<String>) -> answer::Answer {
    meta.check_version(3)?;
    let body = json!({
        "shop": **shop,
        "lines": order.lines.len(),
        "client": meta.principal.client_id,
        "key": meta.idempotency_key,
        "fingerprint": meta.fingerprint(),
        "traceparent": meta.cause.traceparent,
        "wait": meta.prefer_wait_seconds,
    });
    Ok(answer::created(&body, 3))
}

async fn fault() -> Result<HttpResponse, Failure> {
    Err(Failure::internal("the password of the database is hunter2"))
}

/// A site of these routes with its credentials and its clock.
struct Shop {
    site: Site,
    credentials: Credentials,
    clock: Arc<ManualClock>,
}

impl Shop {
    fn open() -> Self {
        Self::with(routes(), Limits::default())
    }

    fn with(routes: Routes, limits: Limits) -> Self {
        let clock = ManualClock::new();
        let credentials = Credentials::new(clock.clone()).unwrap();
        let parts = SiteParts {
            routes,
            openapi: Vec::new(),
            verifier: credentials.verifier(),
            readiness: Readiness::new(),
            limits,
        };
        Self { site: Site::new(parts).unwrap(), credentials, clock }
    }

    fn token(&self, scope: &str) -> String {
        self.credentials.token("client-1", scope).unwrap()
    }

    async fn send(&self, request: TestRequest) -> Reply {
        let service = service(&self.site).await;
        let response = call_service(&service, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.ok().unwrap().to_vec();
        Reply { status, headers, body }
    }

    /// Sends with a token that may do everything.
    async fn ask(&self, request: TestRequest) -> Reply {
        let token = self.token("*");
        self.send(request.insert_header(("authorization", format!("Bearer {token}")))).await
    }
}

/// An answer as a client sees it.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The code of a problem, after making sure that it is a whole one.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string() && problem["type"].is_string());
        problem["code"].as_str().unwrap().to_owned()
    }
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn post(path: &str, body: impl Into<Vec<u8>>) -> TestRequest {
    let body: Vec<u8> = body.into();
    TestRequest::with_uri(path)
        .method(Method::POST)
        .insert_header(("content-type", "application/json"))
        .set_payload(body)
}

fn per_second(rate: u32, burst: u32) -> Limits {
    let number = |number| NonZeroU32::new(number).unwrap();
    Limits { client_requests_per_second: number(rate), client_request_burst: number(burst), ..Limits::default() }
}
