//! What can go wrong with the database, by what the caller can do about it.

use contracts::{Problem, ProblemCode};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failed transaction. Nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or all connections or a lock stayed busy: try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction got in the way: trying again at once is worth it.
    #[error("another transaction got in the way: {0}")]
    Conflict(String),
    /// The statement or the data is wrong: trying again changes nothing.
    #[error("the database refused: {0}")]
    Database(DieselError),
    /// A value does not serialise.
    #[error("a value does not serialise: {0}")]
    Encoding(#[from] serde_json::Error),
    /// A promise of the code was broken; the text says which.
    #[error("broken promise: {0}")]
    Broken(&'static str),
}

impl Error {
    /// Whether the same transaction may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    /// The name of the violated constraint, when that is what went wrong.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(DieselError::DatabaseError(_, info)) => info.constraint_name(),
            _ => None,
        }
    }
}

// libpq gives these no kind of their own; the texts are the server's own, in the C locale that connections ask for.
const CONFLICTS: [&str; 2] = ["deadlock detected", "could not serialize access"];
const OUTAGES: [&str; 9] = [
    // Someone holds the lock for longer than one waits: trying again at once would only wait again.
    "canceling statement due to lock timeout",
    "terminating connection",
    "server closed the connection",
    "connection to server",
    "could not receive data",
    "could not send data",
    "SSL SYSCALL",
    "no connection to the server",
    "the database system is",
];

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, info) => {
                Self::Conflict(info.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
                let text = info.message();
                if CONFLICTS.iter().any(|known| text.contains(known)) {
                    Self::Conflict(text.to_owned())
                } else if OUTAGES.iter().any(|known| text.contains(known)) {
                    Self::Unavailable(text.to_owned())
                } else {
                    Self::Database(error)
                }
            }
            DieselError::BrokenTransactionManager => Self::Unavailable("the connection broke".to_owned()),
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::Conflict(_) => Self::new(ProblemCode::Unavailable).retry_after(1),
            Error::Database(_) | Error::Encoding(_) | Error::Broken(_) => {
                // The text stays inside; the trace id in the answer leads to this line.
                tracing::error!(error = %error, "a transaction failed for a reason of ours");
                Self::new(ProblemCode::Internal)
            }
        }
    }
}
