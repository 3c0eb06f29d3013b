//! Replays: what was asked for, how far each has come, and what its orders took.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::compare::Comparison;
use crate::domain::{Rules, Ruleset};

/// A replay.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stored {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Where it stands, as text.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The first instant of its window.
    #[diesel(sql_type = Timestamptz)]
    pub since: chrono::DateTime<chrono::Utc>,
    /// The first instant after it.
    #[diesel(sql_type = Timestamptz)]
    pub until: chrono::DateTime<chrono::Utc>,
    /// The channels whose orders are decided again; none means all.
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub channels: Option<Vec<String>>,
    /// At most so many orders are.
    #[diesel(sql_type = BigInt)]
    pub most: i64,
    /// The version of a stored ruleset.
    #[diesel(sql_type = Nullable<Integer>)]
    pub version: Option<i32>,
    /// The ruleset's document as compact JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
    /// Who asked for it.
    #[diesel(sql_type = Text)]
    pub author: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// When it last came further.
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: chrono::DateTime<chrono::Utc>,
    /// First decisions in the window.
    #[diesel(sql_type = BigInt)]
    pub decisions: i64,
    /// Of them read.
    #[diesel(sql_type = BigInt)]
    pub read: i64,
    /// Of those decided again.
    #[diesel(sql_type = BigInt)]
    pub replayed: i64,
    /// The instant of the last decision that was read…
    #[diesel(sql_type = Timestamptz)]
    pub read_at: chrono::DateTime<chrono::Utc>,
    /// …and its number.
    #[diesel(sql_type = BigInt)]
    pub read_seq: i64,
    /// The last movement before the window, once it has begun.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub first: Option<i64>,
    /// The last movement that was replayed.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub position: Option<i64>,
    /// What was found so far, as compact JSON.
    #[diesel(sql_type = Text)]
    pub comparison: String,
    /// Why it failed.
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
}

impl Stored {
    /// The candidate; version 0 when it is not stored.
    pub fn ruleset(&self) -> Result<Ruleset, Error> {
        let rules: Rules = serde_json::from_str(&self.document)?;
        Ok(Ruleset::new(self.version.unwrap_or(0), rules))
    }

    /// What was found so far.
    pub fn comparison(&self) -> Result<Comparison, Error> {
        Ok(serde_json::from_str(&self.comparison)?)
    }
}

const COLUMNS: &str = "id, status, since, until, channels, most, version, document, author, created_at, changed_at, \
    decisions, read, replayed, read_at, read_seq, first, position, comparison, error";

/// Adds a replay.
pub fn insert(tx: &mut Tx<'_>, new: &Stored) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO replays (id, status, since, until, channels, most, version, document, author, created_at, changed_at, \
         decisions, read_at, comparison) VALUES ($1, 'queued', $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $2, $11)",
    )
    .bind::<SqlUuid, _>(new.id)
    .bind::<Timestamptz, _>(new.since)
    .bind::<Timestamptz, _>(new.until)
    .bind::<Nullable<Array<Text>>, _>(&new.channels)
    .bind::<BigInt, _>(new.most)
    .bind::<Nullable<Integer>, _>(new.version)
    .bind::<Text, _>(&new.document)
    .bind::<Text, _>(&new.author)
    .bind::<Timestamptz, _>(new.created_at)
    .bind::<BigInt, _>(new.decisions)
    .bind::<Text, _>(&new.comparison)
    .execute(tx.conn())?;
    Ok(())
}

/// Forgets the oldest finished ones beyond so many.
pub fn prune(tx: &mut Tx<'_>, keep: i64) -> Result<(), Error> {
    diesel::sql_query(
        "DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE status IN ('done', 'failed') \
         ORDER BY created_at DESC, id DESC OFFSET $1)",
    )
    .bind::<BigInt, _>(keep)
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many have not finished.
pub fn waiting(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row: Count = diesel::sql_query("SELECT count(*) FROM replays WHERE status IN ('queued', 'running')")
        .get_result(tx.conn())?;
    Ok(row.count)
}

/// First decisions in a window, counted up to a limit.
pub fn count(tx: &mut Tx<'_>, since: Timestamp, until: Timestamp, most: i64) -> Result<i64, Error> {
    let row: Count = diesel::sql_query(
        "SELECT count(*) FROM (SELECT FROM decisions WHERE attempt = 1 AND decided_at >= $1 AND decided_at < $2 LIMIT $3) d",
    )
    .bind::<Timestamptz, _>(since.utc())
    .bind::<Timestamptz, _>(until.utc())
    .bind::<BigInt, _>(most)
    .get_result(tx.conn())?;
    Ok(row.count)
}

/// A replay by its id.
pub fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Stored>, Error> {
    Ok(diesel::sql_query(format!("SELECT {COLUMNS} FROM replays WHERE id = $1"))
        .bind::<SqlUuid, _>(id)
        .get_result(tx.conn())
        .optional()?)
}

/// The one to run: the oldest that has not finished.
pub fn next(tx: &mut Tx<'_>) -> Result<Option<Stored>, Error> {
    Ok(statement(format!(
        "SELECT {COLUMNS} FROM replays WHERE status IN ('queued', 'running') ORDER BY created_at, id LIMIT 1"
    ))
    .get_result(tx.conn())
    .optional()?)
}

/// Replays of these channels alone, or all; newest first, before an id, at most so many.
pub fn list(
    tx: &mut Tx<'_>,
    within: Option<Vec<String>>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM replays WHERE ($1 IS NULL OR channels <@ $1) AND ($2 IS NULL OR id < $2) \
         ORDER BY id DESC LIMIT $3"
    ))
    .bind::<Nullable<Array<Text>>, _>(within)
    .bind::<Nullable<SqlUuid>, _>(before)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// Notes how far a replay has come.
pub fn advance(tx: &mut Tx<'_>, replay: &Stored) -> Result<(), Error> {
    let at = tx.now().utc();
    diesel::sql_query(
        "UPDATE replays SET status = $2, read = $3, replayed = $4, read_at = $5, read_seq = $6, first = $7, position = $8, \
         comparison = $9, error = $10, changed_at = $11 WHERE id = $1",
    )
    .bind::<SqlUuid, _>(replay.id)
    .bind::<Text, _>(&replay.status)
    .bind::<BigInt, _>(replay.read)
    .bind::<BigInt, _>(replay.replayed)
    .bind::<Timestamptz, _>(replay.read_at)
    .bind::<BigInt, _>(replay.read_seq)
    .bind::<Nullable<BigInt>, _>(replay.first)
    .bind::<Nullable<BigInt>, _>(replay.position)
    .bind::<Text, _>(&replay.comparison)
    .bind::<Nullable<Text>, _>(&replay.error)
    .bind::<Timestamptz, _>(at)
    .execute(tx.conn())?;
    Ok(())
}

/// Forgets what the orders of a finished replay took.
pub fn clear(tx: &mut Tx<'_>, replay: Uuid) -> Result<(), Error> {
    for text in ["DELETE FROM replay_taken WHERE replay = $1", "DELETE FROM replay_loads WHERE replay = $1"] {
        diesel::sql_query(text).bind::<SqlUuid, _>(replay).execute(tx.conn())?;
    }
    Ok(())
}

/// Units that orders took of a SKU at a location.
pub type Taken<'a> = (&'a str, &'a str, i64);

/// Adds what orders took.
pub fn take(tx: &mut Tx<'_>, replay: Uuid, taken: &[Taken<'_>]) -> Result<(), Error> {
    statement(
        "INSERT INTO replay_taken AS t (replay, sku, location, units) SELECT $1, * FROM unnest($2, $3, $4) \
         ON CONFLICT (replay, sku, location) DO UPDATE SET units = t.units + excluded.units",
    )
    .bind::<SqlUuid, _>(replay)
    .bind::<Array<Text>, _>(taken.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(taken.iter().map(|it| it.1).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(taken.iter().map(|it| it.2).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Orders of a location's day.
pub type Loaded<'a> = (&'a str, chrono::NaiveDate, i64);

/// Adds the capacity that orders used.
pub fn load(tx: &mut Tx<'_>, replay: Uuid, loaded: &[Loaded<'_>]) -> Result<(), Error> {
    statement(
        "INSERT INTO replay_loads AS t (replay, location, day, orders) SELECT $1, * FROM unnest($2, $3, $4) \
         ON CONFLICT (replay, location, day) DO UPDATE SET orders = t.orders + excluded.orders",
    )
    .bind::<SqlUuid, _>(replay)
    .bind::<Array<Text>, _>(loaded.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind::<Array<Date>, _>(loaded.iter().map(|it| it.1).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(loaded.iter().map(|it| it.2).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
