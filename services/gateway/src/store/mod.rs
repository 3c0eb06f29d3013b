//! The edge's tables.

pub mod channels;
pub mod clients;
