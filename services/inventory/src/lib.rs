//! One stock pool: locations, balances, reservations, sourcing.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub mod domain;
pub mod store;

/// The pool's tables.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/inventory");
