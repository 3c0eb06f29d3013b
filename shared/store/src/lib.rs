//! PostgreSQL: the pool, transactions, and what must commit together with state — outbox, inbox, idempotency.
//!
//! A command is a synchronous function over [`Tx`], the token that only [`Store::transact`] makes. This crate knows
//! neither HTTP nor AMQP.

pub mod batcher;
mod connect;
pub mod dead_letters;
pub mod embedded;
mod error;
pub mod idempotency;
pub mod inbox;
pub mod leadership;
pub mod migrate;
pub mod outbox;
pub mod statement;
mod transact;

pub use batcher::{BatchOptions, Batcher};
pub use connect::{Store, StoreOptions};
pub use error::Error;
pub use leadership::Leadership;
pub use migrate::MIGRATIONS;
pub use statement::statement;
pub use transact::{Beginning, Rows, Tx};
