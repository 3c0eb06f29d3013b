//! The table `order_blacklist`: buyers whose orders rules may hold, by digests of their identities.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx};
use uuid::Uuid;

/// An entry as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct EntryRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub entry_id: Uuid,
    /// The digest of the identity.
    #[diesel(sql_type = Binary)]
    pub digest: Vec<u8>,
    /// What the identity is.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The channel it holds for; all, where none is given.
    #[diesel(sql_type = Nullable<Text>)]
    pub channel: Option<String>,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Until when.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last placed.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// By whom.
    #[diesel(sql_type = Text)]
    pub placed_by: String,
}

/// Adds an entry, or takes the place of the one for the same identity and channel, which keeps its id. Answers the id, and
/// whether it is new.
pub fn put(tx: &mut Tx<'_>, row: &EntryRow) -> Result<(Uuid, bool), Error> {
    #[derive(QueryableByName)]
    struct Put {
        #[diesel(sql_type = SqlUuid)]
        entry_id: Uuid,
        #[diesel(sql_type = Bool)]
        is_new: bool,
    }
    let put: Put = diesel::sql_query(
        "INSERT INTO order_blacklist (entry_id, digest, kind, channel, reason, expires_at, placed_at, placed_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest, coalesce(channel, '')) DO UPDATE SET \
         reason = excluded.reason, expires_at = excluded.expires_at, placed_at = excluded.placed_at, \
         placed_by = excluded.placed_by RETURNING entry_id, xmax = 0 AS is_new",
    )
    .bind::<SqlUuid, _>(row.entry_id)
    .bind::<Binary, _>(&row.digest)
    .bind::<Text, _>(&row.kind)
    .bind::<Nullable<Text>, _>(&row.channel)
    .bind::<Text, _>(&row.reason)
    .bind::<Nullable<Timestamptz>, _>(row.expires_at)
    .bind::<Timestamptz, _>(row.placed_at)
    .bind::<Text, _>(&row.placed_by)
    .get_result(tx.conn())?;
    Ok((put.entry_id, put.is_new))
}

/// Whether there are more entries than so many.
pub fn has_more_than(tx: &mut Tx<'_>, most: i64) -> Result<bool, Error> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        entries: i64,
    }
    let count: Count =
        diesel::sql_query("SELECT count(*) AS entries FROM (SELECT FROM order_blacklist LIMIT $1) AS counted")
            .bind::<BigInt, _>(most.saturating_add(1))
            .get_result(tx.conn())?;
    Ok(count.entries > most)
}

/// One entry.
pub fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<EntryRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM order_blacklist WHERE entry_id = $1")
        .bind::<SqlUuid, _>(id)
        .get_result(tx.conn())
        .optional()?)
}

/// Removes an entry.
pub fn remove(tx: &mut Tx<'_>, id: Uuid) -> Result<(), Error> {
    diesel::sql_query("DELETE FROM order_blacklist WHERE entry_id = $1").bind::<SqlUuid, _>(id).execute(tx.conn())?;
    Ok(())
}

/// The first `limit` entries after one, in the order they were first placed.
pub fn list(
    tx: &mut Tx<'_>,
    channels: Option<&[String]>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<EntryRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT * FROM order_blacklist WHERE ($1 IS NULL OR channel = ANY ($1)) AND ($2 IS NULL OR entry_id > $2) \
         ORDER BY entry_id LIMIT $3",
    )
    .bind::<Nullable<Array<Text>>, _>(channels)
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}
