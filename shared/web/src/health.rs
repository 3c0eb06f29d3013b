//! Whether the process lives, and whether it can do its work.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use futures_util::future::join_all;
use serde::Serialize;

use crate::answer;

/// A check that takes longer has failed; the usual probe gives up after a second more.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Outcome = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Check = Arc<dyn Fn() -> Outcome + Send + Sync>;

/// What must work for requests to be taken. A clone is the same registry.
#[derive(Clone, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    checks: RwLock<Vec<(String, Check)>>,
    closed: AtomicBool,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// Each check by its name.
    pub checks: Vec<CheckReport>,
}

/// One check of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// What is checked, such as `order.database`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
}

impl Readiness {
    /// A registry without checks, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check. The text of its failure goes to the log alone.
    pub fn register<F, C>(&self, name: impl Into<String>, check: C)
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.inner.checks.write().unwrap_or_else(PoisonError::into_inner).push((name.into(), check));
    }

    /// From now on not ready, whatever the checks say: the process is about to stop.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
    }

    /// Runs every check, all at once.
    pub async fn report(&self) -> Report {
        let checks = self.inner.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let checks = join_all(checks.into_iter().map(|(name, check)| run(name, check))).await;
        let open = !self.inner.closed.load(Ordering::Acquire);
        Report { ready: open && checks.iter().all(|check| check.ok), checks }
    }
}

async fn run(name: String, check: Check) -> CheckReport {
    let outcome = tokio::time::timeout(CHECK_TIMEOUT, check()).await;
    let failure = match outcome {
        Ok(Ok(())) => return CheckReport { name, ok: true },
        Ok(Err(failure)) => failure,
        Err(_) => "it did not answer in time".to_owned(),
    };
    tracing::warn!(check.name = name, failure, "a readiness check failed");
    CheckReport { name, ok: false }
}

/// `/livez`: it answers, so it lives.
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok")
}

/// `/readyz`: 200 where requests should be sent here, 503 where not.
pub(crate) async fn readyz(readiness: Readiness) -> HttpResponse {
    let report = readiness.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(status, &report, None)
}
