//! What a running process is made of: settings, clock, lifecycle, telemetry, cache and secrets.
//!
//! Nothing here knows a service: a section of the settings, a task and a cache key are only names to it.

pub mod cache;
pub mod clock;
pub mod lifecycle;
pub mod secrets;
pub mod settings;
pub mod telemetry;

pub use cache::Cache;
pub use clock::SystemClock;
pub use lifecycle::Lifecycle;
pub use settings::{Faults, Settings};
