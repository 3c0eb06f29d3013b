//! Registers a payee, or changes one.

use contracts::{Problem, ProblemCode};
use kernel::PayeeCode;
use store::Tx;

use crate::domain::party::{PayeeKind, PayeeStatus};
use crate::store::locks::lock_payee;
use crate::store::payees::{self, PayeeRow};

/// A payee as it is to be.
#[derive(Clone, Debug)]
pub struct PutPayee {
    /// Its code.
    pub code: PayeeCode,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: PayeeKind,
    /// Whether it may earn.
    pub status: PayeeStatus,
    /// The version it must have now.
    pub expected_version: Option<i64>,
}

/// Why a payee was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is empty or too long.
    #[error("a name has from 1 to {MAX_NAME_LENGTH} characters")]
    Name,
    /// It has another version.
    #[error("the payee has version {current}")]
    Version {
        /// The version it has; 0 when it is not there.
        current: i64,
    },
    /// The transaction failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The longest name, in characters.
pub const MAX_NAME_LENGTH: usize = 200;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Name => Self::invalid("name", error.to_string()),
            Error::Version { .. } => Self::new(ProblemCode::PreconditionFailed).detail(error.to_string()),
            Error::Store(error) => error.into(),
        }
    }
}

/// Writes the payee and answers it; version 1 is new. What does not change keeps its version.
pub fn put_payee(tx: &mut Tx<'_>, command: &PutPayee) -> Result<PayeeRow, Error> {
    if command.name.trim().is_empty() || command.name.chars().count() > MAX_NAME_LENGTH {
        return Err(Error::Name);
    }
    let before = lock_payee(tx, command.code.as_str())?;
    let current = before.as_ref().map_or(0, |payee| payee.version);
    if command.expected_version.is_some_and(|expected| expected != current) {
        return Err(Error::Version { current });
    }
    let wanted = PayeeRow {
        code: command.code.to_string(),
        name: command.name.clone(),
        kind: command.kind.as_str().to_owned(),
        status: command.status.as_str().to_owned(),
        version: current,
    };
    if before.as_ref() == Some(&wanted) {
        return Ok(wanted);
    }
    let changed = PayeeRow { version: current.saturating_add(1), ..wanted };
    payees::upsert(tx, &changed)?;
    Ok(changed)
}
