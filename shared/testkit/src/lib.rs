//! What tests stand on: a database and a broker of their own on real servers, a clock that tests move, links that tests
//! break, a collector of traces, and the one way to wait for something.
//!
//! The servers' addresses come from the environment; `tests/servers run cargo test …` starts them and sets it. Nothing
//! here is linked into the product, and nothing here imitates a part of it.

pub mod broker;
pub mod clock;
pub mod collector;
pub mod database;
pub mod migrations;
pub mod proxy;
pub mod service;
pub mod wait;
pub mod world;

pub use broker::TestBroker;
pub use clock::ManualClock;
pub use collector::{CollectedSpan, Collector};
pub use database::{TestDatabase, TestStore, outbox_events, told};
pub use proxy::FaultProxy;
pub use service::{Reply, TestService, event};
pub use wait::{DEADLINE, eventually};
pub use world::{Faults, World};

/// The address of a test server.
fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `make test`, or `tests/servers run cargo test -p <crate>`")
    })
}

/// The address of the Redis of this test run; tests share it, so their keys must be their own.
pub fn redis_url() -> String {
    address("ONEPOOL_TEST_REDIS")
}

/// A name no other test has.
fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", kernel::id::uuid_at(kernel::Timestamp::EPOCH).simple())
}
