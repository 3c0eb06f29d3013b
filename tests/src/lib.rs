//! What the whole-system tests stand on: the real binary in each way it is deployed, a client of its API, a retailer to
//! act as, and the invariants that hold whatever happened.
//!
//! Nothing here knows a service from the inside; what is asserted is what a user sees, or what the database holds.

pub mod api;
pub mod bench;
pub mod checks;
pub mod deployment;
pub mod process;
pub mod queues;
pub mod replay;
pub mod servers;
pub mod shop;
pub mod siege;
pub mod wait;

pub use api::{Answer, Api};
pub use deployment::{Backing, Deployment, ROLES, Topology};
pub use testkit::FaultProxy;
pub use wait::until;
