//! The rebate service: who earned what, and why — payees, bindings, policies, accruals and the rebate ledger.
//!
//! It owns the schema `rebate`, hears what happens to orders and at tills, and tells `rebate.accrued` and `rebate.reversed`. It must not
//! decide anything about orders, stock or members.

pub mod app;
pub mod consumers;
pub mod domain;
mod http;
pub mod store;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use service::{Descriptor, Platform, Service, housekeeping};
use utoipa::OpenApi;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/rebate");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "rebate",
    defaults: include_str!("defaults.toml"),
    migrations: &[&::store::MIGRATIONS, &ledger::MIGRATIONS, &MIGRATIONS],
    hears: &[consumers::ORDERS, consumers::TILLS],
    check: |_| Ok(()),
    build: service,
};

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, runtime::settings::Faults> {
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(platform),
        openapi: http::Document::openapi(),
        consumers: vec![consumers::orders(), consumers::tills()],
        jobs: vec![housekeeping()],
    })
}
