//! Policy versions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::PolicyId;
use store::Tx;
use uuid::Uuid;

use crate::domain::policy::{PolicyDocument, PolicyStatus};

/// A policy version as it is stored.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub struct PolicyRow {
    /// The version's id.
    #[diesel(sql_type = SqlUuid)]
    pub policy_id: Uuid,
    /// The policy's code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Counted from 1.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Its rules.
    #[diesel(sql_type = Jsonb)]
    pub document: serde_json::Value,
    /// Its maker.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// When it was made.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Its checker.
    #[diesel(sql_type = Nullable<Text>)]
    pub approved_by: Option<String>,
    /// When it was approved.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub approved_at: Option<DateTime<Utc>>,
    /// When it came into force.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub activated_at: Option<DateTime<Utc>>,
    /// When it went out of force.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Grows with every step.
    #[diesel(sql_type = BigInt)]
    pub revision: i64,
}

impl PolicyRow {
    /// Where it stands, as a word of the domain.
    pub fn standing(&self) -> Result<PolicyStatus, store::Error> {
        PolicyStatus::from_word(&self.status).ok_or(store::Error::Broken("a policy's status is one that CHECK allows"))
    }
}

/// Writes a new version; `false` when this version of the code is there already.
pub fn insert(tx: &mut Tx<'_>, row: &PolicyRow) -> Result<bool, store::Error> {
    let inserted = diesel::sql_query(
        "insert into policies (policy_id, code, version, name, status, document, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (code, version) do nothing",
    )
    .bind::<SqlUuid, _>(row.policy_id)
    .bind::<Text, _>(&row.code)
    .bind::<Integer, _>(row.version)
    .bind::<Text, _>(&row.name)
    .bind::<Text, _>(&row.status)
    .bind::<Jsonb, _>(&row.document)
    .bind::<Text, _>(&row.created_by)
    .bind::<Timestamptz, _>(row.created_at)
    .execute(tx.conn())?;
    Ok(inserted == 1)
}

/// Writes where a version stands now; its rows are locked.
pub fn update_standing(tx: &mut Tx<'_>, row: &PolicyRow) -> Result<(), store::Error> {
    diesel::sql_query(
        "update policies set status = $2, approved_by = $3, approved_at = $4, activated_at = $5, ended_at = $6, revision = $7
         where policy_id = $1",
    )
    .bind::<SqlUuid, _>(row.policy_id)
    .bind::<Text, _>(&row.status)
    .bind::<Nullable<Text>, _>(row.approved_by.as_deref())
    .bind::<Nullable<Timestamptz>, _>(row.approved_at)
    .bind::<Nullable<Timestamptz>, _>(row.activated_at)
    .bind::<Nullable<Timestamptz>, _>(row.ended_at)
    .bind::<BigInt, _>(row.revision)
    .execute(tx.conn())?;
    Ok(())
}

/// One version.
pub fn find(tx: &mut Tx<'_>, policy_id: Uuid) -> Result<Option<PolicyRow>, store::Error> {
    let row = diesel::sql_query(
        "select policy_id, code, version, name, status, document, created_by, created_at, approved_by, approved_at,
                activated_at, ended_at, revision
         from policies where policy_id = $1",
    )
    .bind::<SqlUuid, _>(policy_id)
    .get_result(tx.conn())
    .optional()?;
    Ok(row)
}

/// At most `limit + 1` versions after `after`, by code, then version.
pub fn list(
    tx: &mut Tx<'_>,
    code: Option<&str>,
    status: Option<&str>,
    after: Option<&(String, i32)>,
    limit: i64,
) -> Result<Vec<PolicyRow>, store::Error> {
    let rows = diesel::sql_query(
        "select policy_id, code, version, name, status, document, created_by, created_at, approved_by, approved_at,
                activated_at, ended_at, revision
         from policies
         where ($1 is null or code = $1) and ($2 is null or status = $2) and ($3 is null or (code, version) > ($3, $4))
         order by code, version limit $5",
    )
    .bind::<Nullable<Text>, _>(code)
    .bind::<Nullable<Text>, _>(status)
    .bind::<Nullable<Text>, _>(after.map(|(code, _)| code.as_str()))
    .bind::<Nullable<Integer>, _>(after.map(|(_, version)| *version))
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows)
}

#[derive(QueryableByName)]
struct DocumentRow {
    #[diesel(sql_type = SqlUuid)]
    policy_id: Uuid,
    #[diesel(sql_type = Jsonb)]
    document: serde_json::Value,
}

fn parsed(rows: Vec<DocumentRow>) -> Result<Vec<(PolicyId, PolicyDocument)>, store::Error> {
    rows.into_iter().map(|row| Ok((PolicyId(row.policy_id), serde_json::from_value(row.document)?))).collect()
}

/// The rules in force, in the order of their codes.
pub fn active(tx: &mut Tx<'_>) -> Result<Vec<(PolicyId, PolicyDocument)>, store::Error> {
    parsed(
        diesel::sql_query("select policy_id, document from policies where status = 'active' order by code")
            .load(tx.conn())?,
    )
}

/// Rules and when they were in force.
#[derive(Clone, Debug)]
pub struct Reign {
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when, if they ended.
    pub until: Option<DateTime<Utc>>,
    /// The version and its rules.
    pub policy: (PolicyId, PolicyDocument),
}

impl Reign {
    /// Whether they were in force at an instant.
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The rules that were in force at some time between two instants, in the order of their codes.
pub fn in_force(tx: &mut Tx<'_>, first: DateTime<Utc>, last: DateTime<Utc>) -> Result<Vec<Reign>, store::Error> {
    #[derive(QueryableByName)]
    struct ReignRow {
        #[diesel(sql_type = SqlUuid)]
        policy_id: Uuid,
        #[diesel(sql_type = Jsonb)]
        document: serde_json::Value,
        #[diesel(sql_type = Timestamptz)]
        activated_at: DateTime<Utc>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        ended_at: Option<DateTime<Utc>>,
    }
    let rows: Vec<ReignRow> = diesel::sql_query(
        "select policy_id, document, activated_at, ended_at from policies
         where activated_at <= $1 and (ended_at is null or ended_at > $2) order by code, version",
    )
    .bind::<Timestamptz, _>(last)
    .bind::<Timestamptz, _>(first)
    .load(tx.conn())?;
    let reign = |row: ReignRow| {
        let policy = (PolicyId(row.policy_id), serde_json::from_value(row.document)?);
        Ok(Reign { from: row.activated_at, until: row.ended_at, policy })
    };
    rows.into_iter().map(reign).collect()
}

/// The rules of these versions.
pub fn documents(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<(PolicyId, PolicyDocument)>, store::Error> {
    parsed(
        diesel::sql_query("select policy_id, document from policies where policy_id = any($1)")
            .bind::<Array<SqlUuid>, _>(ids)
            .load(tx.conn())?,
    )
}
