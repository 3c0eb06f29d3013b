//! Rows of what members bought at tills, and of what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use contracts::events::PosOriginal;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Integer, Nullable, Text, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// The number that a receipt shows.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// The store.
    pub store: &'a str,
    /// The till.
    pub terminal: &'a str,
    /// The business day.
    pub business_date: NaiveDate,
    /// The number on that till and day.
    pub sequence: i64,
}

/// Units that a transaction took back.
#[derive(Clone, Debug)]
pub struct Returned<'a> {
    /// The transaction.
    pub transaction_id: Uuid,
    /// Its line.
    pub line_no: i32,
    /// Where they had been sold.
    pub original: &'a PosOriginal,
    /// How many.
    pub quantity: i64,
}

fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// Remembers members' purchases by their numbers.
pub fn insert_purchases(tx: &mut Tx<'_>, purchases: &[(Number<'_>, Uuid)]) -> Result<(), Error> {
    statement(
        "INSERT INTO till_purchases (store, terminal, business_date, sequence, order_id)
         SELECT p.* FROM unnest($1, $2, $3, $4, $5) AS p",
    )
    .bind::<Array<Text>, _>(column(purchases, |(number, _)| number.store))
    .bind::<Array<Text>, _>(column(purchases, |(number, _)| number.terminal))
    .bind::<Array<Date>, _>(column(purchases, |(number, _)| number.business_date))
    .bind::<Array<BigInt>, _>(column(purchases, |(number, _)| number.sequence))
    .bind::<Array<SqlUuid>, _>(column(purchases, |(_, id)| *id))
    .execute(tx.conn())?;
    Ok(())
}

/// Remembers what came back, each line once.
pub fn insert_returns(tx: &mut Tx<'_>, returns: &[Returned<'_>]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO till_purchase_returns
             (transaction_id, line_no, store, terminal, business_date, sequence, original_line_no, quantity)
         SELECT r.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS r ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(column(returns, |it| it.transaction_id))
    .bind::<Array<Integer>, _>(column(returns, |it| it.line_no))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.store.as_str()))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.terminal.as_str()))
    .bind::<Array<Date>, _>(column(returns, |it| it.original.business_date))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.original.sequence))
    .bind::<Array<Integer>, _>(column(returns, |it| it.original.line_no))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.quantity))
    .execute(tx.conn())?;
    Ok(())
}

/// Remembers that transactions were undone.
pub fn insert_voids(tx: &mut Tx<'_>, undone: &[(Uuid, Uuid)]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO till_purchase_voids (transaction_id) SELECT v FROM unnest($1) AS v ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(column(undone, |(transaction, _)| *transaction))
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct TouchedRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    cause: Uuid,
}

/// The purchases of which these returns take units back, those that are undone, and those of which undone returns had taken
/// units back; each with a transaction because of which it is. `undone` are pairs of what is undone and its void.
pub fn touched(
    tx: &mut Tx<'_>,
    returns: &[Returned<'_>],
    undone: &[(Uuid, Uuid)],
) -> Result<BTreeMap<Uuid, Uuid>, Error> {
    let rows: Vec<TouchedRow> = diesel::sql_query(
        "WITH undone AS (SELECT * FROM unnest($6, $7) AS v (transaction_id, cause))
         SELECT p.order_id, n.cause FROM till_purchases p
         JOIN unnest($1, $2, $3, $4, $5) AS n (store, terminal, business_date, sequence, cause)
             USING (store, terminal, business_date, sequence)
         UNION ALL
         SELECT p.order_id, v.cause FROM undone v JOIN till_purchases p ON p.order_id = v.transaction_id
         UNION ALL
         SELECT p.order_id, v.cause FROM undone v JOIN till_purchase_returns r USING (transaction_id)
         JOIN till_purchases p USING (store, terminal, business_date, sequence)",
    )
    .bind::<Array<Text>, _>(column(returns, |it| it.original.store.as_str()))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.terminal.as_str()))
    .bind::<Array<Date>, _>(column(returns, |it| it.original.business_date))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.original.sequence))
    .bind::<Array<SqlUuid>, _>(column(returns, |it| it.transaction_id))
    .bind::<Array<SqlUuid>, _>(column(undone, |(transaction, _)| *transaction))
    .bind::<Array<SqlUuid>, _>(column(undone, |(_, void)| *void))
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.cause)).collect())
}

#[derive(QueryableByName)]
struct BackRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Nullable<Integer>)]
    line_no: Option<i32>,
    #[diesel(sql_type = BigInt)]
    units: i64,
}

/// What is back of some purchases, by everything that tills told.
#[derive(Clone, Debug, Default)]
pub struct Back {
    voided: HashSet<Uuid>,
    units: HashMap<(Uuid, i32), i64>,
}

impl Back {
    /// How many of a line's units are back: all of what was undone, and never more than were bought.
    pub fn of(&self, purchase: Uuid, line_no: i32, quantity: i64) -> i64 {
        if self.voided.contains(&purchase) {
            return quantity;
        }
        self.units.get(&(purchase, line_no)).copied().unwrap_or_default().min(quantity)
    }
}

/// What is back of these purchases: returns that were undone themselves do not count.
pub fn back_of(tx: &mut Tx<'_>, purchases: &[Uuid]) -> Result<Back, Error> {
    let rows: Vec<BackRow> = diesel::sql_query(
        "SELECT p.order_id, r.original_line_no AS line_no, sum(r.quantity)::bigint AS units
         FROM till_purchases p JOIN till_purchase_returns r USING (store, terminal, business_date, sequence)
         WHERE p.order_id = ANY ($1)
           AND NOT EXISTS (SELECT FROM till_purchase_voids v WHERE v.transaction_id = r.transaction_id)
         GROUP BY p.order_id, r.original_line_no
         UNION ALL
         SELECT transaction_id, NULL, 0 FROM till_purchase_voids WHERE transaction_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(purchases)
    .load(tx.conn())?;
    let mut back = Back::default();
    for row in rows {
        match row.line_no {
            Some(line_no) => drop(back.units.insert((row.order_id, line_no), row.units)),
            None => drop(back.voided.insert(row.order_id)),
        }
    }
    Ok(back)
}
