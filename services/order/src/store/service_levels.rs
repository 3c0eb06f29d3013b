//! The tables `fulfilment_counts` and `fulfilment_count_steps`: how well locations serve, by day. Moves only add rows to the
//! steps; a job adds them to the counts.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text};
use store::{Error, Tx, statement};

use super::locks;
use crate::domain::service_level::{Counts, Measure, Sum};

/// Notes what happened on a day.
pub fn add(tx: &mut Tx<'_>, day: NaiveDate, counts: &Counts) -> Result<(), Error> {
    if counts.iter().len() == 0 {
        return Ok(());
    }
    statement(
        "INSERT INTO fulfilment_count_steps (day, location, measure, reason, units, seconds, late) \
         SELECT $1, n.* FROM unnest($2, $3, $4, $5, $6, $7) AS n",
    )
    .bind::<Date, _>(day)
    .bind::<Array<Text>, _>(counts.iter().map(|(location, ..)| location.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(counts.iter().map(|(_, measure, ..)| measure.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(counts.iter().map(|(_, _, reason, _)| reason).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(counts.iter().map(|(.., sum)| sum.units).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(counts.iter().map(|(.., sum)| sum.seconds).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(counts.iter().map(|(.., sum)| sum.late).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Takes up to `limit` steps off and adds them to the counts; answers how many there were. Counts are locked in their order.
pub fn fold(tx: &mut Tx<'_>, limit: i64) -> Result<usize, Error> {
    let steps = locks::free_count_steps(tx, limit)?;
    if steps.is_empty() {
        return Ok(0);
    }
    diesel::sql_query(
        "WITH taken AS (DELETE FROM fulfilment_count_steps WHERE step_id = ANY ($1) \
         RETURNING day, location, measure, reason, units, seconds, late) \
         INSERT INTO fulfilment_counts AS c (day, location, measure, reason, units, seconds, late) \
         SELECT day, location, measure, reason, sum(units), sum(seconds), sum(late) FROM taken \
         GROUP BY day, location, measure, reason ORDER BY day, location, measure, reason \
         ON CONFLICT (day, location, measure, reason) DO UPDATE SET units = c.units + excluded.units, \
         seconds = c.seconds + excluded.seconds, late = c.late + excluded.late",
    )
    .bind::<Array<BigInt>, _>(&steps)
    .execute(tx.conn())?;
    Ok(steps.len())
}

/// Which days of which locations are shown.
#[derive(Clone, Debug)]
pub struct Filter {
    /// These locations; all, when left out.
    pub locations: Option<Vec<String>>,
    /// From this day.
    pub from: NaiveDate,
    /// Before this day.
    pub until: NaiveDate,
    /// After this day and location: the page before ended here.
    pub after: Option<(NaiveDate, String)>,
}

/// What happened at a location on a day, by measure and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub day: NaiveDate,
    /// The location.
    pub location: String,
    /// The sums.
    pub sums: BTreeMap<(Measure, String), Sum>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = Text)]
    location: String,
    #[diesel(sql_type = Text)]
    measure: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    seconds: i64,
    #[diesel(sql_type = BigInt)]
    late: i64,
}

/// Up to `limit` days of locations, by day and location. What is not added up yet counts.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<Day>, Error> {
    // The bounds are in both branches, so that each is found by its own index.
    const BOUNDS: &str = "day >= $1 AND day < $2 AND ($3 IS NULL OR location = ANY ($3)) \
         AND ($4 IS NULL OR (day, location) > ($4, $5))";
    let sql = format!(
        "WITH places AS (SELECT day, location FROM fulfilment_counts WHERE {BOUNDS} \
         UNION SELECT day, location FROM fulfilment_count_steps WHERE {BOUNDS} ORDER BY day, location LIMIT $6) \
         SELECT day, location, measure, reason, sum(units)::bigint AS units, sum(seconds)::bigint AS seconds, \
         sum(late)::bigint AS late FROM (SELECT day, location, measure, reason, units, seconds, late \
         FROM fulfilment_counts JOIN places USING (day, location) UNION ALL \
         SELECT day, location, measure, reason, units, seconds, late FROM fulfilment_count_steps \
         JOIN places USING (day, location)) AS counted GROUP BY day, location, measure, reason ORDER BY day, location"
    );
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<Date, _>(filter.from)
        .bind::<Date, _>(filter.until)
        .bind::<Nullable<Array<Text>>, _>(filter.locations.as_deref())
        .bind::<Nullable<Date>, _>(filter.after.as_ref().map(|(day, _)| *day))
        .bind::<Nullable<Text>, _>(filter.after.as_ref().map(|(_, location)| location.as_str()))
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    let mut days: Vec<Day> = Vec::new();
    for row in rows {
        let Row { day, location, measure, reason, units, seconds, late } = row;
        let measure = super::state(Measure::parse(&measure))?;
        if days.last().is_none_or(|last| (last.day, &last.location) != (day, &location)) {
            days.push(Day { day, location, sums: BTreeMap::new() });
        }
        if let Some(last) = days.last_mut() {
            last.sums.insert((measure, reason), Sum { units, seconds, late });
        }
    }
    Ok(days)
}
