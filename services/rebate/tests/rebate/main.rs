//! The rebate service on a real database: what is earned and goes back, and what is answered over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod adding;
mod crediting;
mod http;
mod journey;
mod tills;
mod world;
