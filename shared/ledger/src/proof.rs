//! Proves the books: every balance is the sum of its transfers, and all balances of a unit add up to zero.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use store::Tx;

/// An account whose balance is not what its transfers say.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Drift {
    /// Whose account it is.
    #[diesel(sql_type = Text)]
    pub owner: String,
    /// What it is for.
    #[diesel(sql_type = Text)]
    pub account: String,
    /// Of what.
    #[diesel(sql_type = Text)]
    pub unit: String,
    /// What the account says.
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
    /// What its transfers add up to.
    #[diesel(sql_type = BigInt)]
    pub transferred: i64,
}

/// What all balances of a unit add up to: 0, or the books are wrong.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct UnitSum {
    /// Of what.
    #[diesel(sql_type = Text)]
    pub unit: String,
    /// How many accounts hold it.
    #[diesel(sql_type = BigInt)]
    pub accounts: i64,
    /// Σ balances.
    #[diesel(sql_type = BigInt)]
    pub sum: i64,
}

/// What a proof found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The sum of each unit.
    pub units: Vec<UnitSum>,
    /// The accounts that drifted, at most [`MAX_DRIFTS`].
    pub drifts: Vec<Drift>,
}

/// As many drifted accounts as a proof names: one is an alert, a thousand are enough to see the pattern.
pub const MAX_DRIFTS: i64 = 1_000;

impl Proof {
    /// Whether the books are right.
    pub fn holds(&self) -> bool {
        self.drifts.is_empty() && self.units.iter().all(|unit| unit.sum == 0)
    }

    /// How many accounts were looked at.
    pub fn checked(&self) -> i64 {
        self.units.iter().map(|unit| unit.accounts).sum()
    }
}

/// Recomputes every balance from the transfers, in one snapshot.
pub fn proof(tx: &mut Tx<'_>) -> Result<Proof, store::Error> {
    let drifts = diesel::sql_query(
        "with sides as (
             select credit_owner as owner, credit_account as account, unit, amount from ledger_transfers
             union all
             select debit_owner, debit_account, unit, -amount from ledger_transfers
         ),
         sums as (select owner, account, unit, sum(amount)::bigint as transferred from sides group by 1, 2, 3)
         select owner, account, unit, coalesce(b.balance, 0) as balance, coalesce(s.transferred, 0) as transferred
         from ledger_balances b full join sums s using (owner, account, unit)
         where coalesce(b.balance, 0) <> coalesce(s.transferred, 0)
         order by owner, account, unit
         limit $1",
    )
    .bind::<BigInt, _>(MAX_DRIFTS)
    .load(tx.conn())?;
    let units = diesel::sql_query(
        "select unit, count(*) as accounts, sum(balance)::bigint as sum from ledger_balances group by unit order by unit",
    )
    .load(tx.conn())?;
    Ok(Proof { units, drifts })
}

/// One line of the trial balance: an account over all its owners. The debit and credit columns of a unit are equal.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct TrialLine {
    /// What the account is for.
    #[diesel(sql_type = Text)]
    pub account: String,
    /// Of what.
    #[diesel(sql_type = Text)]
    pub unit: String,
    /// How many owners have it.
    #[diesel(sql_type = BigInt)]
    pub owners: i64,
    /// Σ of what stands on the debit side (negative balances), as a positive number.
    #[diesel(sql_type = BigInt)]
    pub debit: i64,
    /// Σ of what stands on the credit side (positive balances).
    #[diesel(sql_type = BigInt)]
    pub credit: i64,
}

/// The balances by account name and unit.
pub fn trial_balance(tx: &mut Tx<'_>) -> Result<Vec<TrialLine>, store::Error> {
    let lines = diesel::sql_query(
        "select account, unit, count(*) as owners,
                coalesce(-sum(balance) filter (where balance < 0), 0)::bigint as debit,
                coalesce(sum(balance) filter (where balance > 0), 0)::bigint as credit
         from ledger_balances group by account, unit order by unit, account",
    )
    .load(tx.conn())?;
    Ok(lines)
}
