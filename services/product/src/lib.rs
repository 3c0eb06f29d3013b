//! The product service: what may be sold — SKUs with their codes, categories, brands and bundles.
//!
//! It owns the schema `product` and tells `sku.changed`; every other service keeps the part of it that it needs.

mod app;
pub mod domain;
mod http;
mod store;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use service::{Descriptor, Platform, Service, housekeeping};
use utoipa::OpenApi;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/product");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "product",
    defaults: include_str!("defaults.toml"),
    migrations: &[&::store::MIGRATIONS, &MIGRATIONS],
    hears: &[],
    check: |_| Ok(()),
    build: service,
};

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, runtime::settings::Faults> {
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(platform),
        openapi: http::Document::openapi(),
        consumers: Vec::new(),
        jobs: vec![housekeeping()],
    })
}
