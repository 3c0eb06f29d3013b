//! The inbox: which events a subscription has taken, marked in the same transaction as their effect.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use uuid::Uuid;

use crate::{Error, Tx, statement};

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
}

/// Marks events as taken and answers those that were not before.
pub fn take(tx: &mut Tx<'_>, subscription: &str, events: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    let now = tx.now().utc();
    let text = format!(
        "INSERT INTO inbox (subscription, event_id, taken_at) SELECT $1, event_id, $2 FROM unnest($3) AS t (event_id) \
         ORDER BY event_id {} RETURNING event_id",
        tx.on_conflict("ON CONFLICT DO NOTHING")
    );
    let rows: Vec<Taken> = statement(text)
        .bind::<Text, _>(subscription)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(events)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.event_id).collect())
}

/// Forgets up to `limit` marks made before `before`; says how many. A broker redelivers for minutes, not for days.
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<usize, Error> {
    Ok(diesel::sql_query(
        "DELETE FROM inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM inbox WHERE taken_at < $1 LIMIT $2))",
    )
    .bind::<Timestamptz, _>(before.utc())
    .bind::<diesel::sql_types::BigInt, _>(limit)
    .execute(tx.conn())?)
}
