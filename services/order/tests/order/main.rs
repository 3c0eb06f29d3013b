//! The order service as its users see it: real routes, tokens, database and events; other services are played by the
//! events they tell.

mod cancelling;
mod completing;
mod fulfilling;
mod intake;
mod reading;
mod returning;
mod sourcing;
mod support;
