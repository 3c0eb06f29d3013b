//! The table `order_history`: who changed what, when and why.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::OrderId;
use store::{Error, Tx, statement};
use uuid::Uuid;

/// A change of an order.
#[derive(Clone, Debug)]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// Who: a client's id, or the service that answered.
    pub actor: String,
    /// What: the new state, or what was done.
    pub what: String,
    /// Why, when somebody said.
    pub reason: Option<String>,
}

/// Adds changes, in order.
pub fn add(tx: &mut Tx<'_>, changes: &[Change]) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    statement(
        "INSERT INTO order_history (order_id, at, actor, what, reason) \
         SELECT n.order_id, $1, n.actor, n.what, n.reason \
         FROM unnest($2, $3, $4, $5) AS n (order_id, actor, what, reason)",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<SqlUuid>, _>(changes.iter().map(|change| change.order_id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changes.iter().map(|change| change.actor.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(changes.iter().map(|change| change.reason.as_deref()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// A change as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct ChangeRow {
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Who.
    #[diesel(sql_type = Text)]
    pub actor: String,
    /// What.
    #[diesel(sql_type = Text)]
    pub what: String,
    /// Why.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

/// The changes of an order, oldest first.
pub fn of(tx: &mut Tx<'_>, order: Uuid) -> Result<Vec<ChangeRow>, Error> {
    Ok(diesel::sql_query("SELECT at, actor, what, reason FROM order_history WHERE order_id = $1 ORDER BY change_id")
        .bind::<SqlUuid, _>(order)
        .load(tx.conn())?)
}
