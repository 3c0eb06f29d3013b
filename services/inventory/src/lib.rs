//! The inventory service: one stock pool — locations, balances, reservations, sourcing. It never oversells.
//!
//! It owns the schema `inventory`, hears what happens to orders, tills and SKUs, and tells where orders ship from and how stock
//! changes. It must not know prices, members or payees.

pub mod app;
pub mod consumers;
pub mod domain;
mod http;
mod jobs;
pub mod settings;
pub mod store;

use std::sync::Arc;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use service::{Descriptor, Platform, Service, housekeeping};
use tokio::sync::Notify;
use utoipa::OpenApi;

use crate::app::Pool;
use crate::settings::InventorySettings;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/inventory");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "inventory",
    defaults: include_str!("defaults.toml"),
    migrations: &[&::store::MIGRATIONS, &MIGRATIONS],
    hears: &[consumers::ORDERS, consumers::TILLS, consumers::CATALOG],
    check: |settings| InventorySettings::read(settings).map(drop),
    build: service,
};

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, runtime::settings::Faults> {
    let settings = InventorySettings::read(&platform.settings)?;
    let pool = Arc::new(Pool::new(platform.zone, settings.max_balances_in_memory));
    let stock_arrived = Arc::new(Notify::new());
    let mut jobs = jobs::all(&pool, settings, stock_arrived.clone());
    jobs.push(housekeeping());
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(http::State::new(platform, settings, pool.clone(), stock_arrived)),
        openapi: http::Document::openapi(),
        consumers: vec![consumers::orders(pool), consumers::tills(), consumers::catalog()],
        jobs,
    })
}
