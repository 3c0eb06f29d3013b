//! The pure rules of the member service: no IO, no clock, no Diesel.

pub mod account;
pub mod earning;
pub mod identity;
pub mod purchase;
pub mod resolution;
pub mod tier;
