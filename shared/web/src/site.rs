//! Everything that is served, put together: what the server and the tests both run.

use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};
use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::gate::Gatekeeper;
use crate::health::{Readiness, livez, readyz};
use crate::keys::Verifier;
use crate::{Limits, Route, Routes, docs, edge, openapi, route};

/// What a site is made of.
pub struct SiteParts {
    /// The services' routes.
    pub routes: Routes,
    /// The services' documents.
    pub openapi: Vec<OpenApi>,
    /// Who verifies tokens.
    pub verifier: Verifier,
    /// What must work for requests to be taken.
    pub readiness: Readiness,
    /// The limits on requests.
    pub limits: Limits,
}

/// A site that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Routes that contradict each other.
    #[error("the routes contradict each other: {}", .0.join("; "))]
    Routes(Vec<String>),
    /// Schemas of different services that have one name.
    #[error("several schemas have the name {}", .0.join(", "))]
    Schemas(Vec<String>),
    /// A document that cannot be written.
    #[error("the OpenAPI document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
}

/// Routes, document, health and limits, ready to be served. A clone is the same site.
#[derive(Clone)]
pub struct Site {
    routes: Arc<[Route]>,
    document: Arc<OpenApi>,
    written: Bytes,
    keeper: Arc<Gatekeeper>,
    readiness: Readiness,
    limits: Limits,
}

impl Site {
    /// A site out of its parts.
    pub fn new(parts: SiteParts) -> Result<Self, SiteError> {
        let faults = route::faults(&parts.routes);
        if !faults.is_empty() {
            return Err(SiteError::Routes(faults));
        }
        let contradictions = openapi::contradictions(&parts.openapi);
        if !contradictions.is_empty() {
            return Err(SiteError::Schemas(contradictions));
        }
        let document = openapi::document("OnePool", env!("CARGO_PKG_VERSION"), parts.openapi, &parts.routes);
        Ok(Self {
            routes: parts.routes.into(),
            written: docs::written(&document)?,
            document: Arc::new(document),
            keeper: Arc::new(Gatekeeper::new(parts.verifier, &parts.limits)),
            readiness: parts.readiness,
            limits: parts.limits,
        })
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The merged OpenAPI document.
    pub fn document(&self) -> &OpenApi {
        &self.document
    }

    /// What must work for requests to be taken.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Registers everything with an actix application.
    pub(crate) fn configure(&self, config: &mut ServiceConfig) {
        let readiness = self.readiness.clone();
        config
            .app_data(self.limits)
            .service(Resource::new("/livez").route(web::get().to(livez)))
            .service(Resource::new("/readyz").route(web::get().to(move || readyz(readiness.clone()))));
        // In the order in which they are tried: the routes are what is asked for most.
        route::register(config, &self.routes, &self.keeper);
        docs::register(config, &self.written);
        config.default_service(web::to(edge::unknown_path));
    }
}
