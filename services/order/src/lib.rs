//! The order service: one order book for every channel — intake, fulfilment, cancelling, returns.
//!
//! It owns the schema `order`, hears where orders ship from, who bought, and what channels, SKUs and locations there are;
//! it tells every step of an order's way. It must not know stock, points or rebates.

pub mod app;
pub mod consumers;
pub mod domain;
mod http;
mod jobs;
pub mod settings;
pub mod store;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use service::{Descriptor, Platform, Service, housekeeping};
use utoipa::OpenApi;

use crate::app::references::References;
use crate::settings::OrderSettings;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/order");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "order",
    defaults: settings::DEFAULTS,
    migrations: &[&::store::MIGRATIONS, &MIGRATIONS],
    hears: &[consumers::SOURCING, consumers::MEMBERS, consumers::REFERENCE, consumers::TIMELINE],
    check: |settings| OrderSettings::read(settings).map(drop),
    build: service,
};

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, runtime::settings::Faults> {
    let settings = OrderSettings::read(&platform.settings)?;
    let rules = settings.rules(platform.zone);
    let references = References::new(platform.store.clone());
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(http::App::start(platform, &settings, references.clone())),
        openapi: http::Document::openapi(),
        consumers: vec![
            consumers::sourcing(rules),
            consumers::members(),
            consumers::reference(references),
            consumers::timeline(),
        ],
        jobs: vec![
            jobs::completion(),
            jobs::folding(),
            jobs::lapsing_offers(rules),
            jobs::pickup_reminders(),
            jobs::lapsing_pickups(rules),
            jobs::lapsing_returns(rules),
            jobs::expiring_unpaid(rules),
            jobs::folding_counts(),
            jobs::counting_stuck(rules),
            jobs::restating(rules),
            jobs::make_partitions(),
            housekeeping(),
        ],
    })
}
