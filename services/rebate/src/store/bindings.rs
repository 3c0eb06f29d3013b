//! Bindings: who holds a role for a subject, and when.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::Tx;
use uuid::Uuid;

/// A binding as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct BindingRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub binding_id: Uuid,
    /// The role.
    #[diesel(sql_type = Text)]
    pub role: String,
    /// What it is bound to.
    #[diesel(sql_type = Text)]
    pub subject_kind: String,
    /// Its id or code.
    #[diesel(sql_type = Text)]
    pub subject: String,
    /// Who holds the role.
    #[diesel(sql_type = Text)]
    pub payee: String,
    /// From when.
    #[diesel(sql_type = Timestamptz)]
    pub from_at: DateTime<Utc>,
    /// Until when, if it ends.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub until_at: Option<DateTime<Utc>>,
    /// Until when it cannot be handed over.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub protected_until: Option<DateTime<Utc>>,
    /// What it rests on.
    #[diesel(sql_type = Nullable<Text>)]
    pub evidence: Option<String>,
    /// Who made it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
}

/// Writes a new binding; the subject is locked.
pub fn insert(tx: &mut Tx<'_>, row: &BindingRow) -> Result<(), store::Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "insert into bindings (binding_id, role, subject_kind, subject, payee, from_at, until_at, protected_until,
                               evidence, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind::<SqlUuid, _>(row.binding_id)
    .bind::<Text, _>(&row.role)
    .bind::<Text, _>(&row.subject_kind)
    .bind::<Text, _>(&row.subject)
    .bind::<Text, _>(&row.payee)
    .bind::<Timestamptz, _>(row.from_at)
    .bind::<Nullable<Timestamptz>, _>(row.until_at)
    .bind::<Nullable<Timestamptz>, _>(row.protected_until)
    .bind::<Nullable<Text>, _>(row.evidence.as_deref())
    .bind::<Text, _>(&row.created_by)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// Ends a binding at an instant; the subject is locked.
pub fn end(tx: &mut Tx<'_>, binding_id: Uuid, until: DateTime<Utc>) -> Result<(), store::Error> {
    diesel::sql_query("update bindings set until_at = $2 where binding_id = $1")
        .bind::<SqlUuid, _>(binding_id)
        .bind::<Timestamptz, _>(until)
        .execute(tx.conn())?;
    Ok(())
}

/// Every binding of a subject in a role, oldest first.
pub fn of_subject(
    tx: &mut Tx<'_>,
    role: &str,
    subject_kind: &str,
    subject: &str,
) -> Result<Vec<BindingRow>, store::Error> {
    let rows = diesel::sql_query(
        "select binding_id, role, subject_kind, subject, payee, from_at, until_at, protected_until, evidence, created_by
         from bindings where subject = $3 and subject_kind = $2 and role = $1 order by from_at",
    )
    .bind::<Text, _>(role)
    .bind::<Text, _>(subject_kind)
    .bind::<Text, _>(subject)
    .load(tx.conn())?;
    Ok(rows)
}

/// Which bindings are wanted; an absent term does not filter.
#[derive(Clone, Debug, Default)]
pub struct BindingFilter {
    /// Holders.
    pub payees: Option<Vec<String>>,
    /// In which role.
    pub role: Option<String>,
    /// Bound to what.
    pub subject_kind: Option<String>,
    /// Its id or code.
    pub subject: Option<String>,
    /// In force at this instant.
    pub at: Option<DateTime<Utc>>,
}

/// At most `limit + 1` bindings after `after`, by id.
pub fn list(
    tx: &mut Tx<'_>,
    filter: &BindingFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<BindingRow>, store::Error> {
    let rows = diesel::sql_query(
        "select binding_id, role, subject_kind, subject, payee, from_at, until_at, protected_until, evidence, created_by
         from bindings
         where ($1 is null or payee = any($1)) and ($2 is null or role = $2) and ($3 is null or subject_kind = $3)
           and ($4 is null or subject = $4) and ($5 is null or (from_at <= $5 and (until_at is null or $5 < until_at)))
           and ($6 is null or binding_id > $6)
         order by binding_id limit $7",
    )
    .bind::<Nullable<Array<Text>>, _>(filter.payees.as_deref())
    .bind::<Nullable<Text>, _>(filter.role.as_deref())
    .bind::<Nullable<Text>, _>(filter.subject_kind.as_deref())
    .bind::<Nullable<Text>, _>(filter.subject.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.at)
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows)
}

/// Asks who is bound to a subject at an instant.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whether the subject is a member; otherwise it is a store or a location.
    pub member: bool,
    /// Its id or code.
    pub subject: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A binding in force, and the question it answers by its place, counted from 1.
#[derive(Clone, Debug, QueryableByName)]
pub struct InForce {
    /// Which question.
    #[diesel(sql_type = BigInt)]
    pub place: i64,
    /// The role.
    #[diesel(sql_type = Text)]
    pub role: String,
    /// Who.
    #[diesel(sql_type = Text)]
    pub payee: String,
    /// By which binding.
    #[diesel(sql_type = SqlUuid)]
    pub binding_id: Uuid,
}

/// Answers all questions with one statement; a binding of a store goes before one of the location of the same code.
pub fn in_force(tx: &mut Tx<'_>, questions: &[Question]) -> Result<Vec<InForce>, store::Error> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = diesel::sql_query(
        "select k.place, b.role, b.payee, b.binding_id
         from unnest($1, $2, $3) with ordinality as k (member, subject, at, place)
         join bindings b on b.subject = k.subject and (b.subject_kind = 'member') = k.member
          and b.from_at <= k.at and (b.until_at is null or k.at < b.until_at)
         order by k.place, b.role, b.subject_kind desc",
    )
    .bind::<Array<Bool>, _>(questions.iter().map(|question| question.member).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(questions.iter().map(|question| question.subject.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(questions.iter().map(|question| question.at).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows)
}
