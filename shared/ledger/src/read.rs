//! Reads balances and entries.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use uuid::Uuid;

use crate::account::Balance;

/// Every balance of these owners, in key order.
pub fn balances_of(tx: &mut Tx<'_>, owners: &[&str]) -> Result<Vec<Balance>, store::Error> {
    let rows = diesel::sql_query(
        "select owner, account, unit, balance, version, floor from ledger_balances
         where owner = any($1) order by owner, account, unit",
    )
    .bind::<Array<Text>, _>(owners)
    .load(tx.conn())?;
    Ok(rows)
}

/// The balances of one account of these owners, in key order; an account never used is left out.
pub fn balances(tx: &mut Tx<'_>, owners: &[&str], account: &str) -> Result<Vec<Balance>, store::Error> {
    let rows = diesel::sql_query(
        "select owner, account, unit, balance, version, floor from ledger_balances
         where owner = any($1) and account = $2 order by owner, account, unit",
    )
    .bind::<Array<Text>, _>(owners)
    .bind::<Text, _>(account)
    .load(tx.conn())?;
    Ok(rows)
}

/// A transfer as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub struct Entry {
    /// With whom it lies.
    #[diesel(sql_type = Text)]
    pub owner: String,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub transfer_id: Uuid,
    /// The entry it is a leg of.
    #[diesel(sql_type = SqlUuid)]
    pub entry_id: Uuid,
    /// What names the posting within its owner.
    #[diesel(sql_type = Text)]
    pub reference: String,
    /// Whose account it left.
    #[diesel(sql_type = Text)]
    pub debit_owner: String,
    /// The account it left.
    #[diesel(sql_type = Text)]
    pub debit_account: String,
    /// Whose account it arrived in.
    #[diesel(sql_type = Text)]
    pub credit_owner: String,
    /// The account it arrived in.
    #[diesel(sql_type = Text)]
    pub credit_account: String,
    /// Of what.
    #[diesel(sql_type = Text)]
    pub unit: String,
    /// How much.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// What was noted beside it.
    #[diesel(sql_type = Jsonb)]
    pub memo: serde_json::Value,
    /// When the thing happened that is recorded.
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: DateTime<Utc>,
    /// When it was recorded.
    #[diesel(sql_type = Timestamptz)]
    pub recorded_at: DateTime<Utc>,
}

/// Which entries are wanted; an absent term does not filter.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// With whom they lie.
    pub owners: Option<Vec<String>>,
    /// On either side.
    pub account: Option<String>,
    /// Of what.
    pub unit: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Exactly this reference.
    pub reference: Option<String>,
    /// Noted beside it: everything in here, perhaps more.
    pub memo: Option<serde_json::Value>,
    /// Occurred at or after.
    pub from: Option<Timestamp>,
    /// Occurred before.
    pub until: Option<Timestamp>,
}

/// Where a page of entries ends: their stable order is by owner, then by transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryKey {
    /// With whom the last entry lies.
    pub owner: String,
    /// Its transfer.
    pub transfer_id: Uuid,
}

impl Entry {
    /// The entry's place in the stable order.
    pub fn key(&self) -> EntryKey {
        EntryKey { owner: self.owner.clone(), transfer_id: self.transfer_id }
    }
}

/// At most `limit + 1` entries after `after`: the one too many tells that there is a next page.
pub fn entries(
    tx: &mut Tx<'_>,
    filter: &EntryFilter,
    after: Option<&EntryKey>,
    limit: i64,
) -> Result<Vec<Entry>, store::Error> {
    let rows = diesel::sql_query(
        "select owner, transfer_id, entry_id, reference, debit_owner, debit_account, credit_owner, credit_account,
                unit, amount, reason, memo, occurred_at, recorded_at
         from ledger_transfers
         where ($1 is null or owner = any($1))
           and ($2 is null or debit_account = $2 or credit_account = $2)
           and ($3 is null or unit = $3)
           and ($4 is null or reason = $4)
           and ($5 is null or reference = $5)
           and ($6 is null or occurred_at >= $6)
           and ($7 is null or occurred_at < $7)
           and ($8 is null or (owner, transfer_id) > ($8, $9))
           and ($10 is null or memo @> $10)
         order by owner, transfer_id
         limit $11",
    )
    .bind::<Nullable<Array<Text>>, _>(filter.owners.as_deref())
    .bind::<Nullable<Text>, _>(filter.account.as_deref())
    .bind::<Nullable<Text>, _>(filter.unit.as_deref())
    .bind::<Nullable<Text>, _>(filter.reason.as_deref())
    .bind::<Nullable<Text>, _>(filter.reference.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.from.map(Timestamp::utc))
    .bind::<Nullable<Timestamptz>, _>(filter.until.map(Timestamp::utc))
    .bind::<Nullable<Text>, _>(after.map(|key| key.owner.as_str()))
    .bind::<Nullable<SqlUuid>, _>(after.map(|key| key.transfer_id))
    .bind::<Nullable<Jsonb>, _>(filter.memo.as_ref())
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows)
}
