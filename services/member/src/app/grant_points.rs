//! Points are given without a purchase.

use std::collections::BTreeSet;

use contracts::{Cause, Problem};
use kernel::Timestamp;
use kernel::id::{MemberId, uuid_at};
use store::{Error, Tx};

use super::books::{Books, Opener};
use crate::domain::account::{Lot, Operation};
use crate::domain::earning::MAX_POINTS;

/// Points to be given.
pub struct GrantCommand {
    /// To whom.
    pub member: MemberId,
    /// How many.
    pub points: i64,
    /// Why.
    pub reason: String,
    /// When they lapse; none if never.
    pub expires_at: Option<Timestamp>,
    /// What the events carry on.
    pub cause: Cause,
}

/// Why nothing was given.
#[derive(Debug)]
pub enum GrantError {
    /// There is no such member.
    NoMember(MemberId),
    /// Not between 1 and [`MAX_POINTS`].
    Points,
    /// The points would have lapsed already.
    Lapsed,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for GrantError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NoMember(member) => Self::not_found("member", member),
            GrantError::Points => Self::invalid("points", format!("points lie between 1 and {MAX_POINTS}")),
            GrantError::Lapsed => Self::invalid("expires_at", "lies in the past"),
            GrantError::Store(error) => error.into(),
        }
    }
}

/// Gives points; what the member owes is repaid from them first. Answers with the lot.
pub fn grant_points(tx: &mut Tx<'_>, command: &GrantCommand) -> Result<Lot, GrantError> {
    let now = tx.now();
    if !(1..=MAX_POINTS).contains(&command.points) {
        return Err(GrantError::Points);
    }
    if command.expires_at.is_some_and(|at| at <= now) {
        return Err(GrantError::Lapsed);
    }
    let mut books = Books::open(tx, Opener::Requests, &BTreeSet::from([command.member]), None)?;
    if books.balances(command.member).is_none() {
        return Err(GrantError::NoMember(command.member));
    }
    let lot_id = uuid_at(now);
    let lot = Lot {
        lot_id,
        line: None,
        points: command.points,
        remaining: 0,
        lapsed: 0,
        active_since: now,
        expires_at: command.expires_at,
    };
    let operation = Operation::new(format!("grant:{lot_id}"), now).with_note(&command.reason);
    let account = books.account(command.member, &command.cause)?;
    account.grant(&operation, lot);
    let granted = account.new_lots().first().cloned().ok_or(Error::Broken("a grant makes a lot"))?;
    books.close(tx)?;
    Ok(granted)
}
