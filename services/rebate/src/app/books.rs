//! The rebate books: three accounts per payee and currency, and the postings between them.
//!
//! What a payee earns is debited to `expense`, credited to `accrued`, moved to `payable` when the order completes, and
//! back to `expense` when goods come back.

use std::collections::BTreeMap;

use kernel::id::{EntryId, OrderId};
use kernel::{Currency, Timestamp};
use ledger::{Account, Transfer};
use store::Tx;

use super::FactError;

/// What the retailer has spent on the payee: the far side of everything earned.
pub const EXPENSE: &str = "expense";
/// Earned on orders whose return window is still open. It cannot fall below zero.
pub const ACCRUED: &str = "accrued";
/// Owed to the payee.
pub const PAYABLE: &str = "payable";

/// Which way a posting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Expense → accrued.
    Accrue,
    /// Accrued → payable.
    Earn,
    /// Accrued → expense: goods came back before the order completed.
    ReverseAccrued,
    /// Payable → expense: goods came back after it completed.
    ReversePayable,
    /// Expense → payable: goods had not come back after all.
    Restore,
}

impl Step {
    const fn accounts(self) -> (&'static str, &'static str) {
        match self {
            Self::Accrue => (EXPENSE, ACCRUED),
            Self::Earn => (ACCRUED, PAYABLE),
            Self::ReverseAccrued => (ACCRUED, EXPENSE),
            Self::ReversePayable => (PAYABLE, EXPENSE),
            Self::Restore => (EXPENSE, PAYABLE),
        }
    }

    /// The reason in the ledger.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Accrue => "accrue",
            Self::Earn => "earn",
            Self::ReverseAccrued | Self::ReversePayable => "reverse",
            Self::Restore => "restore",
        }
    }
}

/// What one thing that happened to an order moves, per payee.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The order.
    pub order_id: OrderId,
    /// Which way.
    pub step: Step,
    /// Names it: the order itself, or what gave goods back.
    pub source: String,
    /// The order's currency.
    pub currency: Currency,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// How much of each payee, in minor units; zeros are left out.
    pub amounts: BTreeMap<String, i64>,
}

impl Posting {
    /// Adds to what a payee moves.
    pub fn add(&mut self, payee: &str, amount: i64) -> Result<(), FactError> {
        let sum = self.amounts.entry(payee.to_owned()).or_default();
        *sum = sum.checked_add(amount).ok_or_else(|| FactError::Refused {
            order_id: self.order_id,
            why: "the amounts leave the range of numbers".to_owned(),
        })?;
        Ok(())
    }
}

/// Posts with a constant number of statements. A posting that was made before is not made again; one that the ledger
/// refuses fails the whole call, because the lines it stands for are written in the same transaction.
pub fn post(tx: &mut Tx<'_>, postings: &[Posting]) -> Result<(), FactError> {
    let now = tx.now();
    let mut orders = Vec::new();
    let mut transfers = Vec::new();
    for posting in postings {
        let entry_id = EntryId::at(now);
        for (payee, amount) in posting.amounts.iter().filter(|(_, amount)| **amount != 0) {
            orders.push(posting.order_id);
            transfers.push(transfer(posting, entry_id, payee, *amount));
        }
    }
    let verdicts = ledger::post(tx, &transfers)?;
    for (order_id, verdict) in orders.into_iter().zip(verdicts) {
        verdict.map_err(|refusal| FactError::Refused { order_id, why: refusal.to_string() })?;
    }
    Ok(())
}

fn transfer(posting: &Posting, entry_id: EntryId, payee: &str, amount: i64) -> Transfer {
    let (debit, credit) = posting.step.accounts();
    Transfer {
        owner: payee.to_owned(),
        reference: format!("{}/{}", posting.step.reason(), posting.source),
        entry_id,
        debit: account(payee, debit),
        credit: account(payee, credit),
        unit: posting.currency.code().into(),
        amount,
        reason: posting.step.reason().into(),
        memo: serde_json::json!({ "order_id": posting.order_id }),
        occurred_at: posting.occurred_at,
    }
}

fn account(payee: &str, name: &'static str) -> Account {
    let account = Account::new(payee, name);
    if name == ACCRUED { account.with_floor(0) } else { account }
}
