//! Binds a payee to a member, store or location in a role, handing over from whoever holds it.

use contracts::{Problem, ProblemCode};
use kernel::id::uuid_at;
use kernel::{PayeeCode, Timestamp};
use store::Tx;
use uuid::Uuid;

use crate::domain::party::{BindingRole, SubjectKind};
use crate::store::bindings::{self, BindingRow};
use crate::store::locks::lock_subject;
use crate::store::payees;

/// A binding as it is to be.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The role.
    pub role: BindingRole,
    /// What it is bound to.
    pub subject_kind: SubjectKind,
    /// Its id or code.
    pub subject: String,
    /// Who holds the role.
    pub payee: PayeeCode,
    /// From when; now, when left out.
    pub from: Option<Timestamp>,
    /// Until when; open, when left out.
    pub until: Option<Timestamp>,
    /// Until when it cannot be handed over.
    pub protected_until: Option<Timestamp>,
    /// What it rests on.
    pub evidence: Option<String>,
    /// Who makes it.
    pub created_by: String,
}

/// Why a binding was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is wrong.
    #[error("{field}: {detail}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        detail: &'static str,
    },
    /// The payee is not registered.
    #[error("the payee {0} is not registered")]
    UnknownPayee(PayeeCode),
    /// A performance store is bound once and for all.
    #[error("the subject's performance store is {0} and does not change")]
    Immutable(String),
    /// The present holder is protected.
    #[error("the role is protected for {payee} until {until}")]
    Protected {
        /// Who holds it.
        payee: String,
        /// Until when.
        until: Timestamp,
    },
    /// The stretch overlaps with another binding that is not open.
    #[error("the stretch overlaps with the binding {0}")]
    Overlap(Uuid),
    /// The transaction failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Field { field, detail } => Self::invalid(field, detail),
            Error::UnknownPayee(_) => Self::new(ProblemCode::UnknownReference).field("payee", text),
            Error::Immutable(_) | Error::Protected { .. } => Self::new(ProblemCode::RefusedByRule).detail(text),
            Error::Overlap(_) => Self::new(ProblemCode::StateConflict).detail(text),
            Error::Store(error) => error.into(),
        }
    }
}

/// The longest note on what a binding rests on, in characters.
pub const MAX_EVIDENCE_LENGTH: usize = 1_000;

/// Makes the binding. The open one of the same role and subject ends where it begins. The same binding again is answered
/// as it stands; the flag says whether it is new.
pub fn bind(tx: &mut Tx<'_>, command: &Bind) -> Result<(BindingRow, bool), Error> {
    let wanted = row_of(tx, command)?;
    check(command, &wanted)?;
    if payees::find(tx, command.payee.as_str())?.is_none() {
        return Err(Error::UnknownPayee(command.payee.clone()));
    }
    lock_subject(tx, command.role, command.subject_kind, &command.subject)?;
    let present = bindings::of_subject(tx, command.role.as_str(), command.subject_kind.as_str(), &command.subject)?;
    if let Some(same) = present.iter().find(|present| is_same(command, present, &wanted)) {
        return Ok((same.clone(), false));
    }
    if let Some(first) = present.first().filter(|_| command.role == BindingRole::PerformanceStore) {
        return Err(Error::Immutable(first.payee.clone()));
    }
    for other in present.iter().filter(|other| overlap(other, &wanted)) {
        if other.until_at.is_some() || other.from_at >= wanted.from_at {
            return Err(Error::Overlap(other.binding_id));
        }
        if let Some(until) =
            other.protected_until.filter(|until| *until > wanted.from_at && other.payee != wanted.payee)
        {
            return Err(Error::Protected { payee: other.payee.clone(), until: until.into() });
        }
        bindings::end(tx, other.binding_id, wanted.from_at)?;
    }
    bindings::insert(tx, &wanted)?;
    Ok((wanted, true))
}

fn row_of(tx: &Tx<'_>, command: &Bind) -> Result<BindingRow, Error> {
    Ok(BindingRow {
        binding_id: uuid_at(tx.now()),
        role: command.role.as_str().to_owned(),
        subject_kind: command.subject_kind.as_str().to_owned(),
        subject: command.subject.clone(),
        payee: command.payee.to_string(),
        from_at: command.from.unwrap_or(tx.now()).utc(),
        until_at: command.until.map(Timestamp::utc),
        protected_until: command.protected_until.map(Timestamp::utc),
        evidence: command.evidence.clone(),
        created_by: command.created_by.clone(),
    })
}

fn check(command: &Bind, wanted: &BindingRow) -> Result<(), Error> {
    let fits = match command.role {
        BindingRole::Guide | BindingRole::ServiceStore => command.subject_kind == SubjectKind::Member,
        BindingRole::PerformanceStore | BindingRole::Dealer => true,
    };
    if !fits {
        return Err(Error::Field { field: "subject.kind", detail: "this role is bound to members" });
    }
    if command.subject_kind == SubjectKind::Member && Uuid::parse_str(&command.subject).is_err() {
        return Err(Error::Field { field: "subject.key", detail: "a member is named by its id" });
    }
    if wanted.until_at.is_some_and(|until| until <= wanted.from_at) {
        return Err(Error::Field { field: "until", detail: "a binding ends after it begins" });
    }
    if command.evidence.as_ref().is_some_and(|evidence| evidence.chars().count() > MAX_EVIDENCE_LENGTH) {
        return Err(Error::Field { field: "evidence", detail: "at most 1000 characters" });
    }
    Ok(())
}

fn is_same(command: &Bind, present: &BindingRow, wanted: &BindingRow) -> bool {
    // Without a beginning, whoever holds the role already goes on holding it.
    let begins = match command.from {
        Some(_) => present.from_at == wanted.from_at,
        None => present.from_at <= wanted.from_at,
    };
    present.payee == wanted.payee && begins && present.until_at == wanted.until_at
}

fn overlap(one: &BindingRow, other: &BindingRow) -> bool {
    one.until_at.is_none_or(|until| other.from_at < until) && other.until_at.is_none_or(|until| one.from_at < until)
}
