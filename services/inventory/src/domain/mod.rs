//! The pure rules of the pool: where things are, what is asked for, and which location fills it. No IO, no clock.

mod allot;
pub mod atlas;
pub mod change;
pub mod compare;
pub mod decision;
pub mod document;
pub mod gather;
pub mod hours;
pub mod improve;
pub mod load;
pub mod location;
pub mod plan;
pub mod promises;
pub mod replay;
pub mod request;
pub mod ruleset;
pub mod share;
pub mod shelf;
mod split;
pub mod tiers;
pub mod why;

pub use atlas::{Atlas, Place, Site, Slot};
pub use decision::{Bar, Candidate, Decision, How, Outcome, RunnerUp, Verdict};
pub use load::Loads;
pub use location::{Capability, Location, LocationStatus};
pub use plan::{Moment, Reach, Snapshot, claim_fits, plan};
pub use request::{Claim, ClaimLine, Demand, Line, Part, Request, add_ordered, regroup};
pub use ruleset::{Rules, Ruleset};
pub use shelf::{Shelf, Shelves};

#[cfg(test)]
mod tests;
