//! The commands: one file each, synchronous, over an open transaction.

pub mod adjust_stock;
pub mod availability;
pub mod caller;
pub mod cancel_count;
pub mod cancel_transfer;
pub mod change_reservations;
pub mod change_rulesets;
pub mod close_receipt;
pub mod delivery;
pub mod draft;
pub mod expect_receipt;
pub mod picture;
pub mod plan_order;
pub mod pool;
pub mod prove_stock;
pub mod receive_goods;
pub mod receive_returns;
pub mod refusal;
pub mod release_orders;
pub mod request_transfer;
pub mod reserve_stock;
pub mod resource_orders;
pub mod save_locations;
pub mod save_sharing_rules;
pub mod serve_backorders;
pub mod ship_orders;
pub mod ship_transfer;
pub mod source_orders;
pub mod start_count;
pub mod submit_count;
pub mod sweep_reservations;
pub mod tell_availability;
pub mod tell_stock;
pub mod waterfall;

pub use draft::Draft;
pub use pool::{Desk, Planned, Pool};
