//! Sourcing rulesets: documents that are added and never changed, and what each is used for.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use kernel::Timestamp;
use store::{Error, Tx, statement};

use crate::domain::ruleset::state::State;
use crate::domain::{Rules, Ruleset};

/// A stored ruleset.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stored {
    /// Its version, counted up from 1.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Its state as text.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Its document as compact JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
    /// Who wrote it.
    #[diesel(sql_type = Text)]
    pub author: String,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// When it was last activated.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub activated_at: Option<chrono::DateTime<chrono::Utc>>,
    /// Grows with every change of its state.
    #[diesel(sql_type = BigInt)]
    pub revision: i64,
}

impl Stored {
    /// Its document.
    pub fn rules(&self) -> Result<Rules, Error> {
        Ok(serde_json::from_str(&self.document)?)
    }

    /// The ruleset, ready to decide by.
    pub fn ruleset(&self) -> Result<Ruleset, Error> {
        Ok(Ruleset::new(self.version, self.rules()?))
    }

    /// Its state.
    pub fn state(&self) -> Result<State, Error> {
        State::parse(&self.state).ok_or(Error::Broken("a stored state is one of four"))
    }
}

const COLUMNS: &str = "version, state, document, author, created_at, activated_at, revision";

/// Adds a draft under the next version. The caller holds the pool's lock.
pub fn insert(tx: &mut Tx<'_>, document: &str, author: &str) -> Result<Stored, Error> {
    let at = tx.now().utc();
    Ok(diesel::sql_query(format!(
        "INSERT INTO rulesets (version, state, document, author, created_at) \
         SELECT coalesce(max(version), 0) + 1, 'draft', $1, $2, $3 FROM rulesets RETURNING {COLUMNS}"
    ))
    .bind::<Text, _>(document)
    .bind::<Text, _>(author)
    .bind::<Timestamptz, _>(at)
    .get_result(tx.conn())?)
}

/// A ruleset by its version.
pub fn get(tx: &mut Tx<'_>, version: i32) -> Result<Option<Stored>, Error> {
    Ok(diesel::sql_query(format!("SELECT {COLUMNS} FROM rulesets WHERE version = $1"))
        .bind::<Integer, _>(version)
        .get_result(tx.conn())
        .optional()?)
}

/// Those of these versions that exist.
pub fn of_versions(tx: &mut Tx<'_>, versions: &[i32]) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query(format!("SELECT {COLUMNS} FROM rulesets WHERE version = ANY($1)"))
        .bind::<Array<Integer>, _>(versions)
        .load(tx.conn())?)
}

/// The one in a state that at most one is in.
pub fn in_state(tx: &mut Tx<'_>, state: State) -> Result<Option<Stored>, Error> {
    Ok(statement(format!("SELECT {COLUMNS} FROM rulesets WHERE state = $1 ORDER BY version LIMIT 1"))
        .bind::<Text, _>(state.as_str())
        .get_result(tx.conn())
        .optional()?)
}

/// The ruleset in force. There always is one: the migration puts the first in force, and an active one only ever gives
/// way to another.
pub fn active(tx: &mut Tx<'_>) -> Result<Ruleset, Error> {
    in_state(tx, State::Active)?.ok_or(Error::Broken("a ruleset is active"))?.ruleset()
}

/// Rulesets, newest first, below a version, at most so many.
pub fn list(tx: &mut Tx<'_>, below: Option<i32>, limit: i64) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM rulesets WHERE $1 IS NULL OR version < $1 ORDER BY version DESC LIMIT $2"
    ))
    .bind::<Nullable<Integer>, _>(below)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// Sets a state. What was in that state and must give way has been moved before.
pub fn set_state(tx: &mut Tx<'_>, version: i32, state: State) -> Result<(), Error> {
    let at: Option<Timestamp> = (state == State::Active).then(|| tx.now());
    diesel::sql_query(
        "UPDATE rulesets SET state = $2, activated_at = coalesce($3, activated_at), revision = revision + 1 \
         WHERE version = $1",
    )
    .bind::<Integer, _>(version)
    .bind::<Text, _>(state.as_str())
    .bind::<Nullable<Timestamptz>, _>(at.map(Timestamp::utc))
    .execute(tx.conn())?;
    Ok(())
}
