//! The order service as its users see it: real routes, tokens, database and events; other services are played by the
//! events they tell.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod adding;
mod adding_by_update;
mod adjusting;
mod authorising;
mod cancelling;
mod changing;
mod completing;
mod counting;
mod coupons;
mod crediting;
mod exchanging;
mod exporting;
mod families;
mod fulfilling;
mod gifts;
mod handing_over;
mod held_intake;
mod hold_buyers;
mod hold_queue;
mod hold_rules;
mod holding;
mod importing;
mod intake;
mod lapsing;
mod lapsing_returns;
mod months;
mod moving;
mod paying;
mod pickups;
mod prepaying;
mod reading;
mod recalling;
mod refunding;
mod restating;
mod return_reasons;
mod returning;
mod returning_at_counters;
mod searching;
mod service_levels;
mod ship_to_store;
mod short_picks;
mod shorting;
mod sourcing;
mod stuck;
mod support;
mod taxes;
mod till_books;
mod till_days;
mod till_feed;
mod till_poslog;
mod tills;
mod timeline;
mod tracking;
