//! One service on a database of its own: its real routes called with real tokens, its consumers and jobs run on demand.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, read_body};
use bus::{ConsumeError, Subscription};
use contracts::envelope::SpecVersion;
use contracts::{Event, Payload};
use kernel::id::uuid_at;
use kernel::{Clock, Timestamp};
use runtime::cache::Cache;
use runtime::lifecycle::Lifecycle;
use runtime::settings::Settings;
use serde_json::Value;
use serde_json::value::to_raw_value;
use service::{Descriptor, Job, Platform, Progress, Service};
use utoipa::openapi::OpenApi;
use web::keys::Revocations;
use web::testing::Credentials;
use web::{Claims, Limits, Readiness, Routes, Site, SiteParts};

use crate::{ManualClock, TestStore, unique};

/// A service without a socket and without a bus.
pub struct TestService {
    /// Its database and its clock.
    pub test: TestStore,
    /// What it was built from.
    pub platform: Platform,
    /// Who signs the tokens of the test.
    pub credentials: Credentials,
    /// Its routes and its document.
    pub site: Site,
    service: Service,
    data_dir: PathBuf,
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl TestService {
    /// The service with its default settings.
    pub async fn new(descriptor: &Descriptor) -> Self {
        Self::with(descriptor, &[]).await
    }

    /// The service with some settings, as `("ORDER__RETURN_WINDOW_DAYS", "0")`.
    pub async fn with(descriptor: &Descriptor, settings: &[(&str, &str)]) -> Self {
        Self::at(descriptor, settings, ManualClock::new()).await
    }

    /// As [`TestService::with`], with a clock that others share.
    pub async fn at(descriptor: &Descriptor, settings: &[(&str, &str)], clock: Arc<ManualClock>) -> Self {
        let test = TestStore::at(descriptor.name, descriptor.migrations, clock).await;
        let variables = settings.iter().map(|(name, value)| (format!("ONEPOOL__{name}"), (*value).to_owned()));
        let settings = Settings::load(&[descriptor.defaults], None, variables).expect("usable settings");
        let data_dir = std::env::temp_dir().join(unique("onepool"));
        fs::create_dir(&data_dir).expect("the temporary directory can be written to");
        let platform = Platform {
            store: test.store.clone(),
            clock: test.clock.clone(),
            cache: Cache::connect(&settings.section("cache").expect("a [cache]")).expect("a cache in memory"),
            lifecycle: Lifecycle::new(),
            zone: settings.root().expect("a time zone").time_zone,
            settings: Arc::new(settings),
            data_dir: data_dir.clone(),
        };
        let service = (descriptor.build)(&platform).expect("the service can be built");
        let credentials = Credentials::new(test.clock.clone()).expect("a key can be made");
        let site = Site::new(SiteParts {
            routes: service.routes.clone(),
            openapi: vec![service.openapi.clone()],
            verifier: credentials.verifier().heeding(Revocations::new(&platform.cache)),
            readiness: Readiness::new(),
            limits: Limits::default(),
        });
        Self { test, platform, credentials, site: site.expect("routes without contradictions"), service, data_dir }
    }

    /// Calls as a client that may do everything. A body of `Value::Null` is none.
    pub async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        self.call_as(&self.credentials.claims("test", "*"), method, path, body).await
    }

    /// Calls as the client that the token names.
    pub async fn call_as(&self, claims: &Claims, method: Method, path: &str, body: Value) -> Reply {
        let request = TestRequest::default().method(method).uri(path);
        self.send_as(claims, if body.is_null() { request } else { request.set_json(body) }).await
    }

    /// Sends a request with headers of its own as the client that the token names.
    pub async fn send_as(&self, claims: &Claims, request: TestRequest) -> Reply {
        let token = self.credentials.signer().sign(claims).expect("a token can be signed");
        self.send(request.insert_header(("Authorization", format!("Bearer {token}")))).await
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: TestRequest) -> Reply {
        let site = web::testing::service(&self.site).await;
        let response = call_service(&site, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = String::from_utf8_lossy(&read_body(response).await).into_owned();
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// `GET` as a client that may do everything.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Value::Null).await
    }

    /// `POST` as a client that may do everything.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, body).await
    }

    /// `PUT` as a client that may do everything.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, body).await
    }

    /// Lets every subscription that hears the payloads' kind take them, in one transaction each and without the inbox.
    pub async fn hear<P: Payload>(&self, payloads: &[P]) -> Result<(), ConsumeError> {
        let events: Vec<Event> = payloads.iter().map(|payload| event(payload, self.test.clock.now())).collect();
        let hearing = self.service.consumers.iter().filter(|subscription| subscription.events.contains(&P::KIND));
        let handlers: Vec<_> = hearing.map(|subscription| subscription.handle.clone()).collect();
        assert!(!handlers.is_empty(), "{} does not hear {}", self.service.name, P::KIND);
        for handle in handlers {
            let events = events.clone();
            self.test.store.transact("hear", move |tx| handle(tx, P::KIND, &events)).await?;
        }
        Ok(())
    }

    /// Its routes.
    pub fn routes(&self) -> Routes {
        self.service.routes.clone()
    }

    /// How they are described.
    pub fn openapi(&self) -> OpenApi {
        self.service.openapi.clone()
    }

    /// What it hears.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.service.consumers
    }

    /// What it does by itself.
    pub fn jobs(&self) -> &[Job] {
        &self.service.jobs
    }

    /// A job by its name, to be run as a replica of the service runs it.
    pub fn job(&self, name: &str) -> &Job {
        let job = self.service.jobs.iter().find(|job| job.name == name);
        job.unwrap_or_else(|| panic!("{} has no job {name}", self.service.name))
    }

    /// Runs a job until it has nothing left to do.
    pub async fn run_job(&self, name: &str) {
        let job = self.job(name);
        loop {
            let run = job.run.clone();
            let progress = self.test.store.transact(job.name, move |tx| run(tx)).await;
            if progress.expect("the job's step commits") == Progress::Done {
                return;
            }
        }
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        // What stays behind in the temporary directory harms nobody; a failing test must not fail twice.
        let _left_behind = fs::remove_dir_all(&self.data_dir);
    }
}

/// An event as the bus hands it over.
pub fn event<P: Payload>(payload: &P, at: Timestamp) -> Event {
    Event {
        specversion: SpecVersion::V1,
        id: uuid_at(at),
        source: "onepool".to_owned(),
        kind: P::KIND.to_owned(),
        version: P::VERSION,
        subject: payload.subject(),
        time: at,
        traceparent: None,
        causationid: None,
        data: to_raw_value(payload).expect("a payload is JSON"),
    }
}
