//! Transfers, and what becomes of one that is handed in.

use std::borrow::Cow;

use kernel::Timestamp;
use kernel::id::EntryId;
use uuid::Uuid;

use crate::account::{Account, Key};

/// The largest amount of one transfer, as for money: far from the edge of `i64`, so that sums cannot overflow soon.
pub const MAX_AMOUNT: i64 = kernel::money::MAX_AMOUNT;

/// An amount of a unit that moves from one account to another.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The distribution key: the transfer lies with this owner, who is usually the owner of both accounts.
    pub owner: String,
    /// Names the posting within its owner; the same reference is posted once.
    pub reference: String,
    /// The entry this transfer is a leg of.
    pub entry_id: EntryId,
    /// Where the amount leaves.
    pub debit: Account,
    /// Where the amount arrives.
    pub credit: Account,
    /// Of what.
    pub unit: Cow<'static, str>,
    /// How much, from 1 to [`MAX_AMOUNT`].
    pub amount: i64,
    /// Why, as a stable word.
    pub reason: Cow<'static, str>,
    /// What the keeper of the ledger wants to find again beside the transfer.
    pub memo: serde_json::Value,
    /// When the thing happened that is recorded.
    pub occurred_at: Timestamp,
}

impl Transfer {
    pub(crate) fn debit_key(&self) -> Key<'_> {
        (&self.debit.owner, &self.debit.name, &self.unit)
    }

    pub(crate) fn credit_key(&self) -> Key<'_> {
        (&self.credit.owner, &self.credit.name, &self.unit)
    }

    pub(crate) fn content(&self) -> Content<'_> {
        Content { debit: self.debit_key(), credit: self.credit_key(), amount: self.amount, reason: &self.reason }
    }
}

/// What must be the same for a reference to count as the same posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    pub debit: Key<'a>,
    pub credit: Key<'a>,
    pub amount: i64,
    pub reason: &'a str,
}

/// A transfer that stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its id.
    pub transfer_id: Uuid,
    /// Whether it already stood there: this call moved nothing.
    pub before: bool,
}

/// Why a transfer was not posted. Its neighbours were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The amount is not within 1 to [`MAX_AMOUNT`].
    #[error("a transfer moves from 1 to {MAX_AMOUNT}")]
    Amount,
    /// Both ends are the same account.
    #[error("a transfer needs two accounts")]
    SameAccount,
    /// The reference was posted before with other accounts, unit, amount or reason.
    #[error("the reference was posted before with other content")]
    Contradiction,
    /// The account it leaves would fall below its floor.
    #[error("only {available} can leave the account")]
    BelowFloor {
        /// How much could leave.
        available: i64,
    },
    /// A balance would leave the range of numbers.
    #[error("a balance would leave the range of numbers")]
    OutOfRange,
}
