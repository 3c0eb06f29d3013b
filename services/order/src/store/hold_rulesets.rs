//! The table `order_hold_rulesets`: documents that are added and never changed, and which of them judges.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};
use store::{Error, Tx, statement};

use crate::domain::hold_rule::HoldRules;
use crate::domain::state::HoldRulesStatus;

/// A stored version of the rules.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stored {
    /// Its version, counted up from 1.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Its state as text.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Its document as JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
    /// Who wrote it.
    #[diesel(sql_type = Text)]
    pub author: String,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When it was last activated.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub activated_at: Option<DateTime<Utc>>,
    /// Grows with every change of its state.
    #[diesel(sql_type = BigInt)]
    pub revision: i64,
}

impl Stored {
    /// Its document.
    pub fn rules(&self) -> Result<HoldRules, Error> {
        Ok(serde_json::from_str(&self.document)?)
    }

    /// Its state.
    pub fn state(&self) -> Result<HoldRulesStatus, Error> {
        super::state(HoldRulesStatus::parse(&self.state))
    }
}

/// Adds a draft under the next version. The versions must be locked.
pub fn insert(tx: &mut Tx<'_>, document: &str, author: &str) -> Result<Stored, Error> {
    let at = tx.now().utc();
    Ok(diesel::sql_query(
        "INSERT INTO order_hold_rulesets (version, state, document, author, created_at) \
         SELECT coalesce(max(version), 0) + 1, 'draft', $1, $2, $3 FROM order_hold_rulesets RETURNING *",
    )
    .bind::<Text, _>(document)
    .bind::<Text, _>(author)
    .bind::<Timestamptz, _>(at)
    .get_result(tx.conn())?)
}

/// One version.
pub fn get(tx: &mut Tx<'_>, version: i32) -> Result<Option<Stored>, Error> {
    Ok(diesel::sql_query("SELECT * FROM order_hold_rulesets WHERE version = $1")
        .bind::<Integer, _>(version)
        .get_result(tx.conn())
        .optional()?)
}

/// The version that judges, if one does.
pub fn active(tx: &mut Tx<'_>) -> Result<Option<i32>, Error> {
    #[derive(QueryableByName)]
    struct Active {
        #[diesel(sql_type = Integer)]
        version: i32,
    }
    let row: Option<Active> =
        statement("SELECT version FROM order_hold_rulesets WHERE state = 'active'").get_result(tx.conn()).optional()?;
    Ok(row.map(|row| row.version))
}

/// The first `limit` versions below one, the newest first.
pub fn list(tx: &mut Tx<'_>, below: Option<i32>, limit: i64) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query(
        "SELECT * FROM order_hold_rulesets WHERE $1 IS NULL OR version < $1 ORDER BY version DESC LIMIT $2",
    )
    .bind::<Nullable<Integer>, _>(below)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// Lets a version judge; whichever did before is retired. The versions must be locked.
pub fn activate(tx: &mut Tx<'_>, version: i32) -> Result<(), Error> {
    let at = tx.now().utc();
    diesel::sql_query(
        "UPDATE order_hold_rulesets SET state = 'retired', revision = revision + 1 WHERE state = 'active'",
    )
    .execute(tx.conn())?;
    diesel::sql_query(
        "UPDATE order_hold_rulesets SET state = 'active', activated_at = $2, revision = revision + 1 WHERE version = $1",
    )
    .bind::<Integer, _>(version)
    .bind::<Timestamptz, _>(at)
    .execute(tx.conn())?;
    Ok(())
}
