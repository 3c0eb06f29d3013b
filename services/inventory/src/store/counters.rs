//! The proof of what is counted beside the balances: a SKU's availability = Σ of what its balances can promise; units promised
//! under a share = Σ promised lines counted by it, on a shelf or on their way to be collected; orders of a location's day =
//! the orders that use it. Which shipped units a share counted is in no ledger, so of these is proved that they are no more
//! than have shipped.

use std::ops::Bound;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text};
use store::{Error, Tx};

use super::proof::{Drift, Place};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    sku: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    location: Option<String>,
    #[diesel(sql_type = Nullable<Date>)]
    day: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<BigInt>)]
    count: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    rule: Option<String>,
    #[diesel(sql_type = Text)]
    balance: String,
    #[diesel(sql_type = BigInt)]
    is: i64,
    #[diesel(sql_type = BigInt)]
    should_be: i64,
}

impl From<Row> for Drift {
    fn from(row: Row) -> Self {
        Self {
            sku: row.sku,
            location: row.location,
            balance: row.balance,
            is: row.is,
            should_be: row.should_be,
            since: None,
            day: row.day,
            count: row.count,
            rule: row.rule,
        }
    }
}

// `{of}` says which SKUs. What shipped is added up only as far as a share has counted, in the order of the index.
const OF_SKUS: &str = "\
WITH there AS (
    SELECT sku, sum(greatest(on_hand - reserved - quarantined - owed - safety, 0)) FILTER (WHERE sells) AS units
    FROM stock WHERE {of} GROUP BY sku
), kept AS (
    SELECT sku, available FROM availability WHERE {of}
), lines AS (
    SELECT sku, count_id, sum(quantity)::bigint AS units FROM (
        SELECT sku, count_id, quantity FROM reserved_lines WHERE count_id > 0 AND ({of})
        UNION ALL SELECT sku, count_id, quantity FROM sent_lines WHERE count_id > 0 AND ({of})) AS promised
    GROUP BY sku, count_id
), used AS (
    SELECT sku, count_id, promised FROM shares_used WHERE {of}
), counted AS (
    SELECT sku, sum(shipped)::bigint AS shipped FROM shares_used WHERE {of} GROUP BY sku HAVING sum(shipped) > 0
), beyond AS (
    SELECT c.sku, c.shipped FROM counted c WHERE NOT EXISTS (
        SELECT FROM (SELECT sum(-on_hand) OVER (ORDER BY location, id) AS units FROM movements m
            WHERE m.sku = c.sku AND m.kind = 'shipment') AS gone WHERE units >= c.shipped)
), drifted AS (
    SELECT sku, NULL::bigint AS count_id, 'available' AS balance, coalesce(k.available, 0) AS \"is\",
        coalesce(t.units, 0)::bigint AS should_be
    FROM kept k FULL JOIN there t USING (sku) WHERE coalesce(k.available, 0) <> coalesce(t.units, 0)
    UNION ALL
    SELECT sku, count_id, 'share_promised', coalesce(u.promised, 0), coalesce(l.units, 0)
    FROM used u FULL JOIN lines l USING (sku, count_id) WHERE coalesce(u.promised, 0) <> coalesce(l.units, 0)
    UNION ALL
    SELECT b.sku, NULL, 'share_shipped', b.shipped, (SELECT coalesce(sum(-on_hand), 0)::bigint FROM movements m
        WHERE m.sku = b.sku AND m.kind = 'shipment')
    FROM beyond b
)
SELECT d.sku, NULL AS location, NULL::date AS day, d.count_id AS count, r.id AS rule, d.balance, d.is, d.should_be
FROM drifted d LEFT JOIN sharing_rules r USING (count_id) ORDER BY d.sku, d.balance, d.count_id";

fn of_skus_text(of: &str) -> String {
    OF_SKUS.replace("{of}", of)
}

// `{of}` says which days. A location without a row for a day has no orders then.
const OF_DAYS: &str = "\
WITH said AS (
    SELECT location, day, orders FROM location_days WHERE {of}
), used AS (
    SELECT location, day, count(*) AS orders FROM location_loads WHERE {of} GROUP BY location, day
)
SELECT NULL AS sku, location, day, NULL::bigint AS count, NULL AS rule, 'day_orders' AS balance,
    coalesce(s.orders, 0) AS \"is\", coalesce(u.orders, 0) AS should_be
FROM said s FULL JOIN used u USING (location, day) WHERE coalesce(s.orders, 0) <> coalesce(u.orders, 0)
ORDER BY location, day";

/// Days that `all_days` names at most.
const DAYS_NAMED: i64 = 500;

fn of_days_text(of: &str) -> String {
    OF_DAYS.replace("{of}", of)
}

/// Adds up the SKUs after one, or from it on, and up to another. What drifted.
pub fn of_range(tx: &mut Tx<'_>, after: Bound<&str>, upto: &str) -> Result<Vec<Drift>, Error> {
    let (first, from) = match after {
        Bound::Included(from) => (">=", from),
        Bound::Excluded(from) => (">", from),
        Bound::Unbounded => (">=", ""),
    };
    let rows: Vec<Row> = diesel::sql_query(of_skus_text(&format!("sku {first} $1 AND sku <= $2")))
        .bind::<Text, _>(from)
        .bind::<Text, _>(upto)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Drift::from).collect())
}

/// Adds up every location's days, which are of no SKU. The first of what drifted: there is no cursor behind which to go on,
/// and more than a person looks at at once need not be held in memory.
pub fn all_days(tx: &mut Tx<'_>) -> Result<Vec<Drift>, Error> {
    let days: Vec<Row> = diesel::sql_query(format!("{} LIMIT {DAYS_NAMED}", of_days_text("true"))).load(tx.conn())?;
    Ok(days.into_iter().map(Drift::from).collect())
}

/// Adds up the SKUs whose first balance is among the up to `limit` balances after a place, so that each is proved once while
/// the running proof goes through all balances. What drifted.
pub fn of_begun(tx: &mut Tx<'_>, after: &Place, limit: i64) -> Result<Vec<Drift>, Error> {
    #[derive(QueryableByName)]
    struct Begun {
        #[diesel(sql_type = Text)]
        sku: String,
    }
    let begun: Vec<Begun> = diesel::sql_query(
        "SELECT DISTINCT sku FROM (SELECT sku FROM stock WHERE (sku, location) > ($1, $2) ORDER BY sku, location \
         LIMIT $3) s WHERE sku > $1",
    )
    .bind::<Text, _>(&after.sku)
    .bind::<Text, _>(&after.location)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    if begun.is_empty() {
        return Ok(Vec::new());
    }
    let skus: Vec<&str> = begun.iter().map(|it| it.sku.as_str()).collect();
    let rows: Vec<Row> =
        diesel::sql_query(of_skus_text("sku = ANY($1)")).bind::<Array<Text>, _>(skus).load(tx.conn())?;
    Ok(rows.into_iter().map(Drift::from).collect())
}

/// A location's day, in whose order days are proved.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Day {
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// The day.
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
}

/// Adds up to `limit` days after one up again: what drifted, and the last of them unless there are no more.
pub fn of_days(tx: &mut Tx<'_>, after: &Day, limit: i64) -> Result<(Vec<Drift>, Option<Day>), Error> {
    let next: Option<Day> = diesel::sql_query(
        "SELECT location, day FROM location_days WHERE (location, day) > ($1, $2) ORDER BY location, day \
         OFFSET $3 LIMIT 1",
    )
    .bind::<Text, _>(&after.location)
    .bind::<Date, _>(after.day)
    .bind::<BigInt, _>(limit.saturating_sub(1))
    .get_result(tx.conn())
    .optional()?;
    let of = "(location, day) > ($1, $2) AND ($3 IS NULL OR (location, day) <= ($3, $4))";
    let rows: Vec<Row> = diesel::sql_query(of_days_text(of))
        .bind::<Text, _>(&after.location)
        .bind::<Date, _>(after.day)
        .bind::<Nullable<Text>, _>(next.as_ref().map(|it| &it.location))
        .bind::<Nullable<Date>, _>(next.as_ref().map(|it| it.day))
        .load(tx.conn())?;
    Ok((rows.into_iter().map(Drift::from).collect(), next))
}

/// How far the days were proved.
pub fn proved(tx: &mut Tx<'_>) -> Result<Day, Error> {
    Ok(diesel::sql_query("SELECT loaded_location AS location, loaded_day AS day FROM proved").get_result(tx.conn())?)
}

/// Notes how far the days were proved; none, when all of them were: then it begins with the first again.
pub fn note(tx: &mut Tx<'_>, day: Option<&Day>) -> Result<(), Error> {
    diesel::sql_query("UPDATE proved SET loaded_location = coalesce($1, ''), loaded_day = coalesce($2, 'epoch')")
        .bind::<Nullable<Text>, _>(day.map(|it| &it.location))
        .bind::<Nullable<Date>, _>(day.map(|it| it.day))
        .execute(tx.conn())?;
    Ok(())
}
