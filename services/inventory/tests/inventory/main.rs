//! The inventory service as its users see it: real routes, tokens, database and events; other services are played by the
//! events they tell.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod availability;
mod backorders;
mod capacity;
mod counters;
mod counts;
mod document_histories;
mod documents;
mod extending;
mod extending_histories;
mod extending_lost;
mod histories;
mod history;
mod locations;
mod model;
mod moving;
mod orders;
mod promises;
mod proof;
mod races;
mod redirecting;
mod replays;
mod reservations;
mod restating;
mod returns;
mod rulesets;
mod shadows;
mod sharing;
mod shipping_to_stores;
mod sourcing;
mod spans;
mod stock;
mod support;
mod telling;
mod tills;
mod waiting;
