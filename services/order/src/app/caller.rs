//! Who asks for a change, and which version of the thing they have seen.

use std::sync::Arc;

use ::store::Tx;
use contracts::Cause;
use kernel::Code;
use kernel::id::OrderId;
use web::{Meta, Principal};

use super::book::{Actor, Book};
use super::refusal::Refusal;
use crate::store::code;

/// The caller of a command.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who, with which scopes.
    pub principal: Arc<Principal>,
    /// What the events of the change carry on.
    pub cause: Cause,
    /// The version they have seen, when they say.
    pub expected_version: Option<i64>,
}

impl Caller {
    /// The caller of a request.
    pub fn of(meta: &Meta) -> Self {
        Self { principal: meta.principal.clone(), cause: meta.cause.clone(), expected_version: meta.if_match }
    }

    /// Refuses a version that the caller has not seen.
    pub fn check_version(&self, current: i64) -> Result<(), Refusal> {
        match self.expected_version {
            Some(expected) if expected != current => Err(Refusal::Stale { current, expected }),
            _ => Ok(()),
        }
    }

    /// Refuses a channel outside the caller's scope.
    pub fn check_channel(&self, channel: &Code) -> Result<(), Refusal> {
        self.principal.require_channel(channel).map_err(Refusal::OutOfScope)
    }

    /// Locks and reads an order that the caller may change, as they have seen it.
    pub fn open(&self, tx: &mut Tx<'_>, id: OrderId) -> Result<Book, Refusal> {
        let book = Book::open(tx, id)?.ok_or_else(|| Refusal::NotFound { what: "order", key: id.to_string() })?;
        self.check_channel(&code(&book.order.channel)?)?;
        self.check_version(book.order.version)?;
        Ok(book)
    }

    /// Refuses a location outside the caller's scope.
    pub fn check_location(&self, location: &Code) -> Result<(), Refusal> {
        self.principal.require_location(location).map_err(Refusal::OutOfScope)
    }

    /// The caller as history names them.
    pub fn actor(&self, reason: Option<String>) -> Actor {
        Actor { name: self.principal.client_id.to_string(), reason }
    }
}
