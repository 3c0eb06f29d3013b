//! The words of the trade: ids, codes, money, quantities, rates, time and distance.
//!
//! Everything here is a plain value. Nothing does IO, reads a clock or knows a framework; `utoipa` and `serde` only
//! describe shapes.

pub mod code;
pub mod geo;
pub mod id;
pub mod money;
pub mod page;
pub mod quantity;
pub mod rate;
pub mod state;
pub mod time;

pub use code::{ChannelCode, Code, LocationCode, PayeeCode, SkuCode};
pub use geo::GeoPoint;
pub use money::{Currency, Money};
pub use page::{Cursor, Page, PageRequest};
pub use quantity::Quantity;
pub use rate::{Rate, Rounding, allocate, telescope};
pub use time::{Clock, SharedClock, Timestamp, Window};
