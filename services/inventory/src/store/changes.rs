//! The change log: what each transaction changed, in the order of commits. Pictures of the pool follow it.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Text, Timestamptz};
use kernel::Timestamp;
use store::{Error, Tx, statement};

use super::reservations::{self, Buyer, HELD_BY};

/// One transaction's changes. The arrays run side by side.
#[derive(Debug, QueryableByName)]
pub struct Change {
    /// Its place in the log.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// Whether this very transaction wrote it: it is not committed yet.
    #[diesel(sql_type = Bool)]
    pub own: bool,
    /// Whether locations changed; they are to be read again.
    #[diesel(sql_type = Bool)]
    pub locations_changed: bool,
    /// Whether rules changed (of sharing or of sourcing); they are to be read again.
    #[diesel(sql_type = Bool)]
    pub rules_changed: bool,
    /// Changed balances: their SKUs,
    #[diesel(sql_type = Array<Text>)]
    pub skus: Vec<String>,
    /// locations,
    #[diesel(sql_type = Array<Text>)]
    pub locations: Vec<String>,
    /// units there,
    #[diesel(sql_type = Array<BigInt>)]
    pub on_hand: Vec<i64>,
    /// units promised,
    #[diesel(sql_type = Array<BigInt>)]
    pub reserved: Vec<i64>,
    /// and units that may be promised; below 0 where the safety stock is not covered.
    #[diesel(sql_type = Array<BigInt>)]
    pub available: Vec<i64>,
    /// SKUs whose catalogue entry changed; it is to be read again.
    #[diesel(sql_type = Array<Text>)]
    pub catalog: Vec<String>,
    /// Changed uses of shares: their SKUs,
    #[diesel(sql_type = Array<Text>)]
    pub used_skus: Vec<String>,
    /// what they are counted by,
    #[diesel(sql_type = Array<BigInt>)]
    pub used_counts: Vec<i64>,
    /// and units used.
    #[diesel(sql_type = Array<BigInt>)]
    pub used: Vec<i64>,
    /// Changed loads: their locations,
    #[diesel(sql_type = Array<Text>)]
    pub loaded: Vec<String>,
    /// days
    #[diesel(sql_type = Array<Date>)]
    pub loaded_days: Vec<NaiveDate>,
    /// and orders.
    #[diesel(sql_type = Array<BigInt>)]
    pub loads: Vec<i64>,
    /// Whether any hold has run out and is not swept yet: it is asked here so that nobody has to ask for that alone.
    #[diesel(sql_type = Bool)]
    pub due: bool,
    /// Units that each of the buyers holds who were asked for, likewise.
    #[diesel(sql_type = Array<BigInt>)]
    pub held: Vec<i64>,
}

/// The log from `seq` on, at most `limit` transactions. The first one has the number `seq` itself, unless it was pruned:
/// then whoever asks has missed something.
pub fn from(tx: &mut Tx<'_>, seq: i64, limit: i64, buyers: &[Buyer<'_>]) -> Result<Vec<Change>, Error> {
    let now = tx.now().utc();
    let asked = statement(format!(
        "SELECT seq, (written_by = pg_current_xact_id_if_assigned()) IS TRUE AS own, locations_changed, rules_changed, \
         skus, locations, on_hand, reserved, available, catalog, used_skus, used_counts, used, loaded, loaded_days, loads, \
         (SELECT EXISTS (SELECT FROM reservations WHERE state = 'held' AND expires_at <= $1)) AS due, \
         {HELD_BY} AS held FROM changes WHERE seq >= $2 ORDER BY seq LIMIT $3"
    ));
    Ok(reservations::bind_buyers(asked.bind::<Timestamptz, _>(now), buyers)
        .bind::<BigInt, _>(seq)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?)
}

/// One transaction's changes of totals; the arrays run side by side.
#[derive(Debug, QueryableByName)]
pub struct Totals {
    /// Its place in the log.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// SKUs,
    #[diesel(sql_type = Array<Text>)]
    pub totalled: Vec<String>,
    /// units,
    #[diesel(sql_type = Array<BigInt>)]
    pub totals: Vec<i64>,
    /// and versions.
    #[diesel(sql_type = Array<BigInt>)]
    pub versions: Vec<i64>,
    /// Whether rules or locations changed.
    #[diesel(sql_type = Bool)]
    pub rules_changed: bool,
    /// Changed balances: their SKUs,
    #[diesel(sql_type = Array<Text>)]
    pub skus: Vec<String>,
    /// locations,
    #[diesel(sql_type = Array<Text>)]
    pub locations: Vec<String>,
    /// and units that may be promised.
    #[diesel(sql_type = Array<BigInt>)]
    pub available: Vec<i64>,
    /// SKUs whose catalogue entry changed.
    #[diesel(sql_type = Array<Text>)]
    pub catalog: Vec<String>,
    /// Changed uses of shares: their SKUs,
    #[diesel(sql_type = Array<Text>)]
    pub used_skus: Vec<String>,
    /// what they are counted by,
    #[diesel(sql_type = Array<BigInt>)]
    pub used_counts: Vec<i64>,
    /// and units used.
    #[diesel(sql_type = Array<BigInt>)]
    pub used: Vec<i64>,
}

/// The totals in the log from `seq` on, at most `limit` transactions; the first one tells of gaps as in [`from`].
pub fn totals(tx: &mut Tx<'_>, seq: i64, limit: i64) -> Result<Vec<Totals>, Error> {
    let query = "SELECT seq, totalled, totals, versions, rules_changed OR locations_changed AS rules_changed, skus, locations, \
                 available, catalog, used_skus, used_counts, used FROM changes WHERE seq >= $1 ORDER BY seq LIMIT $2";
    Ok(diesel::sql_query(query).bind::<BigInt, _>(seq).bind::<BigInt, _>(limit).load(tx.conn())?)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The newest number that is not this transaction's own.
pub fn newest(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row: Number = statement(
        "SELECT coalesce(max(seq), 0) AS number FROM changes \
         WHERE (written_by = pg_current_xact_id_if_assigned()) IS NOT TRUE",
    )
    .get_result(tx.conn())?;
    Ok(row.number)
}

/// Logs that locations changed.
pub fn locations_changed(tx: &mut Tx<'_>) -> Result<(), Error> {
    log(tx, "locations_changed")
}

/// Logs that rules changed.
pub fn rules_changed(tx: &mut Tx<'_>) -> Result<(), Error> {
    log(tx, "rules_changed")
}

/// Logs that the catalogue entries of these SKUs changed.
pub fn catalog_changed(tx: &mut Tx<'_>, skus: &[&str]) -> Result<(), Error> {
    let at = tx.now().utc();
    diesel::sql_query("INSERT INTO changes (at, catalog) VALUES ($1, $2)")
        .bind::<Timestamptz, _>(at)
        .bind::<Array<Text>, _>(skus)
        .execute(tx.conn())?;
    Ok(())
}

fn log(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    let at = tx.now().utc();
    diesel::sql_query(format!("INSERT INTO changes (at, {what}) VALUES ($1, true)"))
        .bind::<Timestamptz, _>(at)
        .execute(tx.conn())?;
    Ok(())
}

/// Forgets what was logged before `before` and told, but never the newest; says how many.
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<usize, Error> {
    Ok(diesel::sql_query(
        "DELETE FROM changes WHERE seq = ANY (ARRAY(SELECT seq FROM changes WHERE at < $1 \
         AND seq < (SELECT max(seq) FROM changes) AND seq <= (SELECT min(upto) FROM progress WHERE job IN ('tell_stock', 'tell_availability')) \
         ORDER BY seq LIMIT $2))",
    )
    .bind::<Timestamptz, _>(before.utc())
    .bind::<BigInt, _>(limit)
    .execute(tx.conn())?)
}

/// How far a job has read.
pub fn progress(tx: &mut Tx<'_>, job: &str) -> Result<i64, Error> {
    let row: Number = diesel::sql_query("SELECT upto AS number FROM progress WHERE job = $1")
        .bind::<Text, _>(job)
        .get_result(tx.conn())?;
    Ok(row.number)
}

/// Notes how far a job has read.
pub fn advance(tx: &mut Tx<'_>, job: &str, upto: i64) -> Result<(), Error> {
    diesel::sql_query("UPDATE progress SET upto = $2 WHERE job = $1")
        .bind::<Text, _>(job)
        .bind::<BigInt, _>(upto)
        .execute(tx.conn())?;
    Ok(())
}
