//! The table `made_up_for`: up to when lost events of orders were made up for by what the order book said.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use store::{Error, Tx, statement};
use uuid::Uuid;

/// Notes of orders up to when lost events were made up for.
pub fn note(tx: &mut Tx<'_>, orders: &[(Uuid, Timestamp)]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    statement(
        "INSERT INTO made_up_for AS m (order_id, upto) SELECT * FROM unnest($1, $2) \
         ON CONFLICT (order_id) DO UPDATE SET upto = greatest(m.upto, excluded.upto)",
    )
    .bind::<Array<SqlUuid>, _>(orders.iter().map(|(order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(orders.iter().map(|(_, upto)| upto.utc()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Up to when lost events of these orders were made up for, if any were.
pub fn upto(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Timestamp>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = Timestamptz)]
        upto: DateTime<Utc>,
    }
    let rows: Vec<Row> = statement("SELECT order_id, upto FROM made_up_for WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(orders)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.upto.into())).collect())
}
