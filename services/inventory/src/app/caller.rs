//! Who asks for a change, and which version of the thing they have seen.

use std::sync::Arc;

use kernel::LocationCode;
use web::{Meta, Principal};

use super::refusal::Refusal;

/// The caller of a command.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who, with which scopes.
    pub principal: Arc<Principal>,
    /// The version they have seen, when they say.
    pub expected_version: Option<i64>,
}

impl Caller {
    /// The caller of a request.
    pub fn of(meta: &Meta) -> Self {
        Self { principal: meta.principal.clone(), expected_version: meta.if_match }
    }

    /// Refuses a version that the caller has not seen.
    pub fn check_version(&self, current: i64) -> Result<(), Refusal> {
        match self.expected_version {
            Some(expected) if expected != current => Err(Refusal::Stale { current, expected }),
            _ => Ok(()),
        }
    }

    /// Refuses a location outside the caller's scope.
    pub fn check_location(&self, location: &LocationCode) -> Result<(), Refusal> {
        self.principal.require_location(location).map_err(Refusal::OutOfScope)
    }

    /// The caller as movements name them.
    pub fn name(&self) -> String {
        self.principal.client_id.clone()
    }
}
