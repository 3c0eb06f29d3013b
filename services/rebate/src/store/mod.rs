//! The rebate service's tables: free functions over `&mut Tx`, set-based where many rows pass.

pub mod attributions;
pub mod bindings;
pub mod credits;
pub mod facts;
pub mod lines;
pub mod locks;
pub mod payees;
pub mod policies;
pub mod tills;
