//! Balances. Every change of stock goes through [`apply`].

use std::collections::{BTreeMap, BTreeSet, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz};
use kernel::{LocationCode, SkuCode};
use store::statement::{Statement, Values};
use store::{Error, Tx, statement};

use super::reservations::{self, NewReservation};
use super::reserved::{self, ReservedLine};

/// A change of one balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Units there.
    pub on_hand: i64,
    /// Units promised.
    pub reserved: i64,
    /// Units kept apart.
    pub quarantined: i64,
    /// Units never promised.
    pub safety: i64,
    /// Units on their way here.
    pub incoming: i64,
    /// Units sold that the books could not spare.
    pub owed: i64,
}

impl Delta {
    /// Whether more can be promised after it.
    fn gains(&self) -> bool {
        self.freed().saturating_sub(self.owed).saturating_sub(self.safety) > 0
    }

    /// Units that it frees: there, neither promised nor kept apart.
    pub const fn freed(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved).saturating_sub(self.quarantined)
    }
}

/// Changes by balance, summed and in the order of (sku, location).
pub type Deltas = BTreeMap<(SkuCode, LocationCode), Delta>;

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Balance {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Units there.
    #[diesel(sql_type = BigInt)]
    pub on_hand: i64,
    /// Units promised.
    #[diesel(sql_type = BigInt)]
    pub reserved: i64,
    /// Units never promised.
    #[diesel(sql_type = BigInt)]
    pub safety: i64,
    /// Units kept apart.
    #[diesel(sql_type = BigInt)]
    pub quarantined: i64,
    /// Units on their way here.
    #[diesel(sql_type = BigInt)]
    pub incoming: i64,
    /// Units that tills have sold and the books could not spare: nothing is free while it is above 0.
    #[diesel(sql_type = BigInt)]
    pub owed: i64,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl Balance {
    /// Units that may be promised.
    pub fn available(&self) -> i64 {
        self.free().saturating_sub(self.safety).max(0)
    }

    /// Units on the shelf that nobody was promised, the safety stock among them; below 0 where units are owed.
    pub const fn free(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved).saturating_sub(self.quarantined).saturating_sub(self.owed)
    }

    /// Takes units that are free off for what is owed; says how many.
    pub fn settle(&mut self) -> i64 {
        let units = self.free().saturating_add(self.owed).min(self.owed).max(0);
        self.on_hand = self.on_hand.saturating_sub(units);
        self.owed = self.owed.saturating_sub(units);
        units
    }

    /// A balance that has no row yet.
    pub const fn empty(sku: String, location: String) -> Self {
        Self { sku, location, on_hand: 0, reserved: 0, safety: 0, quarantined: 0, incoming: 0, owed: 0, version: 0 }
    }
}

// One statement, so that no reader and no crash can come between its parts: the balances under their guards, each SKU's
// total, the line in the change log, and the wake-ups for orders that wait for what arrived or are promised it elsewhere.
const ASKED: &str = "\
WITH asked AS (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
        AS t (sku, location, on_hand, reserved, quarantined, safety, incoming, owed)
), changed AS (";

// Balances that are there already. What comes promised takes nothing that was there.
const CHANGE: &str = "
    UPDATE stock s SET on_hand = s.on_hand + a.on_hand, reserved = s.reserved + a.reserved,
        quarantined = s.quarantined + a.quarantined, safety = s.safety + a.safety, incoming = s.incoming + a.incoming,
        owed = s.owed + a.owed, version = s.version + 1
    FROM asked a
    WHERE s.sku = a.sku AND s.location = a.location
      AND (a.reserved <= a.on_hand OR a.reserved <= 0
        OR s.on_hand - s.reserved - s.quarantined - s.owed - s.safety >= a.reserved)
    RETURNING s.sku, s.location, s.on_hand, s.reserved, s.safety, s.quarantined, s.incoming, s.owed, s.version,
        s.sells, s.on_hand - s.reserved - s.quarantined - s.owed - s.safety AS balance,
        a.on_hand - a.reserved - a.quarantined - a.owed - a.safety AS gained";

// Balances that have no row yet. Opening them with their units, and not at zero to be changed, halves what an import costs.
const OPEN: &str = "
    INSERT INTO stock AS s (sku, location, on_hand, reserved, quarantined, safety, incoming, owed, version, sells)
    SELECT a.sku, a.location, a.on_hand, a.reserved, a.quarantined, a.safety, a.incoming, a.owed, 1,
        l.active AND (l.ships OR l.hands_over)
    FROM asked a JOIN locations l ON l.code = a.location
    WHERE a.reserved <= 0 OR a.on_hand - a.quarantined - a.safety >= a.reserved
    RETURNING s.sku, s.location, s.on_hand, s.reserved, s.safety, s.quarantined, s.incoming, s.owed, s.version,
        s.sells, s.on_hand - s.reserved - s.quarantined - s.owed - s.safety AS balance,
        s.on_hand - s.reserved - s.quarantined - s.owed - s.safety AS gained";

const TOLD: &str = "
), summed AS (
    SELECT sku, sum(greatest(balance, 0) - greatest(balance - gained, 0))::bigint AS gained FROM changed
    WHERE sells GROUP BY sku
), totalled AS (
    UPDATE availability v SET available = v.available + s.gained, version = v.version + 1
    FROM summed s WHERE v.sku = s.sku AND s.gained <> 0
    RETURNING v.sku, v.available, v.version
), logged AS (
    INSERT INTO changes (at, skus, locations, on_hand, reserved, available, totalled, totals, versions)
    SELECT $9, array_agg(sku), array_agg(location), array_agg(on_hand), array_agg(reserved), array_agg(balance),
        coalesce((SELECT array_agg(sku) FROM totalled), '{}'), coalesce((SELECT array_agg(available) FROM totalled), '{}'),
        coalesce((SELECT array_agg(version) FROM totalled), '{}')
    FROM changed HAVING count(*) > 0
)";

// Only where something was gained: there is nothing to wake for what was promised.
const WOKEN: &str = ", woken AS (
    INSERT INTO arrivals (sku)
    SELECT DISTINCT c.sku FROM changed c
    WHERE c.gained > 0 AND c.balance > 0 AND EXISTS (SELECT FROM backorder_lines b WHERE b.sku = c.sku)
    ON CONFLICT (sku) DO UPDATE SET after_priority = excluded.after_priority, after_placed = excluded.after_placed,
        after_order = excluded.after_order
), improvable AS (
    INSERT INTO improvements AS i (sku)
    SELECT DISTINCT c.sku FROM changed c
    WHERE c.gained > 0 AND c.balance > 0 AND EXISTS (SELECT FROM rulesets WHERE state = 'active' AND moves)
      AND (EXISTS (SELECT FROM reserved_lines r WHERE r.sku = c.sku AND r.location < c.location)
        OR EXISTS (SELECT FROM reserved_lines r WHERE r.sku = c.sku AND r.location > c.location))
    ON CONFLICT (sku) DO UPDATE SET again = true WHERE NOT i.again
)";

const ANSWER: &str = "
SELECT sku, location, on_hand, reserved, safety, quarantined, incoming, owed, version FROM changed";

/// Changes balances, all or nothing, and answers them as they are now. The caller holds the pool's lock and has seen that
/// the changes fit; the guards of the statement and the table's checks have the last word.
pub fn apply(tx: &mut Tx<'_>, deltas: &Deltas) -> Result<Vec<Balance>, Error> {
    write(tx, CHANGE, deltas)
}

/// As [`apply`], and adds the promises that the changes are made for and the holds that own them: what is promised most
/// often is written in one go.
pub fn promise(
    tx: &mut Tx<'_>,
    deltas: &Deltas,
    lines: &[ReservedLine],
    holds: &[NewReservation],
) -> Result<Vec<Balance>, Error> {
    let text = format!(
        "{}, promised AS ({} {}), held AS ({}){ANSWER}",
        changing(CHANGE, deltas),
        reserved::ADD,
        tx.on_conflict(reserved::ADD_MORE),
        reservations::INSERT
    );
    let changed = reservations::bind(reserved::bind(asked(tx, text, deltas), lines), holds).load(tx.conn())?;
    complete(changed, deltas)
}

/// As [`apply`], for balances some of which may have no row yet.
pub fn open(tx: &mut Tx<'_>, deltas: &Deltas) -> Result<Vec<Balance>, Error> {
    let known = of_pairs(tx, deltas.keys().map(|(sku, location)| (sku, location)))?;
    let known: HashSet<(&str, &str)> = known.iter().map(|it| (it.sku.as_str(), it.location.as_str())).collect();
    let (old, new): (Deltas, Deltas) = deltas
        .iter()
        .map(|(key, delta)| (key.clone(), *delta))
        .partition(|((sku, location), _)| known.contains(&(sku.as_str(), location.as_str())));
    let skus: BTreeSet<&str> = new.keys().map(|(sku, _)| sku.as_str()).collect();
    diesel::sql_query(
        "INSERT INTO availability (sku, available, version) SELECT sku, 0, 0 FROM unnest($1) AS t (sku) \
         ON CONFLICT DO NOTHING",
    )
    .bind::<Array<Text>, _>(skus.into_iter().collect::<Vec<_>>())
    .execute(tx.conn())?;
    let mut balances = write(tx, OPEN, &new)?;
    balances.extend(write(tx, CHANGE, &old)?);
    Ok(balances)
}

fn write(tx: &mut Tx<'_>, how: &str, deltas: &Deltas) -> Result<Vec<Balance>, Error> {
    if deltas.is_empty() {
        return Ok(Vec::new());
    }
    let changed = asked(tx, format!("{}{ANSWER}", changing(how, deltas)), deltas).load(tx.conn())?;
    complete(changed, deltas)
}

fn changing(how: &str, deltas: &Deltas) -> String {
    let woken = if deltas.values().any(Delta::gains) { WOKEN } else { "" };
    format!("{ASKED}{how}{TOLD}{woken}")
}

/// The statement with what is asked of it bound.
fn asked<'a>(tx: &Tx<'_>, text: String, deltas: &'a Deltas) -> Statement<impl Values + use<'a>> {
    let column = |pick: fn(&Delta) -> i64| deltas.values().map(pick).collect::<Vec<i64>>();
    statement(text)
        .bind::<Array<Text>, _>(deltas.keys().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(deltas.keys().map(|(_, location)| location.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(column(|delta| delta.on_hand))
        .bind::<Array<BigInt>, _>(column(|delta| delta.reserved))
        .bind::<Array<BigInt>, _>(column(|delta| delta.quarantined))
        .bind::<Array<BigInt>, _>(column(|delta| delta.safety))
        .bind::<Array<BigInt>, _>(column(|delta| delta.incoming))
        .bind::<Array<BigInt>, _>(column(|delta| delta.owed))
        .bind::<Timestamptz, _>(tx.now().utc())
}

fn complete(changed: Vec<Balance>, deltas: &Deltas) -> Result<Vec<Balance>, Error> {
    if changed.len() == deltas.len() {
        Ok(changed)
    } else {
        Err(Error::Conflict("a balance has less to promise than was planned".to_owned()))
    }
}

/// Locations begin or cease to promise what lies there: each SKU's total changes with them.
pub fn set_selling(tx: &mut Tx<'_>, locations: &[(&str, bool)]) -> Result<(), Error> {
    diesel::sql_query(
        "WITH asked AS (SELECT * FROM unnest($1, $2) AS t (location, sells)), \
         turned AS (UPDATE stock s SET sells = a.sells FROM asked a WHERE s.location = a.location AND s.sells <> a.sells \
            RETURNING s.sku, CASE WHEN a.sells THEN 1 ELSE -1 END \
                * greatest(s.on_hand - s.reserved - s.quarantined - s.owed - s.safety, 0) AS gained), \
         summed AS (SELECT sku, sum(gained)::bigint AS gained FROM turned GROUP BY sku) \
         UPDATE availability v SET available = v.available + s.gained, version = v.version + 1 \
         FROM summed s WHERE v.sku = s.sku AND s.gained <> 0",
    )
    .bind::<Array<Text>, _>(locations.iter().map(|(code, _)| *code).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(locations.iter().map(|(_, sells)| *sells).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The balances of these pairs that have a row.
pub fn of_pairs<'a>(
    tx: &mut Tx<'_>,
    keys: impl Iterator<Item = (&'a SkuCode, &'a LocationCode)>,
) -> Result<Vec<Balance>, Error> {
    let (skus, locations): (Vec<&str>, Vec<&str>) =
        keys.map(|(sku, location)| (sku.as_str(), location.as_str())).unzip();
    Ok(diesel::sql_query(
        "SELECT s.sku, s.location, s.on_hand, s.reserved, s.safety, s.quarantined, s.incoming, s.owed, s.version \
         FROM (SELECT DISTINCT sku, location FROM unnest($1, $2) AS t (sku, location)) k \
         JOIN stock s ON s.sku = k.sku AND s.location = k.location",
    )
    .bind::<Array<Text>, _>(skus)
    .bind::<Array<Text>, _>(locations)
    .load(tx.conn())?)
}

/// What one location can promise of a SKU; below 0 where its safety stock is not covered.
#[derive(Debug, QueryableByName)]
pub struct Place {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// On hand − reserved − quarantined − owed − safety.
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
}

/// Every location's balance of these SKUs.
pub fn of_skus(tx: &mut Tx<'_>, skus: &BTreeSet<&SkuCode>) -> Result<Vec<Place>, Error> {
    Ok(diesel::sql_query(
        "SELECT sku, location, on_hand - reserved - quarantined - owed - safety AS balance FROM stock WHERE sku = ANY($1) \
         ORDER BY sku",
    )
    .bind::<Array<Text>, _>(skus.iter().map(|sku| sku.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?)
}

/// Which balances a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this SKU alone.
    pub sku: Option<String>,
    /// At this location alone.
    pub location: Option<String>,
    /// At these locations alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// After this (sku, location).
    pub after: Option<(String, String)>,
    /// At most so many.
    pub limit: i64,
}

// A hold that has run out does not count any more, also before it is swept.
const LIST: &str = "\
WITH page AS (
    SELECT * FROM stock
    WHERE ($1 IS NULL OR sku = $1) AND ($2 IS NULL OR location = $2) AND ($3 IS NULL OR location = ANY($3))
      AND ($4 IS NULL OR (sku, location) > ($4, $5))
    ORDER BY sku, location LIMIT $6
), lapsed AS (
    SELECT l.sku, l.location, sum(l.quantity)::bigint AS units FROM reservations r JOIN reserved_lines l ON l.owner = r.id
    WHERE r.state = 'held' AND r.expires_at <= $7 GROUP BY l.sku, l.location
)
SELECT p.sku, p.location, p.on_hand, p.reserved - coalesce(l.units, 0) AS reserved, p.safety, p.quarantined, p.incoming,
    p.owed, p.version
FROM page p LEFT JOIN lapsed l USING (sku, location) ORDER BY p.sku, p.location";

/// Balances by (sku, location).
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Balance>, Error> {
    let now = tx.now().utc();
    Ok(diesel::sql_query(LIST)
        .bind::<Nullable<Text>, _>(&filter.sku)
        .bind::<Nullable<Text>, _>(&filter.location)
        .bind::<Nullable<Array<Text>>, _>(&filter.within)
        .bind::<Nullable<Text>, _>(filter.after.as_ref().map(|(sku, _)| sku))
        .bind::<Nullable<Text>, _>(filter.after.as_ref().map(|(_, location)| location))
        .bind::<BigInt, _>(filter.limit)
        .bind::<Timestamptz, _>(now)
        .load(tx.conn())?)
}

/// Where a SKU lies at locations that take no part.
pub fn inactive(tx: &mut Tx<'_>, sku: &str) -> Result<BTreeSet<String>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        location: String,
    }
    let rows: Vec<Row> = diesel::sql_query("SELECT location FROM stock WHERE sku = $1 AND NOT sells")
        .bind::<Text, _>(sku)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.location).collect())
}

/// What the pool can promise of a SKU.
#[derive(Debug, QueryableByName)]
pub struct Total {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Its category.
    #[diesel(sql_type = Text)]
    pub category: String,
    /// Units that may be promised, over all locations that take part.
    #[diesel(sql_type = BigInt)]
    pub available: i64,
    /// Grows with every change of it; 0 for a SKU that never had stock.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// The totals of these SKUs, as they are kept; a SKU that is not known has none.
pub fn totals(tx: &mut Tx<'_>, skus: &[&str]) -> Result<Vec<Total>, Error> {
    Ok(statement(
        "SELECT s.sku, s.category, coalesce(v.available, 0) AS available, coalesce(v.version, 0) AS version \
         FROM skus s LEFT JOIN availability v ON v.sku = s.sku WHERE s.sku = ANY($1)",
    )
    .bind::<Array<Text>, _>(skus)
    .load(tx.conn())?)
}

/// What some locations can promise of some SKUs.
pub fn at_locations(tx: &mut Tx<'_>, skus: &[&str], locations: &[&str]) -> Result<Vec<Place>, Error> {
    Ok(statement(
        "SELECT sku, location, on_hand - reserved - quarantined - owed - safety AS balance FROM stock \
         WHERE sku = ANY($1) AND location = ANY($2)",
    )
    .bind::<Array<Text>, _>(skus)
    .bind::<Array<Text>, _>(locations)
    .load(tx.conn())?)
}
