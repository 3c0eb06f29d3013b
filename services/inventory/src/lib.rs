//! One stock pool: locations, balances, reservations, sourcing.

pub mod domain;
