//! The proof: on hand and quarantined = Σ movements, reserved = Σ promised lines. Nothing here repairs anything.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::Serialize;
use store::{Error, Tx};
use utoipa::ToSchema;

/// A balance that is not the sum of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, QueryableByName)]
pub struct Drift {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Which of its numbers: `on_hand`, `quarantined` or `reserved`.
    #[diesel(sql_type = Text)]
    pub balance: String,
    /// What the balance says.
    #[diesel(sql_type = BigInt)]
    pub is: i64,
    /// What its parts add up to.
    #[diesel(sql_type = BigInt)]
    pub should_be: i64,
}

/// At most so many drifts are named: one is already an alarm.
const NAMED: i64 = 500;

const WHOLE: &str = "\
WITH moved AS (
    SELECT sku, location, sum(on_hand)::bigint AS on_hand, sum(quarantined)::bigint AS quarantined
    FROM movements WHERE $1 IS NULL OR sku = $1 GROUP BY sku, location
), promised AS (
    SELECT sku, location, sum(quantity)::bigint AS reserved FROM reserved_lines WHERE $1 IS NULL OR sku = $1
    GROUP BY sku, location
), held AS (
    SELECT sku, location, on_hand, quarantined, reserved FROM stock WHERE $1 IS NULL OR sku = $1
), compared AS (
    SELECT sku, location, coalesce(h.on_hand, 0) AS on_hand, coalesce(m.on_hand, 0) AS moved_on_hand,
        coalesce(h.quarantined, 0) AS quarantined, coalesce(m.quarantined, 0) AS moved_quarantined,
        coalesce(h.reserved, 0) AS reserved, coalesce(p.reserved, 0) AS promised
    FROM held h FULL JOIN moved m USING (sku, location) FULL JOIN promised p USING (sku, location)
)";

const DRIFT: &str = "\
SELECT c.sku, c.location, d.balance, d.is, d.should_be FROM compared c CROSS JOIN LATERAL (VALUES
    ('on_hand', c.on_hand, c.moved_on_hand), ('quarantined', c.quarantined, c.moved_quarantined),
    ('reserved', c.reserved, c.promised)) AS d (balance, \"is\", should_be)
WHERE d.is <> d.should_be ORDER BY c.sku, c.location, d.balance LIMIT";

/// Adds everything up again, for one SKU or for all: how many balances were checked, and which drifted.
pub fn whole(tx: &mut Tx<'_>, sku: Option<&str>) -> Result<(i64, Vec<Drift>), Error> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        checked: i64,
    }
    let count: Count = diesel::sql_query("SELECT count(*) AS checked FROM stock WHERE $1 IS NULL OR sku = $1")
        .bind::<Nullable<Text>, _>(sku)
        .get_result(tx.conn())?;
    let drift = diesel::sql_query(format!("{WHOLE} {DRIFT} {NAMED}")).bind::<Nullable<Text>, _>(sku).load(tx.conn())?;
    Ok((count.checked, drift))
}

// The newest movement of each balance carries the balance itself, so a stretch is proved without adding up its history.
const STRETCH: &str = "\
WITH stretch AS (
    SELECT sku, location, on_hand, quarantined, reserved FROM stock WHERE (sku, location) > ($1, $2)
    ORDER BY sku, location LIMIT $3
), compared AS (
    SELECT s.sku, s.location, s.on_hand, coalesce(m.on_hand_after, 0) AS moved_on_hand, s.quarantined,
        coalesce(m.quarantined_after, 0) AS moved_quarantined, s.reserved, p.promised
    FROM stretch s
    CROSS JOIN LATERAL (SELECT coalesce(sum(quantity), 0)::bigint AS promised FROM reserved_lines r
        WHERE r.sku = s.sku AND r.location = s.location) p
    LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
        WHERE x.sku = s.sku AND x.location = s.location ORDER BY x.id DESC LIMIT 1) m ON true
)";

/// A place between two balances, in the order of SKU and location; the default is before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Place {
    /// SKU of the balance before it.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Its location.
    #[diesel(sql_type = Text)]
    pub location: String,
}

/// Proves up to `limit` balances after a place: what drifted, and the place after the last one unless there are no more.
pub fn stretch(tx: &mut Tx<'_>, after: &Place, limit: i64) -> Result<(Vec<Drift>, Option<Place>), Error> {
    let next = diesel::sql_query(
        "SELECT sku, location FROM stock WHERE (sku, location) > ($1, $2) ORDER BY sku, location OFFSET $3 LIMIT 1",
    )
    .bind::<Text, _>(&after.sku)
    .bind::<Text, _>(&after.location)
    .bind::<BigInt, _>(limit.saturating_sub(1))
    .get_result(tx.conn())
    .optional()?;
    let drift = diesel::sql_query(format!("{STRETCH} {DRIFT} {NAMED}"))
        .bind::<Text, _>(&after.sku)
        .bind::<Text, _>(&after.location)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    Ok((drift, next))
}

/// How far the balances were proved.
pub fn proved(tx: &mut Tx<'_>) -> Result<Place, Error> {
    Ok(diesel::sql_query("SELECT sku, location FROM proved").get_result(tx.conn())?)
}

/// Notes how far the balances were proved.
pub fn note(tx: &mut Tx<'_>, place: &Place) -> Result<(), Error> {
    diesel::sql_query("UPDATE proved SET sku = $1, location = $2")
        .bind::<Text, _>(&place.sku)
        .bind::<Text, _>(&place.location)
        .execute(tx.conn())?;
    Ok(())
}

const CHAIN: &str = "\
WITH fresh AS (
    SELECT id, sku, location, on_hand, quarantined, on_hand_after, quarantined_after,
        lag(on_hand_after) OVER w AS on_hand_before, lag(quarantined_after) OVER w AS quarantined_before
    FROM (SELECT * FROM movements WHERE id > $1 ORDER BY id LIMIT $2) m
    WINDOW w AS (PARTITION BY sku, location ORDER BY id)
), chained AS (
    SELECT f.id, f.sku, f.location, f.on_hand_after AS on_hand, f.quarantined_after AS quarantined,
        coalesce(f.on_hand_before, p.on_hand_after, 0) + f.on_hand AS moved_on_hand,
        coalesce(f.quarantined_before, p.quarantined_after, 0) + f.quarantined AS moved_quarantined
    FROM fresh f LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
        WHERE f.on_hand_before IS NULL AND x.sku = f.sku AND x.location = f.location AND x.id < f.id
        ORDER BY x.id DESC LIMIT 1) p ON true
)";

/// One step along the chain of movements.
#[derive(Debug)]
pub struct Chain {
    /// The last movement looked at; none when there was no new one.
    pub upto: Option<i64>,
    /// Movements whose balance does not follow from the one before.
    pub broken: Vec<Drift>,
}

/// Proves that each of up to `limit` movements after `from` goes on from the one before it.
pub fn chain(tx: &mut Tx<'_>, from: i64, limit: i64) -> Result<Chain, Error> {
    #[derive(QueryableByName)]
    struct Upto {
        #[diesel(sql_type = Nullable<BigInt>)]
        upto: Option<i64>,
    }
    let upto: Upto = diesel::sql_query(
        "SELECT max(id) AS upto FROM (SELECT id FROM movements WHERE id > $1 ORDER BY id LIMIT $2) m",
    )
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(limit)
    .get_result(tx.conn())?;
    let broken = diesel::sql_query(format!(
        "{CHAIN} SELECT c.sku, c.location, d.balance, d.is, d.should_be FROM chained c CROSS JOIN LATERAL (VALUES \
         ('on_hand', c.on_hand, c.moved_on_hand), ('quarantined', c.quarantined, c.moved_quarantined)) \
         AS d (balance, \"is\", should_be) WHERE d.is <> d.should_be ORDER BY c.id LIMIT {NAMED}"
    ))
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(Chain { upto: upto.upto, broken })
}
