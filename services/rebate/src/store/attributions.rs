//! Attributions: who each order is credited to, as it was decided first.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Nullable, Timestamptz, Uuid as SqlUuid};
use kernel::id::{MemberId, OrderId};
use store::{Tx, statement};
use uuid::Uuid;

use crate::domain::attribution::Candidate;

/// A decided attribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The order.
    pub order_id: OrderId,
    /// Who bought.
    pub member_id: Option<MemberId>,
    /// Everyone who could have been credited.
    pub candidates: Vec<Candidate>,
}

#[derive(QueryableByName)]
struct OrderIdRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
}

/// Records attributions with one statement and answers which orders were not attributed before.
pub fn insert(tx: &mut Tx<'_>, attributions: &[Attribution]) -> Result<Vec<OrderId>, store::Error> {
    let now = tx.now().utc();
    let candidates = attributions
        .iter()
        .map(|attribution| serde_json::to_value(&attribution.candidates))
        .collect::<Result<Vec<_>, _>>()?;
    let text = format!(
        "insert into attributions (order_id, member_id, candidates, attributed_at)
         select t.*, $1 from unnest($2, $3, $4) as t {} returning order_id",
        tx.on_conflict("on conflict do nothing")
    );
    let rows: Vec<OrderIdRow> = statement(text)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(attributions.iter().map(|one| one.order_id.uuid()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            attributions.iter().map(|one| one.member_id.map(MemberId::uuid)).collect::<Vec<_>>(),
        )
        .bind::<Array<Jsonb>, _>(candidates)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| OrderId(row.order_id)).collect())
}

/// Marks orders as earned; they are locked.
pub fn mark_earned(tx: &mut Tx<'_>, orders: &[(Uuid, DateTime<Utc>)]) -> Result<(), store::Error> {
    let (ids, ats): (Vec<Uuid>, Vec<DateTime<Utc>>) = orders.iter().copied().unzip();
    diesel::sql_query(
        "update attributions a set earned_at = k.at from unnest($1, $2) as k (order_id, at) where a.order_id = k.order_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Timestamptz>, _>(ats)
    .execute(tx.conn())?;
    Ok(())
}

/// An attribution as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct AttributionRow {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Who bought.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub member_id: Option<Uuid>,
    /// Every candidate, as JSON.
    #[diesel(sql_type = Jsonb)]
    pub candidates: serde_json::Value,
    /// When it was decided.
    #[diesel(sql_type = Timestamptz)]
    pub attributed_at: DateTime<Utc>,
    /// When its accruals became payable.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub earned_at: Option<DateTime<Utc>>,
}

/// The attributions of these orders.
pub fn of_orders(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<Vec<AttributionRow>, store::Error> {
    let rows = diesel::sql_query(
        "select order_id, member_id, candidates, attributed_at, earned_at from attributions where order_id = any($1)",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    Ok(rows)
}

/// The attribution of an order.
pub fn find(tx: &mut Tx<'_>, order_id: Uuid) -> Result<Option<AttributionRow>, store::Error> {
    Ok(of_orders(tx, &[order_id])?.into_iter().next())
}
