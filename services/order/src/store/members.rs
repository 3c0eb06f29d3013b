//! The table `order_members`: which member bought.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
}

/// Notes which member bought; a later answer for the same order replaces an earlier one. Each order is named once.
pub fn set(tx: &mut Tx<'_>, bought: &[(Uuid, Uuid)]) -> Result<(), Error> {
    if bought.is_empty() {
        return Ok(());
    }
    let text = format!(
        "INSERT INTO order_members (order_id, member_id) SELECT * FROM unnest($1, $2) {}",
        tx.on_conflict("ON CONFLICT (order_id) DO UPDATE SET member_id = excluded.member_id")
    );
    statement(text)
        .bind::<Array<SqlUuid>, _>(bought.iter().map(|(order, _)| *order).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(bought.iter().map(|(_, member)| *member).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

/// The members who bought orders, by order.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, Error> {
    let rows: Vec<Row> = diesel::sql_query("SELECT order_id, member_id FROM order_members WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(orders)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.member_id)).collect())
}
