//! Points are set aside for a redemption, which then happens, or does not, or is undone.

use std::collections::BTreeSet;

use contracts::{Cause, Problem, ProblemCode};
use kernel::id::{MemberId, uuid_at};
use store::{Error, Tx};
use uuid::Uuid;

use super::books::{Books, Opener};
use super::lapse::lapse;
use crate::domain::account::Operation;
use crate::domain::earning::MAX_POINTS;
use crate::store::locks::lock_members;
use crate::store::points::{self, AlsoLots, HoldRow};

/// Points to be set aside.
pub struct HoldCommand {
    /// Whose.
    pub member: MemberId,
    /// How many.
    pub points: i64,
    /// For how long.
    pub seconds: u32,
    /// What for.
    pub reason: String,
    /// The client's own key.
    pub reference: Option<String>,
    /// What the events carry on.
    pub cause: Cause,
}

/// What becomes of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStep {
    /// The redemption happened.
    Capture,
    /// It did not.
    Release,
    /// It happened, and was undone.
    Reverse,
}

impl HoldStep {
    /// From which status it leads to which.
    const fn statuses(self) -> (&'static str, &'static str) {
        match self {
            Self::Capture => ("held", "captured"),
            Self::Release => ("held", "released"),
            Self::Reverse => ("captured", "reversed"),
        }
    }
}

/// Why it was not done.
#[derive(Debug)]
pub enum HoldError {
    /// There is no such member.
    NoMember(MemberId),
    /// There is no such hold.
    NoHold(Uuid),
    /// Not between 1 and [`MAX_POINTS`].
    Points,
    /// There are fewer points.
    TooFew(i64),
    /// The hold's status does not allow the step.
    Status(String),
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for HoldError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NoMember(member) => Self::not_found("member", member),
            HoldError::NoHold(hold) => Self::not_found("hold", hold),
            HoldError::Points => Self::invalid("points", format!("points lie between 1 and {MAX_POINTS}")),
            HoldError::TooFew(available) => {
                Self::new(ProblemCode::RefusedByRule).field("points", format!("{available} points are active"))
            }
            HoldError::Status(status) => Self::new(ProblemCode::StateConflict).detail(format!("the hold is {status}")),
            HoldError::Store(error) => error.into(),
        }
    }
}

/// Sets points aside, the first to lapse first.
pub fn hold_points(tx: &mut Tx<'_>, command: &HoldCommand) -> Result<HoldRow, HoldError> {
    if !(1..=MAX_POINTS).contains(&command.points) {
        return Err(HoldError::Points);
    }
    let member = command.member;
    // Earlier holds whose time is over give their points back before it is judged whether there are enough.
    lapse(tx, &BTreeSet::from([member]))?;
    let mut books = Books::open(tx, Opener::Requests, &BTreeSet::from([member]), Some(&AlsoLots::default()))?;
    if books.balances(member).is_none() {
        return Err(HoldError::NoMember(member));
    }
    let now = tx.now();
    let hold = HoldRow {
        member_id: member.uuid(),
        hold_id: uuid_at(now),
        points: command.points,
        status: "held".to_owned(),
        reason: command.reason.clone(),
        reference: command.reference.clone(),
        made_at: now.utc(),
        expires_at: now.plus_seconds(i64::from(command.seconds)).utc(),
        version: 1,
    };
    let operation = Operation::new(format!("hold:{}", hold.hold_id), now).with_note(&command.reason);
    let held = books.account(member, &command.cause)?.hold(&operation, command.points);
    let parts = held.map_err(|error| HoldError::TooFew(error.available))?;
    points::insert_hold(tx, &hold, &parts)?;
    books.close(tx)?;
    Ok(hold)
}

/// Takes a hold one step further; a step that was taken before is not taken again.
pub fn step_hold(tx: &mut Tx<'_>, hold: Uuid, step: HoldStep, cause: &Cause) -> Result<HoldRow, HoldError> {
    let found = points::hold(tx, hold)?.ok_or(HoldError::NoHold(hold))?;
    let member = MemberId(found.member_id);
    lock_members(tx, &[found.member_id])?;
    lapse(tx, &BTreeSet::from([member]))?;
    let row = points::hold(tx, hold)?.ok_or(HoldError::NoHold(hold))?;
    let (from, to) = step.statuses();
    if row.status == to {
        return Ok(row);
    }
    if row.status != from {
        return Err(HoldError::Status(row.status));
    }
    let parts = points::parts_of(tx, &row)?;
    let of_ids = parts.iter().map(|part| part.lot_id).collect();
    let mut books = Books::open(
        tx,
        Opener::Requests,
        &BTreeSet::from([member]),
        Some(&AlsoLots { of_ids, ..AlsoLots::default() }),
    )?;
    let now = tx.now();
    let operation = Operation::new(format!("hold:{hold}"), now);
    let account = books.account(member, cause)?;
    match step {
        HoldStep::Capture => account.capture(&operation, &parts),
        HoldStep::Release => account.release(&operation, &parts),
        HoldStep::Reverse => account.reverse(&operation, &parts),
    }
    books.expire(member, now);
    points::set_status(tx, &[hold], to)?;
    books.close(tx)?;
    Ok(HoldRow { status: to.to_owned(), version: row.version.saturating_add(1), ..row })
}
