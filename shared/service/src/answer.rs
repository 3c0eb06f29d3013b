//! Answers of writes, in a form that can be stored with an idempotency key and given again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use serde::Serialize;
use store::Error;
use store::idempotency::StoredAnswer;

/// What a write answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body; empty for 204.
    pub body: String,
    /// The resource's version, told as ETag.
    pub version: Option<i64>,
    /// Where the resource is, when it is new.
    pub location: Option<String>,
}

impl Answer {
    fn with<T: Serialize>(status: u16, body: &T, version: impl Into<Option<i64>>) -> Result<Self, Error> {
        Ok(Self { status, body: serde_json::to_string(body)?, version: version.into(), location: None })
    }

    /// 200 with the resource.
    pub fn ok<T: Serialize>(body: &T, version: impl Into<Option<i64>>) -> Result<Self, Error> {
        Self::with(200, body, version)
    }

    /// 201 with the new resource and where it is.
    pub fn created<T: Serialize>(
        body: &T,
        version: impl Into<Option<i64>>,
        location: impl Into<String>,
    ) -> Result<Self, Error> {
        Ok(Self { location: Some(location.into()), ..Self::with(201, body, version)? })
    }

    /// 202 with the resource: the rest of the work goes on elsewhere.
    pub fn accepted<T: Serialize>(body: &T, version: impl Into<Option<i64>>) -> Result<Self, Error> {
        Self::with(202, body, version)
    }

    /// 204.
    pub const fn no_content() -> Self {
        Self { status: 204, body: String::new(), version: None, location: None }
    }

    /// As it is stored with an idempotency key.
    pub fn to_stored(&self) -> StoredAnswer {
        StoredAnswer { status: self.status, body: self.body.clone(), etag: self.version.map(|v| v.to_string()) }
    }

    /// As it was stored.
    pub fn from_stored(stored: StoredAnswer) -> Self {
        let version = stored.etag.and_then(|text| text.parse().ok());
        Self { status: stored.status, body: stored.body, version, location: None }
    }

    /// As it is sent; a replayed one says so in `Idempotency-Replayed`.
    pub fn respond(self, replayed: bool) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status);
        if let Some(version) = self.version {
            response.insert_header((ETAG, format!("\"{version}\"")));
        }
        if let Some(location) = self.location {
            response.insert_header((LOCATION, location));
        }
        if replayed {
            response.insert_header(("Idempotency-Replayed", "true"));
        }
        if self.body.is_empty() {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(self.body)
    }
}
