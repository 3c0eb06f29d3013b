//! Pure rules of the edge.

pub mod channel;
pub mod client;
pub mod secret;
