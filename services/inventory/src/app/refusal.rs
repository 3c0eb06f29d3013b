//! Why a change of a stock document is refused, and what the caller is told.

use contracts::{FieldError, Problem, ProblemCode};
use store::Error;

/// Why a change was not made.
#[derive(Debug)]
pub enum Refusal {
    /// The document does not exist.
    NotFound {
        /// What it is: `receipt`, `transfer`, `count`.
        what: &'static str,
        /// The id it was asked for by.
        id: String,
    },
    /// The caller's scope excludes its location.
    OutOfScope(Problem),
    /// It has changed since the caller read it.
    Stale {
        /// The version it has.
        current: i64,
        /// The version the caller named.
        expected: i64,
    },
    /// Its state does not allow this; the sentence says why.
    State(String),
    /// Values are out of range or contradict others.
    Invalid(Vec<FieldError>),
    /// Things that are not known.
    Unknown(Vec<FieldError>),
    /// Units that are not there, or are promised to others.
    Insufficient(Vec<FieldError>),
    /// The transaction failed.
    Store(Error),
}

impl Refusal {
    /// One value that is out of range.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), detail: detail.into() }])
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { what, id } => Self::not_found(what, id),
            Refusal::OutOfScope(problem) => problem,
            Refusal::Stale { current, expected } => Self::new(ProblemCode::PreconditionFailed)
                .detail(format!("the version is {current}, If-Match names {expected}")),
            Refusal::State(detail) => Self::new(ProblemCode::StateConflict).detail(detail),
            Refusal::Invalid(errors) => Self { errors, ..Self::new(ProblemCode::InvalidField) },
            Refusal::Unknown(errors) => Self { errors, ..Self::new(ProblemCode::UnknownReference) },
            Refusal::Insufficient(errors) => Self { errors, ..Self::new(ProblemCode::InsufficientStock) },
            Refusal::Store(error) => error.into(),
        }
    }
}
