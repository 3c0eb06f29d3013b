//! The edge's commands.

pub mod clients;
pub mod put_channel;
