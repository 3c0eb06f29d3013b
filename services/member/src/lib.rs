//! One person behind every channel: identities, points, tiers.
//!
//! It owns the schema `member` and hears what happens to orders. Personal data is sealed and never leaves in an event or
//! a log line.

mod app;
mod consumers;
mod domain;
mod jobs;
mod settings;
mod store;
mod vault;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The service's own migrations.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/member");

#[cfg(test)]
mod tests;
