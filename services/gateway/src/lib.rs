//! The gateway: the edge of OnePool — which channels there are, which machines may call, and the tokens they call with.
//!
//! It owns the schema `gateway` and tells `channel.changed`. Tokens are verified by every service for itself.

mod app;
mod attempts;
pub mod bootstrap;
pub mod domain;
mod http;
pub mod keys;
pub mod revoking;
pub mod settings;
mod store;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use runtime::settings::Faults;
use service::{Descriptor, Platform, Service, housekeeping};
use utoipa::OpenApi;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/gateway");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "gateway",
    defaults: settings::DEFAULTS,
    migrations: &[&::store::MIGRATIONS, &MIGRATIONS],
    hears: &[],
    check: |settings| settings::GatewaySettings::read(settings).map(drop),
    build: service,
};

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, Faults> {
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(platform)?,
        openapi: http::Document::openapi(),
        consumers: Vec::new(),
        jobs: vec![housekeeping()],
    })
}
