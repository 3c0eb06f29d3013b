//! What the ruleset in shadow would have decided beside what was decided, summed by day.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Integer, Text};
use store::{Error, Tx, statement};

use crate::domain::compare::Comparison;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = Text)]
    comparison: String,
}

/// Adds a batch to the sums of a ruleset's day. The caller holds the pool's lock.
pub fn add(tx: &mut Tx<'_>, (version, day): (i32, NaiveDate), batch: Comparison) -> Result<(), Error> {
    let row: Option<Row> = statement("SELECT day, comparison FROM shadow_days WHERE version = $1 AND day = $2")
        .bind::<Integer, _>(version)
        .bind::<Date, _>(day)
        .get_result(tx.conn())
        .optional()?;
    let mut sum = row.map_or(Ok(Comparison::default()), |row| serde_json::from_str(&row.comparison))?;
    sum.merge(batch);
    statement(
        "INSERT INTO shadow_days (version, day, comparison) VALUES ($1, $2, $3) \
         ON CONFLICT (version, day) DO UPDATE SET comparison = excluded.comparison",
    )
    .bind::<Integer, _>(version)
    .bind::<Date, _>(day)
    .bind::<Text, _>(serde_json::to_string(&sum)?)
    .execute(tx.conn())?;
    Ok(())
}

/// The sums of a ruleset's last days in shadow, at most so many, newest first.
pub fn of(tx: &mut Tx<'_>, version: i32, limit: i64) -> Result<Vec<(NaiveDate, Comparison)>, Error> {
    let rows: Vec<Row> =
        diesel::sql_query("SELECT day, comparison FROM shadow_days WHERE version = $1 ORDER BY day DESC LIMIT $2")
            .bind::<Integer, _>(version)
            .bind::<BigInt, _>(limit)
            .load(tx.conn())?;
    rows.into_iter().map(|row| Ok((row.day, serde_json::from_str(&row.comparison)?))).collect()
}
