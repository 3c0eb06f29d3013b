//! HTTP: server, problems, extractors, principals, health, metrics, OpenAPI.
//!
//! A service hands over [`Routes`]; everything around a handler is here: the token is verified, the permission checked,
//! the caller rationed, the body bounded, the failure turned into a problem. Nothing here knows a database or a rule.

pub mod answer;
mod body;
mod docs;
mod edge;
mod extract;
mod failure;
mod gate;
mod health;
mod json_schema;
pub mod keys;
mod limits;
pub mod ndjson;
mod openapi;
mod principal;
mod route;
pub mod server;
mod site;
pub mod testing;
#[cfg(test)]
mod tests;
mod trace;

pub use actix_web::web::Data;
pub use answer::Answer;
pub use extract::{Form, Json, Meta, Path, Query, RawBody, page, parse};
pub use failure::{Failure, PROBLEM_JSON};
pub use health::{CheckReport, Readiness, Report};
pub use json_schema::json_schema;
pub use limits::Limits;
pub use openapi::{differences, document, openapi_paths};
pub use principal::{Claims, Permissions, Principal, Scope};
pub use route::{Access, Route, Routes, faults, with_state};
pub use site::{Site, SiteError, SiteParts};
