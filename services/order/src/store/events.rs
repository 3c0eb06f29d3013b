//! The table `order_events`: what was told of orders.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// An event of an order.
#[derive(Clone, Debug, QueryableByName)]
pub struct EventRow {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// The event.
    #[diesel(sql_type = SqlUuid)]
    pub event_id: Uuid,
    /// What it is called.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// When it happened, by the clock of who told it.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Who told it.
    #[diesel(sql_type = Text)]
    pub source: String,
    /// The event that led to it.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub cause_id: Option<Uuid>,
    /// What happened, in one line.
    #[diesel(sql_type = Text)]
    pub summary: String,
}

/// Adds events; those that are there already stay as they are.
pub fn add(tx: &mut Tx<'_>, rows: &[EventRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let text = format!(
        "INSERT INTO order_events (order_id, event_id, kind, at, source, cause_id, summary) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) {}",
        tx.on_conflict("ON CONFLICT DO NOTHING")
    );
    statement(text)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.event_id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.at).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.cause_id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|row| row.summary.as_str()).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

/// The first events of an order, up to so many, by when they happened.
pub fn of(tx: &mut Tx<'_>, order: Uuid, limit: i64) -> Result<Vec<EventRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM order_events WHERE order_id = $1 ORDER BY at, event_id LIMIT $2")
        .bind::<SqlUuid, _>(order)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?)
}
