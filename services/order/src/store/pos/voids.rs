//! The table `pos_voids`: which void undoes which transaction. The tills must be locked.

use std::collections::HashSet;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::Till;
use super::transactions::PosRow;

/// Notes what voids undo, the first of each alone; answers whether any was noted.
pub fn claim(tx: &mut Tx<'_>, voids: &[&PosRow]) -> Result<bool, Error> {
    let noted = statement(
        "INSERT INTO pos_voids (store, terminal, business_date, sequence, void_id) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind::<Array<Text>, _>(voids.iter().map(|row| row.store.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(voids.iter().map(|row| row.terminal.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Date>>, _>(voids.iter().map(|row| row.voids_date).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(voids.iter().map(|row| row.voids_sequence).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(voids.iter().map(|row| row.transaction_id).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(noted > 0)
}

/// A void that waits, and what it undoes, which is there now.
#[derive(Clone, Debug, QueryableByName)]
pub struct Met {
    /// The void.
    #[diesel(sql_type = SqlUuid)]
    pub void_id: Uuid,
    /// Its business day.
    #[diesel(sql_type = Date)]
    pub void_date: NaiveDate,
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub void_sequence: i64,
    /// When it happened.
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    pub void_occurred_at: chrono::DateTime<chrono::Utc>,
    /// What it undoes.
    #[diesel(embed)]
    pub original: PosRow,
}

/// The waiting voids of these tills whose originals are there.
pub fn met(tx: &mut Tx<'_>, tills: &[&Till]) -> Result<Vec<Met>, Error> {
    Ok(statement(
        "SELECT v.void_id, w.business_date AS void_date, w.sequence AS void_sequence, \
         w.occurred_at AS void_occurred_at, o.* \
         FROM unnest($1, $2) AS n (store, terminal) \
         JOIN pos_voids v ON v.store = n.store AND v.terminal = n.terminal AND v.effect = 'waiting' \
         JOIN pos_transactions o ON o.store = v.store AND o.business_date = v.business_date \
         AND o.terminal = v.terminal AND o.sequence = v.sequence \
         JOIN pos_transactions w ON w.transaction_id = v.void_id \
         ORDER BY w.store, w.business_date, w.terminal, w.sequence",
    )
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.store.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.terminal.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?)
}

/// Notes which voids took effect, and which never will.
pub fn settle(tx: &mut Tx<'_>, settled: &[(Uuid, bool)]) -> Result<(), Error> {
    statement(
        "UPDATE pos_voids v SET effect = n.effect FROM unnest($1, $2) AS n (void_id, effect) \
         WHERE v.void_id = n.void_id",
    )
    .bind::<Array<SqlUuid>, _>(settled.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(settled.iter().map(|(_, done)| if *done { "done" } else { "none" }).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Counts anew how many voids of these tills wait.
pub fn recount(tx: &mut Tx<'_>, tills: &HashSet<&Till>) -> Result<(), Error> {
    statement(
        "UPDATE pos_tills t SET waiting_voids = (SELECT count(*) FROM pos_voids v \
         WHERE v.store = t.store AND v.terminal = t.terminal AND v.effect = 'waiting') \
         FROM unnest($1, $2) AS n (store, terminal) WHERE t.store = n.store AND t.terminal = n.terminal",
    )
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.store.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.terminal.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
