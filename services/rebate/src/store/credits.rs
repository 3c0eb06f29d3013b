//! Credits: who orders are credited to since they name another guide or store; append-only.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::Tx;
use uuid::Uuid;

/// A later decision on who an order is credited to.
#[derive(Clone, Debug, QueryableByName)]
pub struct CreditRow {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// The order's version that names them.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// The guide that it names.
    #[diesel(sql_type = Nullable<Text>)]
    pub guide: Option<String>,
    /// The store that it names.
    #[diesel(sql_type = Nullable<Text>)]
    pub store: Option<String>,
    /// Every candidate, as JSON.
    #[diesel(sql_type = Jsonb)]
    pub candidates: serde_json::Value,
    /// When the order was changed.
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
}

/// Records decisions with one statement; their orders are locked.
pub fn insert(tx: &mut Tx<'_>, rows: &[CreditRow]) -> Result<(), store::Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "insert into credits (order_id, version, guide, store, candidates, changed_at, decided_at)
         select t.*, $7 from unnest($1, $2, $3, $4, $5, $6) as t",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.guide.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.store.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(rows.iter().map(|row| &row.candidates).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.changed_at).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// The version of the newest decision of each of these orders that has one.
pub fn newest(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<HashMap<Uuid, i64>, store::Error> {
    #[derive(QueryableByName)]
    struct Newest {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = BigInt)]
        version: i64,
    }
    let rows: Vec<Newest> = diesel::sql_query(
        "select order_id, max(version) as version from credits where order_id = any($1) group by order_id",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.version)).collect())
}

/// The decision of an order by a version.
pub fn find(tx: &mut Tx<'_>, order_id: Uuid, version: i64) -> Result<Option<CreditRow>, store::Error> {
    let row = diesel::sql_query(
        "select order_id, version, guide, store, candidates, changed_at from credits where order_id = $1 and version = $2",
    )
    .bind::<SqlUuid, _>(order_id)
    .bind::<BigInt, _>(version)
    .get_result(tx.conn())
    .optional()?;
    Ok(row)
}
