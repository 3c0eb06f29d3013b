//! Accounts: who owns them, what they are called, how low they may fall.

use std::borrow::Cow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

/// One end of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose account it is: a member, a payee, the house.
    pub owner: String,
    /// What it is for: `active`, `pending`, `expense`.
    pub name: Cow<'static, str>,
    /// The balance it must not fall below, set when the account is first used and kept from then on; none for an
    /// account that may go negative, such as an expense.
    pub floor: Option<i64>,
}

impl Account {
    /// An account that may hold any balance.
    pub fn new(owner: impl Into<String>, name: impl Into<Cow<'static, str>>) -> Self {
        Self { owner: owner.into(), name: name.into(), floor: None }
    }

    /// The same account with a floor; one above 0 counts as 0, because an account opens empty.
    #[must_use]
    pub fn with_floor(mut self, floor: i64) -> Self {
        self.floor = Some(floor.min(0));
        self
    }
}

/// What names one balance: owner, account, unit. Its order is the order in which balances are locked.
pub(crate) type Key<'a> = (&'a str, &'a str, &'a str);

/// What an account holds of one unit.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Balance {
    /// Whose account it is.
    #[diesel(sql_type = Text)]
    pub owner: String,
    /// What it is for.
    #[diesel(sql_type = Text)]
    pub account: String,
    /// Of what.
    #[diesel(sql_type = Text)]
    pub unit: String,
    /// Credits less debits.
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// What it must not fall below.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub floor: Option<i64>,
}
