//! One person behind every channel: identities, points, tiers.
//!
//! It owns the schema `member` and hears what happens to orders and tills. Personal data is sealed and never leaves in an event or
//! a log line.

mod app;
mod consumers;
mod domain;
mod http;
mod jobs;
mod settings;
mod store;
mod vault;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use runtime::settings::{Faults, Settings};
use service::{Descriptor, Platform, Service, housekeeping};
use utoipa::OpenApi;

use app::Desk;
use settings::MemberSettings;

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/member");

/// What the binary knows of this service before it is built.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "member",
    defaults: include_str!("defaults.toml"),
    migrations: &[&::store::MIGRATIONS, &ledger::MIGRATIONS, &MIGRATIONS],
    hears: &[consumers::ORDERS, consumers::TILLS],
    check,
    build: service,
};

fn check(settings: &Settings) -> Result<(), Faults> {
    MemberSettings::read(settings).map(|_| ())
}

/// Routes, consumers and jobs of this service.
pub fn service(platform: &Platform) -> Result<Service, Faults> {
    let settings = MemberSettings::read(&platform.settings)?;
    let desk = Desk {
        vault: settings.vault(&platform.data_dir)?,
        region: settings.region()?,
        zone: platform.zone,
        tier_program: settings.tier_program.clone(),
    };
    let holds = http::HoldLimits { default_seconds: settings.hold_seconds, max_seconds: settings.max_hold_seconds };
    Ok(Service {
        name: DESCRIPTOR.name,
        routes: http::routes(platform, desk.clone(), holds),
        openapi: http::Document::openapi(),
        consumers: vec![
            consumers::ORDERS.handled_by(consumers::orders(desk.clone())),
            consumers::TILLS.handled_by(consumers::tills(desk.clone())),
        ],
        jobs: vec![housekeeping(), jobs::lapse_points(), jobs::judge_tiers(desk)],
    })
}

#[cfg(test)]
mod tests;
