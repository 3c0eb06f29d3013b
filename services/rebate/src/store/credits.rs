//! Credits: who orders are credited to since they name another guide or store; append-only.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
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
    /// Whether the order names them by this version; else it got more lines and names whom it did.
    #[diesel(sql_type = Bool)]
    pub names: bool,
    /// The lines that the order got after it was placed, as far as they were known.
    #[diesel(sql_type = Array<Integer>)]
    pub added_lines: Vec<i32>,
}

/// Records decisions with one statement; their orders are locked.
pub fn insert(tx: &mut Tx<'_>, rows: &[CreditRow]) -> Result<(), store::Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "insert into credits (order_id, version, guide, store, candidates, changed_at, names, added_lines, decided_at)
         select order_id, version, guide, store, candidates, changed_at, names, added_lines::integer[], $9
         from unnest($1, $2, $3, $4, $5, $6, $7, $8)
         as t (order_id, version, guide, store, candidates, changed_at, names, added_lines)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.guide.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.store.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(rows.iter().map(|row| &row.candidates).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.changed_at).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.names).collect::<Vec<_>>())
    // Arrays of arrays are no columns; as text they are.
    .bind::<Array<Text>, _>(rows.iter().map(|row| array(&row.added_lines)).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

fn array(numbers: &[i32]) -> String {
    format!("{{{}}}", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

/// The decisions of these orders, the oldest version first.
pub fn of_orders(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<Vec<CreditRow>, store::Error> {
    Ok(diesel::sql_query(
        "select order_id, version, guide, store, candidates, changed_at, names, added_lines
         from credits where order_id = any($1) order by order_id, version",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?)
}

/// The decision of an order by a version.
pub fn find(tx: &mut Tx<'_>, order_id: Uuid, version: i64) -> Result<Option<CreditRow>, store::Error> {
    let row = diesel::sql_query(
        "select order_id, version, guide, store, candidates, changed_at, names, added_lines
         from credits where order_id = $1 and version = $2",
    )
    .bind::<SqlUuid, _>(order_id)
    .bind::<BigInt, _>(version)
    .get_result(tx.conn())
    .optional()?;
    Ok(row)
}
