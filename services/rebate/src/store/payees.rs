//! Payees.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz};
use store::Tx;

/// A payee as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct PayeeRow {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Its name.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// What it is.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Whether it may earn.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Creates or replaces a payee.
pub fn upsert(tx: &mut Tx<'_>, payee: &PayeeRow) -> Result<(), store::Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "insert into payees (code, name, kind, status, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $6)
         on conflict (code) do update
         set name = excluded.name, kind = excluded.kind, status = excluded.status, version = excluded.version,
             updated_at = excluded.updated_at",
    )
    .bind::<Text, _>(&payee.code)
    .bind::<Text, _>(&payee.name)
    .bind::<Text, _>(&payee.kind)
    .bind::<Text, _>(&payee.status)
    .bind::<BigInt, _>(payee.version)
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// One payee.
pub fn find(tx: &mut Tx<'_>, code: &str) -> Result<Option<PayeeRow>, store::Error> {
    let row = diesel::sql_query("select code, name, kind, status, version from payees where code = $1")
        .bind::<Text, _>(code)
        .get_result(tx.conn())
        .optional()?;
    Ok(row)
}

/// At most `limit + 1` payees after `after`, by code; within `scope` when one is given.
pub fn list(
    tx: &mut Tx<'_>,
    kind: Option<&str>,
    scope: Option<&[String]>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<PayeeRow>, store::Error> {
    let rows = diesel::sql_query(
        "select code, name, kind, status, version from payees
         where ($1 is null or kind = $1) and ($2 is null or code = any($2)) and ($3 is null or code > $3)
         order by code limit $4",
    )
    .bind::<Nullable<Text>, _>(kind)
    .bind::<Nullable<Array<Text>>, _>(scope)
    .bind::<Nullable<Text>, _>(after)
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows)
}

/// Whether a registered payee may earn.
#[derive(Clone, Debug, QueryableByName)]
pub struct Standing {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Whether it may earn.
    #[diesel(sql_type = Bool)]
    pub active: bool,
}

/// The standing of those of these codes that are registered.
pub fn standings(tx: &mut Tx<'_>, codes: &[&str]) -> Result<Vec<Standing>, store::Error> {
    let rows = diesel::sql_query("select code, status = 'active' as active from payees where code = any($1)")
        .bind::<Array<Text>, _>(codes)
        .load(tx.conn())?;
    Ok(rows)
}
