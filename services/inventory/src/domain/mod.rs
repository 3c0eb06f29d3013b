//! The pure rules of the pool: where things are, what is asked for, and which location fills it. No IO, no clock.

pub mod atlas;
pub mod document;
pub mod gather;
pub mod location;
pub mod plan;
pub mod request;
pub mod share;
pub mod shelf;
mod split;
pub mod why;

pub use atlas::{Atlas, Site, Slot};
pub use location::{Capability, Location, LocationStatus};
pub use plan::{Bar, Candidate, Decision, How, Outcome, Reach, Ruleset, RunnerUp, Snapshot, Verdict, claim_fits, plan};
pub use request::{Claim, ClaimLine, Demand, Line, Part, Request};
pub use shelf::{Shelf, Shelves};

#[cfg(test)]
mod tests;
