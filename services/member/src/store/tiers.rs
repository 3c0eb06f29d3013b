//! Rows of what counts towards tiers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::{MemberId, OrderId, uuid_at};
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::tier::QualifyingEntry;

/// An entry to be recorded.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// For whom it counts.
    pub member: MemberId,
    /// The order it comes from.
    pub order: OrderId,
    /// In which currency.
    pub currency: String,
    /// How much, dated to the order.
    pub entry: QualifyingEntry,
}

/// Records entries; those of nothing are left out.
pub fn insert(tx: &mut Tx<'_>, entries: &[NewEntry]) -> Result<(), Error> {
    let entries: Vec<&NewEntry> = entries.iter().filter(|it| it.entry.amount != 0).collect();
    if entries.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    diesel::sql_query(
        "INSERT INTO tier_entries (member_id, entry_id, order_id, amount, currency, dated_at, recorded_at)
         SELECT e.*, $7 FROM unnest($1, $2, $3, $4, $5, $6) AS e",
    )
    .bind::<Array<SqlUuid>, _>(entries.iter().map(|it| it.member.uuid()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(entries.iter().map(|_| uuid_at(now)).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(entries.iter().map(|it| it.order.uuid()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(entries.iter().map(|it| it.entry.amount).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(entries.iter().map(|it| it.currency.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(entries.iter().map(|it| it.entry.dated_at.utc()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now.utc())
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Timestamptz)]
    dated_at: DateTime<Utc>,
}

/// The entries of these members in one currency; those of one order are added up.
pub fn of_members(
    tx: &mut Tx<'_>,
    members: &[Uuid],
    currency: &str,
) -> Result<Vec<(MemberId, QualifyingEntry)>, Error> {
    let rows: Vec<EntryRow> = diesel::sql_query(
        "SELECT member_id, sum(amount)::bigint AS amount, dated_at FROM tier_entries
         WHERE member_id = ANY ($1) AND currency = $2 GROUP BY member_id, order_id, dated_at",
    )
    .bind::<Array<SqlUuid>, _>(members)
    .bind::<Text, _>(currency)
    .load(tx.conn())?;
    let entry = |row: &EntryRow| QualifyingEntry { amount: row.amount, dated_at: Timestamp::new(row.dated_at) };
    Ok(rows.iter().map(|row| (MemberId(row.member_id), entry(row))).collect())
}
