//! What a command wants to know about its request beside the body.

use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, IF_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use contracts::{Cause, Problem, ProblemCode};
use sha2::{Digest, Sha256};

use crate::{Failure, Limits, Principal};

/// The longest idempotency key: a UUID, a hash or an order number with a prefix all fit.
pub const MAX_IDEMPOTENCY_KEY_LENGTH: usize = 255;

/// Makes a POST happen once.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Wishes of the caller (RFC 7240).
static PREFER: HeaderName = HeaderName::from_static("prefer");

/// The request's headers and caller, as commands need them.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// What every event caused by this request carries on.
    pub cause: Cause,
    /// The version in the `If-Match` header; `*` counts as none.
    pub if_match: Option<i64>,
    /// How long `Prefer: wait=n` asks to wait, at most [`Limits::wait_seconds`].
    pub prefer_wait_seconds: Option<u32>,
    target: String,
    body: BodyDigest,
}

impl Meta {
    /// What the request asks for, as a hash in hex: method, path, query and body. Complete once the handler runs.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.target.as_bytes());
        hash.update([0]);
        hash.update(self.body.0.get().map_or(&[][..], |digest| &digest[..]));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Refuses a write to another version than the one that `If-Match` names.
    pub fn check_version(&self, current: i64) -> Result<(), Problem> {
        match self.if_match {
            Some(expected) if expected != current => Err(Problem::new(ProblemCode::PreconditionFailed)
                .detail(format!("the version is {current}, If-Match names {expected}"))),
            _ => Ok(()),
        }
    }

    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self {
            principal: Principal::of(request)?,
            idempotency_key: idempotency_key(request)?,
            cause: Cause { traceparent: runtime::telemetry::current_traceparent(), event: None },
            if_match: if_match(request)?,
            prefer_wait_seconds: prefer_wait(request),
            target: format!("{} {}", request.method(), request.uri()),
            body: BodyDigest::of(request),
        })
    }
}

impl FromRequest for Meta {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request).map_err(Failure::from))
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get(&IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match header.to_str().map(str::trim) {
        Ok(key) if !key.is_empty() && key.len() <= MAX_IDEMPOTENCY_KEY_LENGTH => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(ProblemCode::Malformed).field(
            "Idempotency-Key",
            format!("the key is 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} visible ASCII characters"),
        )),
    }
}

fn if_match(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(header) = request.headers().get(IF_MATCH) else {
        return Ok(None);
    };
    let tag = header.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let version = tag.trim_start_matches("W/").trim_matches('"').parse();
    version.map(Some).map_err(|_| {
        Problem::new(ProblemCode::Malformed).field("If-Match", "name the version as in the ETag, such as \"3\"")
    })
}

/// Preferences are wishes (RFC 7240): one that cannot be read is ignored.
fn prefer_wait(request: &HttpRequest) -> Option<u32> {
    let headers = request.headers().get_all(&PREFER).filter_map(|value| value.to_str().ok());
    let mut preferences = headers.flat_map(|value| value.split([',', ';']));
    let wait = preferences.find_map(|preference| preference.trim().strip_prefix("wait="))?;
    wait.trim().parse().ok().map(|seconds: u32| seconds.min(Limits::of(request).wait_seconds))
}

/// The digest of the body, filled in by the extractor that reads it and shared by those that do not.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyDigest(Arc<OnceLock<[u8; 32]>>);

impl BodyDigest {
    /// The digest of this request's body: the same cell for every extractor.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let mut extensions = request.extensions_mut();
        if let Some(digest) = extensions.get::<Self>() {
            return digest.clone();
        }
        let digest = Self::default();
        extensions.insert(digest.clone());
        digest
    }

    pub(crate) fn set(&self, digest: [u8; 32]) {
        // A request has one body, so a second digest can only be the same one.
        self.0.get_or_init(|| digest);
    }
}
