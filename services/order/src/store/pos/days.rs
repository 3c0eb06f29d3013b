//! The tables `pos_days`, `pos_gaps` and `pos_day_tenders`. The tills must be locked by whoever writes.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text, Timestamptz};
use store::{Error, Tx, statement};

use super::{Day, Filter, Till};
use crate::domain::pos::numbers::{Gap, Numbers};

/// A day as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct DayRow {
    /// The store.
    #[diesel(sql_type = Text)]
    pub store: String,
    /// The till.
    #[diesel(sql_type = Text)]
    pub terminal: String,
    /// The day.
    #[diesel(sql_type = Date)]
    pub business_date: NaiveDate,
    /// The first number that is accounted for.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub first_sequence: Option<i64>,
    /// The last.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub last_sequence: Option<i64>,
    /// How many transactions have come.
    #[diesel(sql_type = BigInt)]
    pub transactions: i64,
    /// How many numbers are missing.
    #[diesel(sql_type = BigInt)]
    pub missing: i64,
    /// The last number, as the till said.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub declared_last: Option<i64>,
    /// How many transactions it wrote, as the till said.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub declared_transactions: Option<i64>,
    /// When it was closed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_at: Option<DateTime<Utc>>,
    /// The client that closed it.
    #[diesel(sql_type = Nullable<Text>)]
    pub closed_by: Option<String>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl DayRow {
    /// A day of which nothing has come.
    pub fn new(day: &Day) -> Self {
        Self {
            store: day.till.store.clone(),
            terminal: day.till.terminal.clone(),
            business_date: day.business_date,
            first_sequence: None,
            last_sequence: None,
            transactions: 0,
            missing: 0,
            declared_last: None,
            declared_transactions: None,
            closed_at: None,
            closed_by: None,
            version: 0,
        }
    }

    /// Whose day it is.
    pub fn day(&self) -> Day {
        let till = Till { store: self.store.clone(), terminal: self.terminal.clone() };
        Day { till, business_date: self.business_date }
    }

    /// Its numbers, with the gaps between them.
    pub fn numbers(&self, gaps: Vec<Gap>) -> Numbers {
        Numbers { span: self.first_sequence.zip(self.last_sequence), gaps }
    }

    /// Takes over its numbers.
    pub fn count(&mut self, numbers: &Numbers) {
        self.first_sequence = numbers.span.map(|span| span.0);
        self.last_sequence = numbers.span.map(|span| span.1);
        self.missing = numbers.missing();
    }
}

fn column<'a, T, R>(rows: &[&'a R], part: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| part(row)).collect()
}

/// The days that are there already.
pub fn of(tx: &mut Tx<'_>, days: &[&Day]) -> Result<BTreeMap<Day, DayRow>, Error> {
    let rows: Vec<DayRow> = statement(
        "SELECT d.* FROM pos_days d JOIN unnest($1, $2, $3) AS n (store, terminal, business_date) \
         USING (store, terminal, business_date)",
    )
    .bind::<Array<Text>, _>(column(days, |day| day.till.store.as_str()))
    .bind::<Array<Text>, _>(column(days, |day| day.till.terminal.as_str()))
    .bind::<Array<Date>, _>(column(days, |day| day.business_date))
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.day(), row)).collect())
}

/// Writes days back, new ones and others.
pub fn save(tx: &mut Tx<'_>, rows: &[&DayRow]) -> Result<(), Error> {
    statement(
        "INSERT INTO pos_days (store, terminal, business_date, first_sequence, last_sequence, transactions, missing, \
         declared_last, declared_transactions, closed_at, closed_by, version) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (store, business_date, terminal) DO UPDATE SET first_sequence = excluded.first_sequence, \
         last_sequence = excluded.last_sequence, transactions = excluded.transactions, missing = excluded.missing, \
         declared_last = excluded.declared_last, declared_transactions = excluded.declared_transactions, \
         closed_at = excluded.closed_at, closed_by = excluded.closed_by, version = excluded.version",
    )
    .bind::<Array<Text>, _>(column(rows, |row| row.store.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.terminal.as_str()))
    .bind::<Array<Date>, _>(column(rows, |row| row.business_date))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.first_sequence))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.last_sequence))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.transactions))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.missing))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.declared_last))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.declared_transactions))
    .bind::<Array<Nullable<Timestamptz>>, _>(column(rows, |row| row.closed_at))
    .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.closed_by.as_deref()))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.version))
    .execute(tx.conn())?;
    Ok(())
}

/// The newest `limit` days of a list.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<DayRow>, Error> {
    let before = filter.before.as_ref();
    Ok(diesel::sql_query(
        "SELECT * FROM pos_days WHERE store = $1 AND ($2 IS NULL OR terminal = $2) \
         AND ($3 IS NULL OR business_date = $3) AND ($4 IS NULL OR (business_date, terminal) < ($4, $5)) \
         ORDER BY business_date DESC, terminal DESC LIMIT $6",
    )
    .bind::<Text, _>(filter.store.as_str())
    .bind::<Nullable<Text>, _>(filter.terminal.as_deref())
    .bind::<Nullable<Date>, _>(filter.business_date)
    .bind::<Nullable<Date>, _>(before.map(|it| it.0))
    .bind::<Nullable<Text>, _>(before.map(|it| it.1.as_str()))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// A gap as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct GapRow {
    /// The store.
    #[diesel(sql_type = Text)]
    pub store: String,
    /// The till.
    #[diesel(sql_type = Text)]
    pub terminal: String,
    /// The day.
    #[diesel(sql_type = Date)]
    pub business_date: NaiveDate,
    /// The first number that is missing.
    #[diesel(sql_type = BigInt)]
    pub first_missing: i64,
    /// The last.
    #[diesel(sql_type = BigInt)]
    pub last_missing: i64,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
}

impl GapRow {
    /// Whose day it is in.
    pub fn day(&self) -> Day {
        let till = Till { store: self.store.clone(), terminal: self.terminal.clone() };
        Day { till, business_date: self.business_date }
    }

    /// The numbers.
    pub const fn gap(&self) -> Gap {
        Gap { first: self.first_missing, last: self.last_missing }
    }
}

/// The gaps of these days, in order.
pub fn gaps_of(tx: &mut Tx<'_>, days: &[&Day]) -> Result<BTreeMap<Day, Vec<GapRow>>, Error> {
    let rows: Vec<GapRow> = statement(
        "SELECT g.* FROM pos_gaps g JOIN unnest($1, $2, $3) AS n (store, terminal, business_date) \
         USING (store, terminal, business_date) ORDER BY g.first_missing",
    )
    .bind::<Array<Text>, _>(column(days, |day| day.till.store.as_str()))
    .bind::<Array<Text>, _>(column(days, |day| day.till.terminal.as_str()))
    .bind::<Array<Date>, _>(column(days, |day| day.business_date))
    .load(tx.conn())?;
    let mut gaps: BTreeMap<Day, Vec<GapRow>> = BTreeMap::new();
    for row in rows {
        gaps.entry(row.day()).or_default().push(row);
    }
    Ok(gaps)
}

/// Gaps that are closed, and those that are open instead. A part of an older gap is missing since then.
pub fn replace_gaps(tx: &mut Tx<'_>, closed: &[GapRow], opened: &[GapRow]) -> Result<(), Error> {
    if !closed.is_empty() {
        let rows: Vec<&GapRow> = closed.iter().collect();
        statement(
            "DELETE FROM pos_gaps g USING unnest($1, $2, $3, $4) AS n (store, terminal, business_date, first_missing) \
             WHERE g.store = n.store AND g.terminal = n.terminal AND g.business_date = n.business_date \
             AND g.first_missing = n.first_missing",
        )
        .bind::<Array<Text>, _>(column(&rows, |row| row.store.as_str()))
        .bind::<Array<Text>, _>(column(&rows, |row| row.terminal.as_str()))
        .bind::<Array<Date>, _>(column(&rows, |row| row.business_date))
        .bind::<Array<BigInt>, _>(column(&rows, |row| row.first_missing))
        .execute(tx.conn())?;
    }
    if !opened.is_empty() {
        let rows: Vec<&GapRow> = opened.iter().collect();
        statement(
            "INSERT INTO pos_gaps (store, terminal, business_date, first_missing, last_missing, since) \
             SELECT * FROM unnest($1, $2, $3, $4, $5, $6)",
        )
        .bind::<Array<Text>, _>(column(&rows, |row| row.store.as_str()))
        .bind::<Array<Text>, _>(column(&rows, |row| row.terminal.as_str()))
        .bind::<Array<Date>, _>(column(&rows, |row| row.business_date))
        .bind::<Array<BigInt>, _>(column(&rows, |row| row.first_missing))
        .bind::<Array<BigInt>, _>(column(&rows, |row| row.last_missing))
        .bind::<Array<Timestamptz>, _>(column(&rows, |row| row.since))
        .execute(tx.conn())?;
    }
    Ok(())
}

/// The newest `limit` gaps of a list.
pub fn list_gaps(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<GapRow>, Error> {
    let before = filter.before.as_ref();
    Ok(diesel::sql_query(
        "SELECT * FROM pos_gaps WHERE store = $1 AND ($2 IS NULL OR terminal = $2) \
         AND ($3 IS NULL OR business_date = $3) \
         AND ($4 IS NULL OR (business_date, terminal, first_missing) < ($4, $5, $6)) \
         ORDER BY business_date DESC, terminal DESC, first_missing DESC LIMIT $7",
    )
    .bind::<Text, _>(filter.store.as_str())
    .bind::<Nullable<Text>, _>(filter.terminal.as_deref())
    .bind::<Nullable<Date>, _>(filter.business_date)
    .bind::<Nullable<Date>, _>(before.map(|it| it.0))
    .bind::<Nullable<Text>, _>(before.map(|it| it.1.as_str()))
    .bind::<Nullable<BigInt>, _>(before.map(|it| it.2))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// A day's sum of a means of payment, as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct TenderRow {
    /// The store.
    #[diesel(sql_type = Text)]
    pub store: String,
    /// The till.
    #[diesel(sql_type = Text)]
    pub terminal: String,
    /// The day.
    #[diesel(sql_type = Date)]
    pub business_date: NaiveDate,
    /// The means of payment.
    #[diesel(sql_type = Text)]
    pub method: String,
    /// The currency.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// What the transactions add up to.
    #[diesel(sql_type = BigInt)]
    pub received_amount: i64,
    /// What the till said.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub declared_amount: Option<i64>,
}

/// A day's means of payment: day, method, currency.
pub type TenderKey = (Day, String, String);

/// Adds to what was received.
pub fn add_received(tx: &mut Tx<'_>, sums: &BTreeMap<TenderKey, i64>) -> Result<(), Error> {
    if sums.is_empty() {
        return Ok(());
    }
    let keys: Vec<&TenderKey> = sums.keys().collect();
    statement(
        "INSERT INTO pos_day_tenders (store, terminal, business_date, method, currency, received_amount) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (store, business_date, terminal, method, currency) DO UPDATE \
         SET received_amount = pos_day_tenders.received_amount + excluded.received_amount",
    )
    .bind::<Array<Text>, _>(column(&keys, |key| key.0.till.store.as_str()))
    .bind::<Array<Text>, _>(column(&keys, |key| key.0.till.terminal.as_str()))
    .bind::<Array<Date>, _>(column(&keys, |key| key.0.business_date))
    .bind::<Array<Text>, _>(column(&keys, |key| key.1.as_str()))
    .bind::<Array<Text>, _>(column(&keys, |key| key.2.as_str()))
    .bind::<Array<BigInt>, _>(sums.values().copied().collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Notes what a till said: method, currency, amount.
pub fn declare(tx: &mut Tx<'_>, day: &Day, declared: &[(String, String, i64)]) -> Result<(), Error> {
    if declared.is_empty() {
        return Ok(());
    }
    statement(
        "INSERT INTO pos_day_tenders (store, terminal, business_date, method, currency, declared_amount) \
         SELECT $1, $2, $3, n.* FROM unnest($4, $5, $6) AS n (method, currency, amount) \
         ON CONFLICT (store, business_date, terminal, method, currency) DO UPDATE \
         SET declared_amount = excluded.declared_amount",
    )
    .bind::<Text, _>(day.till.store.as_str())
    .bind::<Text, _>(day.till.terminal.as_str())
    .bind::<Date, _>(day.business_date)
    .bind::<Array<Text>, _>(declared.iter().map(|it| it.0.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(declared.iter().map(|it| it.1.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(declared.iter().map(|it| it.2).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The sums of these days, by method and currency.
pub fn tenders_of(tx: &mut Tx<'_>, days: &[&Day]) -> Result<BTreeMap<Day, Vec<TenderRow>>, Error> {
    let rows: Vec<TenderRow> = statement(
        "SELECT t.* FROM pos_day_tenders t JOIN unnest($1, $2, $3) AS n (store, terminal, business_date) \
         USING (store, terminal, business_date) ORDER BY t.method, t.currency",
    )
    .bind::<Array<Text>, _>(column(days, |day| day.till.store.as_str()))
    .bind::<Array<Text>, _>(column(days, |day| day.till.terminal.as_str()))
    .bind::<Array<Date>, _>(column(days, |day| day.business_date))
    .load(tx.conn())?;
    let mut tenders: BTreeMap<Day, Vec<TenderRow>> = BTreeMap::new();
    for row in rows {
        let till = Till { store: row.store.clone(), terminal: row.terminal.clone() };
        tenders.entry(Day { till, business_date: row.business_date }).or_default().push(row);
    }
    Ok(tenders)
}
