//! Why an order is not taken into the book, and what the caller is told.

use ::store::Error;
use contracts::{FieldError, Problem, ProblemCode};
use kernel::id::OrderId;

use super::{references, refusal};
use crate::domain::intake;

/// Why an order was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// A value is out of range or contradicts another.
    Invalid(Vec<FieldError>),
    /// The amounts do not add up.
    Amounts(Vec<FieldError>),
    /// It names things that are not known.
    Unknown(Vec<FieldError>),
    /// It names things that are not to be used.
    Inactive(Vec<FieldError>),
    /// The number is taken by an order with other content.
    Contradiction {
        /// That order.
        order_id: OrderId,
        /// The fields that differ.
        fields: Vec<&'static str>,
    },
    /// The channel's update cannot be made.
    Update(refusal::Refusal),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<intake::Refusal> for Refusal {
    fn from(refusal: intake::Refusal) -> Self {
        match refusal {
            intake::Refusal::Invalid(errors) => Self::Invalid(errors),
            intake::Refusal::Amounts(errors) => Self::Amounts(errors),
        }
    }
}

impl From<references::Refusal> for Refusal {
    fn from(refusal: references::Refusal) -> Self {
        match refusal {
            references::Refusal::Unknown(errors) => Self::Unknown(errors),
            references::Refusal::Inactive(errors) => Self::Inactive(errors),
            references::Refusal::Currency(error) => Self::Invalid(vec![error]),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let with = |code, errors| Self { errors, ..Self::new(code) };
        match refusal {
            Refusal::Invalid(errors) => with(ProblemCode::InvalidField, errors),
            Refusal::Amounts(errors) => with(ProblemCode::AmountMismatch, errors),
            Refusal::Unknown(errors) => with(ProblemCode::UnknownReference, errors),
            Refusal::Inactive(errors) => with(ProblemCode::RefusedByRule, errors),
            Refusal::Contradiction { order_id, fields } => fields.iter().fold(
                Self::new(ProblemCode::Contradiction).detail(format!("order {order_id} has this number already")),
                |problem, field| problem.field(*field, "differs from the order in the book"),
            ),
            Refusal::KeyReused => Self::new(ProblemCode::IdempotencyKeyReused)
                .field("Idempotency-Key", "was used before for another method, path or body"),
            Refusal::Update(refusal) => refusal.into(),
            Refusal::Store(error) => error.into(),
        }
    }
}
