//! Tills over HTTP: what they wrote, their days and gaps, and what they are told.

pub mod days;
pub mod feed;
mod poslog;
pub mod transactions;
mod views;
mod xml;

use chrono::NaiveDate;
use contracts::{Problem, ProblemCode};
use kernel::LocationCode;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Failure, Meta, page};

use crate::domain::pos::check::MAX_TERMINAL_LENGTH;
use crate::store::pos::Filter;

/// Which transactions, days or gaps to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PosQuery {
    /// The store.
    #[param(value_type = String)]
    store: LocationCode,
    /// The till.
    terminal: Option<String>,
    /// The business day.
    business_date: Option<NaiveDate>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PosQuery {
    /// What to read, and how much of it, if the caller may see the store.
    fn checked(self, meta: &Meta) -> Result<(Filter, i64), Failure> {
        meta.principal.require_location(&self.store)?;
        let (limit, before) = page::<(NaiveDate, String, i64)>(self.limit, self.cursor)?;
        if self.terminal.as_ref().is_some_and(|it| it.contains('\0') || it.chars().count() > MAX_TERMINAL_LENGTH) {
            let detail = format!("is a till's name of at most {MAX_TERMINAL_LENGTH} characters");
            return Err(Problem::new(ProblemCode::InvalidField).field("terminal", detail).into());
        }
        let Self { store, terminal, business_date, .. } = self;
        Ok((Filter { store, terminal, business_date, before }, limit))
    }
}
