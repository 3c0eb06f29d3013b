//! The rules of the order book: pure values and functions. No IO, no clock, no database.

pub mod balance;
pub mod buyer_facts;
pub mod content;
pub mod coupons;
pub mod cover;
pub mod extras;
pub mod faults;
pub mod form;
pub mod gifts;
pub mod give_back;
pub mod hold_lint;
pub mod hold_rule;
pub mod intake;
pub mod line;
pub mod paying;
pub mod payment_terms;
pub mod picking;
pub mod pos;
pub mod return_reason;
pub mod returning;
pub mod service_level;
pub mod state;
pub mod tax;
pub mod timeline;
pub mod tracking;
