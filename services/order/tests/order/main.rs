//! The order service as its users see it: real routes, tokens, database and events; other services are played by the
//! events they tell.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod cancelling;
mod changing;
mod completing;
mod counting;
mod exporting;
mod fulfilling;
mod handing_over;
mod hold_queue;
mod holding;
mod intake;
mod lapsing;
mod months;
mod moving;
mod paying;
mod pickups;
mod prepaying;
mod reading;
mod recalling;
mod refunding;
mod returning;
mod searching;
mod service_levels;
mod short_picks;
mod shorting;
mod sourcing;
mod support;
mod till_books;
mod till_days;
mod till_feed;
mod till_poslog;
mod tills;
mod timeline;
mod tracking;
