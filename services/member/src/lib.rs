//! One person behind every channel: identities, points, tiers.

pub mod domain;
pub mod vault;
