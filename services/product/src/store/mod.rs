//! The catalogue's tables.

pub mod skus;
