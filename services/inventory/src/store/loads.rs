//! Which order uses the capacity of which location on which day, and the orders of each day: the sum is kept with every
//! change, so that a plan reads a number and the number can be proved.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Text, Timestamptz, Uuid as SqlUuid};
use kernel::LocationCode;
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::code;

/// An order that uses a location's capacity on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The order.
    pub order: Uuid,
    /// The location.
    pub location: LocationCode,
    /// The location's own calendar day.
    pub day: NaiveDate,
}

/// The orders of a location on a day.
#[derive(Debug, QueryableByName)]
pub struct DayLoad {
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// The day.
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// Its orders.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
}

// The sums go to the change log in the same statement, so that every picture of the pool counts alike.
const ADD: &str = "\
WITH added AS (
    INSERT INTO location_loads (order_id, location, day)
    SELECT DISTINCT order_id, location, day FROM unnest($1, $2, $3) AS t (order_id, location, day)
    ON CONFLICT DO NOTHING RETURNING location, day
), summed AS (
    SELECT location, day, count(*) AS orders FROM added GROUP BY location, day
), counted AS (
    INSERT INTO location_days AS d (location, day, orders) SELECT location, day, orders FROM summed ORDER BY location, day
    ON CONFLICT (location, day) DO UPDATE SET orders = d.orders + excluded.orders
    RETURNING location, day, orders
)
INSERT INTO changes (at, loaded, loaded_days, loads)
SELECT $4, array_agg(location), array_agg(day), array_agg(orders) FROM counted HAVING count(*) > 0";

/// Counts orders in.
pub fn add(tx: &mut Tx<'_>, loads: &[Load]) -> Result<(), Error> {
    if loads.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    statement(ADD)
        .bind::<Array<SqlUuid>, _>(loads.iter().map(|it| it.order).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(loads.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
        .bind::<Array<Date>, _>(loads.iter().map(|it| it.day).collect::<Vec<_>>())
        .bind::<Timestamptz, _>(at)
        .execute(tx.conn())?;
    Ok(())
}

const GIVE_BACK: &str = "\
WITH gone AS (
    DELETE FROM location_loads l USING (SELECT DISTINCT order_id, location FROM unnest($1, $2) AS t (order_id, location)) a
    WHERE l.order_id = a.order_id AND l.location = a.location AND NOT l.shipped
      AND NOT EXISTS (SELECT FROM reserved_lines r WHERE r.owner = l.order_id AND r.location = l.location)
    RETURNING l.location, l.day
), summed AS (
    SELECT location, day, count(*) AS orders FROM gone GROUP BY location, day
), counted AS (
    UPDATE location_days d SET orders = d.orders - s.orders FROM summed s
    WHERE d.location = s.location AND d.day = s.day RETURNING d.location, d.day, d.orders
)
INSERT INTO changes (at, loaded, loaded_days, loads)
SELECT $3, array_agg(location), array_agg(day), array_agg(orders) FROM counted HAVING count(*) > 0";

/// Gives back what orders used at locations where nothing of theirs is promised any more and nothing has shipped.
pub fn give_back(tx: &mut Tx<'_>, places: &[(Uuid, LocationCode)]) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    statement(GIVE_BACK)
        .bind::<Array<SqlUuid>, _>(places.iter().map(|(order, _)| *order).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(places.iter().map(|(_, location)| location.as_str()).collect::<Vec<_>>())
        .bind::<Timestamptz, _>(at)
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that something of these orders has shipped from these locations: what they used stays used.
pub fn keep(tx: &mut Tx<'_>, places: &[(Uuid, LocationCode)]) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    statement(
        "UPDATE location_loads l SET shipped = true FROM unnest($1, $2) AS t (order_id, location) \
         WHERE l.order_id = t.order_id AND l.location = t.location AND NOT l.shipped",
    )
    .bind::<Array<SqlUuid>, _>(places.iter().map(|(order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(places.iter().map(|(_, location)| location.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// What these orders use and could give back: nothing has shipped from there.
pub fn of_orders(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<Vec<Load>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
        #[diesel(sql_type = Text)]
        location: String,
        #[diesel(sql_type = Date)]
        day: NaiveDate,
    }
    let rows: Vec<Row> =
        statement("SELECT order_id, location, day FROM location_loads WHERE order_id = ANY($1) AND NOT shipped")
            .bind::<Array<SqlUuid>, _>(orders)
            .load(tx.conn())?;
    rows.into_iter().map(|row| Ok(Load { order: row.order_id, location: code(&row.location)?, day: row.day })).collect()
}

/// The orders of every location from a day on.
pub fn from(tx: &mut Tx<'_>, day: NaiveDate) -> Result<Vec<DayLoad>, Error> {
    Ok(diesel::sql_query("SELECT location, day, orders FROM location_days WHERE day >= $1 AND orders > 0")
        .bind::<Date, _>(day)
        .load(tx.conn())?)
}
