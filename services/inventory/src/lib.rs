//! One stock pool: locations, balances, reservations, sourcing.
