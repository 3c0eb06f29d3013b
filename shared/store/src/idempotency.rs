//! Idempotency keys: the answer to a request is stored with the state it answers for, and given again to the same request.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz};
use kernel::Timestamp;

use crate::{Error, Tx};

/// A request that must have its effect once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose key it is.
    pub client: String,
    /// The caller's key.
    pub key: String,
    /// Digest of method, path and body: the same key for another request is refused.
    pub fingerprint: String,
}

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: String,
    /// The resource's version, if the answer named one.
    pub etag: Option<String>,
}

/// What a key says about its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// Not seen before: do it, then [`finish`].
    Fresh,
    /// Done before: give this answer.
    Replay(StoredAnswer),
    /// The key belongs to another request.
    Reused,
    /// The same request stands earlier in this batch.
    InFlight,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    client: String,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Text)]
    fingerprint: String,
    #[diesel(sql_type = Nullable<SmallInt>)]
    status: Option<i16>,
    #[diesel(sql_type = Nullable<Text>)]
    body: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    etag: Option<String>,
}

/// Claims a key. A concurrent request with the same key waits here until this transaction ends.
pub fn begin(tx: &mut Tx<'_>, key: &Key) -> Result<Started, Error> {
    let started = begin_batch(tx, &[Some(key)])?;
    started.into_iter().next().ok_or(Error::Broken("one key in, one answer out"))
}

/// Claims the keys of a batch of requests, in a constant number of statements; requests without a key are fresh.
pub fn begin_batch(tx: &mut Tx<'_>, keys: &[Option<&Key>]) -> Result<Vec<Started>, Error> {
    let mut wanted: Vec<&Key> = keys.iter().flatten().copied().collect();
    if wanted.is_empty() {
        return Ok(keys.iter().map(|_| Started::Fresh).collect());
    }
    // Sorted, so that two batches with the same keys wait for each other instead of deadlocking.
    wanted.sort_by(|a, b| (&a.client, &a.key).cmp(&(&b.client, &b.key)));
    wanted.dedup_by(|a, b| a.client == b.client && a.key == b.key);
    let mut claimed = claim(tx, &wanted)?;
    let missing: Vec<&Key> =
        wanted.iter().copied().filter(|key| !claimed.contains_key(&(key.client.clone(), key.key.clone()))).collect();
    let mut stored = if missing.is_empty() { HashMap::new() } else { stored(tx, &missing)? };
    let answer = |key: &Option<&Key>| {
        let Some(key) = key else { return Started::Fresh };
        let id = (key.client.clone(), key.key.clone());
        if let Some(first) = claimed.get_mut(&id) {
            return if std::mem::take(first) { Started::Fresh } else { Started::InFlight };
        }
        match stored.get_mut(&id) {
            Some(row) if row.fingerprint == key.fingerprint => replay(row),
            _ => Started::Reused,
        }
    };
    Ok(keys.iter().map(answer).collect())
}

fn claim(tx: &mut Tx<'_>, keys: &[&Key]) -> Result<HashMap<(String, String), bool>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Row> = diesel::sql_query(
        "INSERT INTO idempotency (client, key, fingerprint, made_at) \
         SELECT client, key, fingerprint, $4 FROM unnest($1, $2, $3) AS k (client, key, fingerprint) \
         ON CONFLICT DO NOTHING RETURNING client, key, fingerprint, status, body, etag",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.client.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| ((row.client, row.key), true)).collect())
}

fn stored(tx: &mut Tx<'_>, keys: &[&Key]) -> Result<HashMap<(String, String), Row>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT i.client, i.key, i.fingerprint, i.status, i.body, i.etag FROM idempotency i \
         JOIN unnest($1, $2) AS k (client, key) ON i.client = k.client AND i.key = k.key",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.client.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| ((row.client.clone(), row.key.clone()), row)).collect())
}

fn replay(row: &Row) -> Started {
    match (row.status.map(u16::try_from), &row.body) {
        (Some(Ok(status)), Some(body)) => {
            Started::Replay(StoredAnswer { status, body: body.clone(), etag: row.etag.clone() })
        }
        _ => Started::Reused,
    }
}

/// Stores the answer to a claimed key.
pub fn finish(tx: &mut Tx<'_>, key: &Key, answer: &StoredAnswer) -> Result<(), Error> {
    finish_batch(tx, &[(key, answer)])
}

/// Stores the answers to claimed keys, in one statement.
pub fn finish_batch(tx: &mut Tx<'_>, answers: &[(&Key, &StoredAnswer)]) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let statuses: Vec<i16> = answers.iter().map(|(_, answer)| i16::try_from(answer.status).unwrap_or(500)).collect();
    diesel::sql_query(
        "UPDATE idempotency i SET status = a.status, body = a.body, etag = a.etag \
         FROM unnest($1, $2, $3, $4, $5) AS a (client, key, status, body, etag) \
         WHERE i.client = a.client AND i.key = a.key",
    )
    .bind::<Array<Text>, _>(answers.iter().map(|(key, _)| key.client.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(answers.iter().map(|(key, _)| key.key.as_str()).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(statuses)
    .bind::<Array<Text>, _>(answers.iter().map(|(_, answer)| answer.body.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(answers.iter().map(|(_, answer)| answer.etag.as_deref()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Releases claimed keys whose requests were refused, so that the caller may correct and repeat them.
pub fn release(tx: &mut Tx<'_>, keys: &[&Key]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "DELETE FROM idempotency i USING unnest($1, $2) AS k (client, key) \
         WHERE i.client = k.client AND i.key = k.key AND i.status IS NULL",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.client.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Forgets up to `limit` answers given before `before`; says how many.
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<usize, Error> {
    Ok(diesel::sql_query(
        "DELETE FROM idempotency WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE made_at < $1 LIMIT $2))",
    )
    .bind::<Timestamptz, _>(before.utc())
    .bind::<BigInt, _>(limit)
    .execute(tx.conn())?)
}
