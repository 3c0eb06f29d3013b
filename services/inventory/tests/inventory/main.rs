//! The inventory service as its users see it: real routes, tokens, database and events; other services are played by the
//! events they tell.

mod availability;
mod backorders;
mod histories;
mod locations;
mod orders;
mod races;
mod reservations;
mod returns;
mod sourcing;
mod stock;
mod support;
mod zz_bench;
