//! The table `payment_deadlines`: until when orders are to be paid that are not.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::payment_terms::Schedule;

/// Until when an order is to be paid.
#[derive(Clone, Debug, QueryableByName)]
pub struct DeadlineRow {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// When it is cancelled unless something is paid.
    #[diesel(sql_type = Timestamptz)]
    pub due_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<BigInt>)]
    deposit_amount: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    balance_by: Option<DateTime<Utc>>,
}

impl DeadlineRow {
    /// Of an order of which so much is paid; none if there is no deadline.
    pub fn new(order_id: Uuid, schedule: Schedule, paid: i64) -> Option<Self> {
        Some(Self {
            order_id,
            due_at: schedule.due_at(paid)?.utc(),
            deposit_amount: schedule.balance.map(|(deposit, _)| deposit),
            balance_by: schedule.balance.map(|(_, by)| by.utc()),
        })
    }

    /// The deadline after so much is paid.
    pub fn after(&self, paid: i64) -> DateTime<Utc> {
        match (self.deposit_amount, self.balance_by) {
            (Some(deposit), Some(balance_by)) if paid >= deposit => balance_by,
            _ => self.due_at,
        }
    }
}

/// Notes the deadlines of new orders.
pub fn insert(tx: &mut Tx<'_>, rows: &[DeadlineRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO payment_deadlines (order_id, due_at, deposit_amount, balance_by) \
         SELECT * FROM unnest($1, $2, $3, $4)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.due_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.deposit_amount).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(rows.iter().map(|row| row.balance_by).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The deadlines of orders that have one.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, DeadlineRow>, Error> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<DeadlineRow> = diesel::sql_query("SELECT * FROM payment_deadlines WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(orders)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row)).collect())
}

/// Moves an order's deadline. The order must be locked.
pub fn set(tx: &mut Tx<'_>, order: Uuid, due_at: DateTime<Utc>) -> Result<(), Error> {
    diesel::sql_query("UPDATE payment_deadlines SET due_at = $2 WHERE order_id = $1")
        .bind::<SqlUuid, _>(order)
        .bind::<Timestamptz, _>(due_at)
        .execute(tx.conn())?;
    Ok(())
}

/// Forgets the deadlines of orders of which nothing is due any more. The orders must be locked.
pub fn remove(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    diesel::sql_query("DELETE FROM payment_deadlines WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(orders)
        .execute(tx.conn())?;
    Ok(())
}

/// Up to `limit` orders whose deadline has passed, the earliest first.
pub fn passed(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Due {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Due> = diesel::sql_query(
        "SELECT order_id FROM payment_deadlines WHERE due_at <= $1 ORDER BY due_at, order_id LIMIT $2",
    )
    .bind::<Timestamptz, _>(now.utc())
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
