//! One order book: intake, fulfilment, returns.

pub mod domain;
pub mod store;
