//! SQL: free functions over `&mut Tx`, each one statement for a whole batch.

pub mod identities;
pub mod locks;
pub mod members;
pub mod points;
pub mod proof;
pub mod purchases;
pub mod rules;
pub mod tiers;
pub mod tills;
