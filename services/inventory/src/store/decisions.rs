//! Stored sourcing decisions: added, never changed.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::{DecisionId, OrderId};
use serde::Deserialize;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::{Decision, Request};

/// A decision to be stored.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// The order.
    pub order_id: OrderId,
    /// 1 for the first, then counted up.
    pub attempt: i32,
    /// Its id.
    pub id: DecisionId,
    /// The decision as compact JSON.
    pub document: String,
}

/// A stored decision.
#[derive(Clone, Debug, QueryableByName)]
pub struct Stored {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// 1 for the first, then counted up.
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// When it was decided.
    #[diesel(sql_type = Timestamptz)]
    pub decided_at: chrono::DateTime<chrono::Utc>,
    /// The decision as compact JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
}

impl Stored {
    /// The decision.
    pub fn decision(&self) -> Result<Decision, Error> {
        Ok(serde_json::from_str(&self.document)?)
    }

    /// What was asked of it, without the rest of it.
    pub fn request(&self) -> Result<Request, Error> {
        #[derive(Deserialize)]
        struct Asked {
            request: Request,
        }
        Ok(serde_json::from_str::<Asked>(&self.document)?.request)
    }
}

/// Stores decisions.
pub fn insert(tx: &mut Tx<'_>, decisions: &[NewDecision]) -> Result<(), Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    statement(
        "INSERT INTO decisions (order_id, attempt, id, decided_at, document) \
         SELECT order_id, attempt, id, $1, document FROM unnest($2, $3, $4, $5) AS t (order_id, attempt, id, document)",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Array<SqlUuid>, _>(decisions.iter().map(|it| it.order_id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(decisions.iter().map(|it| it.attempt).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(decisions.iter().map(|it| it.id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(decisions.iter().map(|it| it.document.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
}

/// Which of these orders have been decided on.
pub fn known(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let rows: Vec<Known> = statement("SELECT order_id FROM decisions WHERE order_id = ANY($1) AND attempt = 1")
        .bind::<Array<SqlUuid>, _>(orders)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Every decision of these orders, an order's in the order of its attempts.
pub fn of_orders(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<Stored>, Error> {
    Ok(statement(
        "SELECT order_id, attempt, id, decided_at, document FROM decisions WHERE order_id = ANY($1) \
         ORDER BY order_id, attempt",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?)
}

/// The newest decisions of these orders.
pub fn newest(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<Stored>, Error> {
    Ok(statement(
        "SELECT DISTINCT ON (order_id) order_id, attempt, id, decided_at, document FROM decisions \
         WHERE order_id = ANY($1) ORDER BY order_id, attempt DESC",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .load(tx.conn())?)
}

/// Every decision of an order, newest first.
pub fn history(tx: &mut Tx<'_>, order: OrderId) -> Result<Vec<Stored>, Error> {
    Ok(diesel::sql_query(
        "SELECT order_id, attempt, id, decided_at, document FROM decisions WHERE order_id = $1 ORDER BY attempt DESC",
    )
    .bind::<SqlUuid, _>(order.uuid())
    .load(tx.conn())?)
}
