//! The proof: on hand and quarantined = Σ movements, and each movement goes on from the one before it; reserved = Σ promised
//! lines; incoming = Σ of what receipts and transfers still expect and of what is on its way to be collected; owed = Σ of what movements say and = Σ debts. What is counted beside the balances is proved in
//! `counters`. Nothing here repairs anything.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use kernel::Timestamp;
use serde::Serialize;
use store::{Error, Tx};
use utoipa::ToSchema;

/// Every number that is proved.
pub const BALANCES: [&str; 10] = [
    "available",
    "day_orders",
    "debts",
    "incoming",
    "on_hand",
    "owed",
    "quarantined",
    "reserved",
    "share_promised",
    "share_shipped",
];

/// A number that is not the sum of its parts, or whose movements do not follow from each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Drift {
    /// The SKU; none for `day_orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The location; none for what is counted of a SKU over all locations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Which number: of a balance `on_hand`, `quarantined`, `reserved`, `incoming`, `owed` or `debts`; of a SKU `available`, and what shares of
    /// it have counted as `share_promised` and `share_shipped`; of a location's day `day_orders`.
    pub balance: String,
    /// What it says.
    pub is: i64,
    /// What its parts add up to; for `share_shipped` what it is at most.
    pub should_be: i64,
    /// Since which movement; only of what movements add up to, and none where nothing has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// The location's own calendar day, of `day_orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// What the share counts by, of `share_promised`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// The sharing rule that counts by it, unless that counts by another now or is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Where the ledger and a balance part: the first movement that does not follow from the one before it (`is` and
/// `should_be` differ), or, when all of them do, the last one, after which the balance was changed past the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DriftSince)]
pub struct Since {
    /// The movement's number in the ledger.
    pub movement: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The units it says there were after it.
    pub is: i64,
    /// The units there would be, going on from the movement before it.
    pub should_be: i64,
}

// `{of}` says which balances.
const COMPARED: &str = "\
WITH steps AS (
    SELECT id, sku, location, on_hand, quarantined, owed,
        on_hand_after <> coalesce(lag(on_hand_after) OVER w, 0) + on_hand AS on_hand_broken,
        quarantined_after <> coalesce(lag(quarantined_after) OVER w, 0) + quarantined AS quarantined_broken
    FROM movements WHERE {of} WINDOW w AS (PARTITION BY sku, location ORDER BY id)
), moved AS (
    SELECT sku, location, sum(on_hand)::bigint AS on_hand, sum(quarantined)::bigint AS quarantined,
        coalesce(sum(owed), 0)::bigint AS owed, max(id) AS newest,
        min(id) FILTER (WHERE on_hand_broken) AS on_hand_broken,
        min(id) FILTER (WHERE quarantined_broken) AS quarantined_broken
    FROM steps GROUP BY sku, location
), promised AS (
    SELECT sku, location, sum(quantity)::bigint AS reserved FROM reserved_lines WHERE {of} GROUP BY sku, location
), expected AS (
    SELECT sku, location, sum(incoming)::bigint AS incoming FROM (
        SELECT sku, location, incoming FROM delivery_lines WHERE incoming > 0 AND ({of})
        UNION ALL SELECT sku, location, quantity FROM sent_lines WHERE {of}) AS coming
    GROUP BY sku, location
), indebted AS (
    SELECT sku, location, sum(owed)::bigint AS owed FROM debts WHERE {of} GROUP BY sku, location
), held AS (
    SELECT sku, location, on_hand, quarantined, reserved, incoming, owed FROM stock WHERE {of}
), compared AS (
    SELECT sku, location, d.* FROM held h FULL JOIN moved m USING (sku, location)
    FULL JOIN promised p USING (sku, location) FULL JOIN expected e USING (sku, location)
    FULL JOIN indebted i USING (sku, location)
    CROSS JOIN LATERAL (VALUES
        ('on_hand', coalesce(h.on_hand, 0), coalesce(m.on_hand, 0), m.newest, m.on_hand_broken),
        ('quarantined', coalesce(h.quarantined, 0), coalesce(m.quarantined, 0), m.newest, m.quarantined_broken),
        ('reserved', coalesce(h.reserved, 0), coalesce(p.reserved, 0), NULL, NULL),
        ('incoming', coalesce(h.incoming, 0), coalesce(e.incoming, 0), NULL, NULL),
        ('owed', coalesce(h.owed, 0), coalesce(m.owed, 0), NULL, NULL),
        ('debts', coalesce(i.owed, 0), coalesce(h.owed, 0), NULL, NULL)
    ) AS d (balance, \"is\", should_be, newest, broken)
    WHERE d.is <> d.should_be OR d.broken IS NOT NULL";

const NAME: &str = "\
) SELECT c.sku, c.location, c.balance, c.is, c.should_be, s.id AS since, s.at AS since_at,
    CASE c.balance WHEN 'on_hand' THEN s.on_hand_after ELSE s.quarantined_after END AS since_is,
    CASE c.balance WHEN 'on_hand' THEN coalesce(b.on_hand_after, 0) + s.on_hand
        ELSE coalesce(b.quarantined_after, 0) + s.quarantined END AS since_should_be
FROM compared c LEFT JOIN movements s ON s.id = coalesce(c.broken, c.newest)
LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
    WHERE x.sku = s.sku AND x.location = s.location AND x.id < s.id ORDER BY x.id DESC LIMIT 1) b ON true
ORDER BY c.sku, c.location, c.balance";

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Text)]
    location: String,
    #[diesel(sql_type = Text)]
    balance: String,
    #[diesel(sql_type = BigInt)]
    is: i64,
    #[diesel(sql_type = BigInt)]
    should_be: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    since: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    since_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    since_is: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    since_should_be: Option<i64>,
}

impl From<Row> for Drift {
    fn from(row: Row) -> Self {
        let numbers = row.since_is.zip(row.since_should_be);
        let since = row.since.zip(row.since_at).zip(numbers).map(|((movement, at), (is, should_be))| Since {
            movement,
            at: at.into(),
            is,
            should_be,
        });
        Self {
            sku: Some(row.sku),
            location: Some(row.location),
            balance: row.balance,
            is: row.is,
            should_be: row.should_be,
            since,
            day: None,
            count: None,
            rule: None,
        }
    }
}

pub(super) fn compare(of: &str) -> String {
    format!("{}{NAME}", COMPARED.replace("{of}", of))
}

/// Adds these balances up again: which drifted.
pub fn of_places(tx: &mut Tx<'_>, places: &BTreeSet<Place>) -> Result<Vec<Drift>, Error> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let of = "(sku, location) IN (SELECT t.sku, t.location FROM unnest($1, $2) AS t (sku, location))";
    let rows: Vec<Row> = diesel::sql_query(compare(of))
        .bind::<Array<Text>, _>(places.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(places.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Drift::from).collect())
}

/// A balance by its SKU and location, in whose order balances are proved; the default is before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, QueryableByName)]
pub struct Place {
    /// Its SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Its location.
    #[diesel(sql_type = Text)]
    pub location: String,
}

// The newest movement of each balance carries the balance itself, so a stretch is proved without adding up its history.
const STRETCH: &str = "\
WITH stretch AS (
    SELECT sku, location, on_hand, quarantined, reserved, incoming, owed FROM stock WHERE (sku, location) > ($1, $2)
    ORDER BY sku, location LIMIT $3
)
SELECT s.sku, s.location FROM stretch s
CROSS JOIN LATERAL (SELECT coalesce(sum(quantity), 0)::bigint AS reserved FROM reserved_lines r
    WHERE r.sku = s.sku AND r.location = s.location) p
CROSS JOIN LATERAL (SELECT coalesce(sum(incoming), 0)::bigint AS incoming FROM (
    SELECT incoming FROM delivery_lines d WHERE d.sku = s.sku AND d.location = s.location AND d.incoming > 0
    UNION ALL SELECT quantity FROM sent_lines n WHERE n.sku = s.sku AND n.location = s.location) AS coming) e
CROSS JOIN LATERAL (SELECT coalesce(sum(owed), 0)::bigint AS owed FROM debts b
    WHERE b.sku = s.sku AND b.location = s.location) b
CROSS JOIN LATERAL (SELECT coalesce(sum(owed), 0)::bigint AS owed FROM movements x
    WHERE x.sku = s.sku AND x.location = s.location AND x.owed IS NOT NULL) o
LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
    WHERE x.sku = s.sku AND x.location = s.location ORDER BY x.id DESC LIMIT 1) m ON true
WHERE (s.on_hand, s.quarantined, s.reserved, s.incoming, s.owed, s.owed)
    <> (coalesce(m.on_hand_after, 0), coalesce(m.quarantined_after, 0), p.reserved, e.incoming, b.owed, o.owed)";

/// Looks at up to `limit` balances after a place: which of them are wrong, and the last one unless there are no more.
pub fn stretch(tx: &mut Tx<'_>, after: &Place, limit: i64) -> Result<(Vec<Place>, Option<Place>), Error> {
    let next = diesel::sql_query(
        "SELECT sku, location FROM stock WHERE (sku, location) > ($1, $2) ORDER BY sku, location OFFSET $3 LIMIT 1",
    )
    .bind::<Text, _>(&after.sku)
    .bind::<Text, _>(&after.location)
    .bind::<BigInt, _>(limit.saturating_sub(1))
    .get_result(tx.conn())
    .optional()?;
    let wrong = diesel::sql_query(STRETCH)
        .bind::<Text, _>(&after.sku)
        .bind::<Text, _>(&after.location)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    Ok((wrong, next))
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
    FROM movements WHERE id > $1 AND id <= $2 WINDOW w AS (PARTITION BY sku, location ORDER BY id)
)
SELECT DISTINCT f.sku, f.location FROM fresh f LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
    WHERE f.on_hand_before IS NULL AND x.sku = f.sku AND x.location = f.location AND x.id < f.id
    ORDER BY x.id DESC LIMIT 1) p ON true
WHERE (f.on_hand_after, f.quarantined_after) <> (coalesce(f.on_hand_before, p.on_hand_after, 0) + f.on_hand,
    coalesce(f.quarantined_before, p.quarantined_after, 0) + f.quarantined)";

/// One step along the chain of movements.
#[derive(Debug)]
pub struct Chain {
    /// The last movement looked at; where the step began, when there were no more.
    pub upto: i64,
    /// Whether there may be more.
    pub more: bool,
    /// Balances with a movement that does not go on from the one before it.
    pub broken: Vec<Place>,
}

/// Proves that each of up to `limit` movements after `from` goes on from the one before it.
pub fn chain(tx: &mut Tx<'_>, from: i64, limit: i64) -> Result<Chain, Error> {
    #[derive(QueryableByName)]
    struct Upto {
        #[diesel(sql_type = BigInt)]
        upto: i64,
        #[diesel(sql_type = BigInt)]
        steps: i64,
    }
    let seen: Upto = diesel::sql_query(
        "SELECT coalesce(max(id), $1) AS upto, count(*) AS steps \
         FROM (SELECT id FROM movements WHERE id > $1 ORDER BY id LIMIT $2) m",
    )
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(limit)
    .get_result(tx.conn())?;
    let broken = diesel::sql_query(CHAIN).bind::<BigInt, _>(from).bind::<BigInt, _>(seen.upto).load(tx.conn())?;
    Ok(Chain { upto: seen.upto, more: seen.steps >= limit, broken })
}
