//! Rows of rules: earning rules and tier programmes, every version.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Timestamptz};
use store::{Error, Tx};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// What orders earn.
    EarningRule,
    /// Which tiers there are.
    TierProgram,
}

impl RuleKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EarningRule => "earning_rule",
            Self::TierProgram => "tier_program",
        }
    }
}

/// One version of a rule.
#[derive(Clone, Debug, QueryableByName)]
pub struct RuleRow {
    /// Names this version.
    #[diesel(sql_type = BigInt)]
    pub rule_id: i64,
    /// What it is about.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Its name.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Counts up from 1 for each name.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// What it says.
    #[diesel(sql_type = Jsonb)]
    pub document: serde_json::Value,
}

/// The newest version of every rule, by code.
pub fn in_force(tx: &mut Tx<'_>) -> Result<Vec<RuleRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT DISTINCT ON (kind, code) rule_id, kind, code, version, document FROM rules
         ORDER BY kind, code, version DESC",
    )
    .load(tx.conn())?)
}

/// The versions of these ids.
pub fn by_id(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<RuleRow>, Error> {
    Ok(diesel::sql_query("SELECT rule_id, kind, code, version, document FROM rules WHERE rule_id = ANY ($1)")
        .bind::<Array<BigInt>, _>(ids)
        .load(tx.conn())?)
}

/// The newest version of a rule.
pub fn newest(tx: &mut Tx<'_>, kind: RuleKind, code: &str) -> Result<Option<RuleRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT rule_id, kind, code, version, document FROM rules WHERE kind = $1 AND code = $2
         ORDER BY version DESC LIMIT 1",
    )
    .bind::<Text, _>(kind.as_str())
    .bind::<Text, _>(code)
    .get_result(tx.conn())
    .optional()?)
}

/// Lets no other transaction change a rule until this one ends; reading goes on.
pub fn lock(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query("LOCK TABLE rules IN SHARE ROW EXCLUSIVE MODE").execute(tx.conn())?;
    Ok(())
}

/// Adds a version. Two at once contradict each other in the unique key: one of them is told to try again.
pub fn add(
    tx: &mut Tx<'_>,
    kind: RuleKind,
    code: &str,
    version: i64,
    document: &serde_json::Value,
) -> Result<(), Error> {
    let now = tx.now().utc();
    let added = diesel::sql_query(
        "INSERT INTO rules (kind, code, version, document, made_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(kind.as_str())
    .bind::<Text, _>(code)
    .bind::<BigInt, _>(version)
    .bind::<Jsonb, _>(document)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    if added == 0 {
        Err(Error::Conflict("another version of the rule was made at the same time".to_owned()))
    } else {
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    codes: i64,
}

/// How many rules of a kind there are.
pub fn count(tx: &mut Tx<'_>, kind: RuleKind) -> Result<i64, Error> {
    let row: Count = diesel::sql_query("SELECT count(DISTINCT code) AS codes FROM rules WHERE kind = $1")
        .bind::<Text, _>(kind.as_str())
        .get_result(tx.conn())?;
    Ok(row.codes)
}
