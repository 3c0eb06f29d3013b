//! Writes a channel and tells when it changed.

use contracts::events::ChannelChanged;
use contracts::{Cause, Problem, ProblemCode};
use store::{Error, Tx, outbox};

use crate::domain::channel::{Channel, ChannelStatus};
use crate::store::channels::{self, Stored};

/// Why a channel was not written.
#[derive(Debug)]
pub enum Refusal {
    /// The name breaks a rule.
    Name(String),
    /// Its orders are in another currency already.
    Currency,
    /// It has changed since it was read.
    Stale,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Name(detail) => Self::invalid("name", detail),
            Refusal::Currency => Self::new(ProblemCode::Contradiction)
                .field("currency", "a channel keeps its currency: its orders and books are in it"),
            Refusal::Stale => Self::new(ProblemCode::PreconditionFailed),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// Creates or replaces a channel.
pub fn put_channel(
    tx: &mut Tx<'_>,
    channel: &Channel,
    expected: Option<i64>,
    cause: &Cause,
) -> Result<Stored, Refusal> {
    if let Some(fault) = channel.name_fault() {
        return Err(Refusal::Name(fault));
    }
    let before = channels::find(tx, channel.channel.as_str())?;
    let version = before.as_ref().map_or(0, |stored| stored.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(Refusal::Stale);
    }
    if before.as_ref().is_some_and(|stored| stored.channel.currency != channel.currency) {
        return Err(Refusal::Currency);
    }
    let Some(stored) = channels::upsert(tx, channel)? else {
        return before.ok_or(Refusal::Store(Error::Broken("an unchanged channel was there before")));
    };
    let told = ChannelChanged {
        channel: channel.channel.clone(),
        name: channel.name.clone(),
        currency: channel.currency,
        active: channel.status == ChannelStatus::Active,
        version: stored.version,
    };
    outbox::append(tx, &told, cause)?;
    Ok(stored)
}
