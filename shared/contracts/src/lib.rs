//! What crosses a service boundary: the event envelope, every event payload, the request shapes that services share, and
//! the problems an API answers with.
//!
//! Published shapes only ever grow: each event version has a fixture in `fixtures/<event>/v1.json` that is never edited.
//! No rules live here.

pub mod envelope;
pub mod event_id;
pub mod events;
pub mod problem;
pub mod requests;

pub use envelope::{Cause, Event, Payload, PayloadError};
pub use problem::{FieldError, Problem, ProblemCode};
