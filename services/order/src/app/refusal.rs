//! Why a change of an order, a fulfilment order or a return is refused, and what the caller is told.

use ::store::Error;
use contracts::{FieldError, Problem, ProblemCode};

/// Why a change was not made.
#[derive(Debug)]
pub enum Refusal {
    /// The thing does not exist.
    NotFound {
        /// What it is: `order`, `fulfilment`, `return`.
        what: &'static str,
        /// The key it was asked for by.
        key: String,
    },
    /// The caller's scope excludes it.
    OutOfScope(Problem),
    /// The thing has changed since the caller read it.
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
    /// A rule refuses it.
    Rule(FieldError),
    /// The number is taken by a return with other content.
    Contradiction(String),
    /// What is wanted, in exchange or beside what the order has, would not be taken as an order.
    Intake(Problem),
    /// The transaction failed.
    Store(Error),
}

impl Refusal {
    /// One value that is out of range.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), detail: detail.into() }])
    }

    /// One thing that is not known.
    pub fn unknown(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Unknown(vec![FieldError { field: field.into(), detail: detail.into() }])
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
            Refusal::NotFound { what, key } => Self::not_found(what, key),
            Refusal::OutOfScope(problem) | Refusal::Intake(problem) => problem,
            Refusal::Stale { current, expected } => Self::new(ProblemCode::PreconditionFailed)
                .detail(format!("the version is {current}, If-Match names {expected}")),
            Refusal::State(detail) => Self::new(ProblemCode::StateConflict).detail(detail),
            Refusal::Invalid(errors) => Self { errors, ..Self::new(ProblemCode::InvalidField) },
            Refusal::Unknown(errors) => Self { errors, ..Self::new(ProblemCode::UnknownReference) },
            Refusal::Rule(error) => Self { errors: vec![error], ..Self::new(ProblemCode::RefusedByRule) },
            Refusal::Contradiction(detail) => Self::new(ProblemCode::Contradiction).detail(detail),
            Refusal::Store(error) => error.into(),
        }
    }
}
