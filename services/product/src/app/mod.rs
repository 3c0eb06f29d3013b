//! The catalogue's commands.

pub mod put_skus;
