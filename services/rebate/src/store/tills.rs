//! Facts of tills: what they sold by the numbers of receipts, what came back, and what was undone. Append-only.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use contracts::events::PosOriginal;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::{Tx, statement};
use uuid::Uuid;

use super::facts::ReturnFact;

/// The number that a receipt shows, and the sale it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Numbered<'a> {
    /// The store.
    pub store: &'a str,
    /// The till.
    pub terminal: &'a str,
    /// The business day.
    pub business_date: NaiveDate,
    /// The number on that till and day.
    pub sequence: i64,
    /// The transaction.
    pub order_id: Uuid,
}

/// Units that a transaction took back.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// The transaction.
    pub transaction_id: Uuid,
    /// Its line.
    pub line_no: i32,
    /// Where they had been sold.
    pub original: &'a PosOriginal,
    /// How many.
    pub quantity: i64,
    /// What went back to the buyer for them, in minor units.
    pub amount: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// A transaction that was undone.
#[derive(Clone, Copy, Debug)]
pub struct Undone {
    /// The transaction.
    pub transaction_id: Uuid,
    /// Its void.
    pub void_id: Uuid,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// Records sales by their numbers; one already recorded stays as it is.
pub fn insert_sales(tx: &mut Tx<'_>, sales: &[Numbered<'_>]) -> Result<(), store::Error> {
    let text = format!(
        "insert into till_sales (store, terminal, business_date, sequence, order_id)
         select t.* from unnest($1, $2, $3, $4, $5) as t {}",
        tx.on_conflict("on conflict do nothing")
    );
    statement(text)
        .bind::<Array<Text>, _>(column(sales, |it| it.store))
        .bind::<Array<Text>, _>(column(sales, |it| it.terminal))
        .bind::<Array<Date>, _>(column(sales, |it| it.business_date))
        .bind::<Array<BigInt>, _>(column(sales, |it| it.sequence))
        .bind::<Array<SqlUuid>, _>(column(sales, |it| it.order_id))
        .execute(tx.conn())?;
    Ok(())
}

/// Records what came back, each line once.
pub fn insert_returns(tx: &mut Tx<'_>, returns: &[Returned<'_>]) -> Result<(), store::Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "insert into till_sale_returns (transaction_id, line_no, store, terminal, business_date, sequence,
                                        original_line_no, quantity, amount, occurred_at, recorded_at)
         select t.*, $11 from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as t on conflict do nothing",
    )
    .bind::<Array<SqlUuid>, _>(column(returns, |it| it.transaction_id))
    .bind::<Array<Integer>, _>(column(returns, |it| it.line_no))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.store.as_str()))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.terminal.as_str()))
    .bind::<Array<Date>, _>(column(returns, |it| it.original.business_date))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.original.sequence))
    .bind::<Array<Integer>, _>(column(returns, |it| it.original.line_no))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.quantity))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.amount))
    .bind::<Array<Timestamptz>, _>(column(returns, |it| it.occurred_at))
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// Records what was undone, each transaction once.
pub fn insert_voids(tx: &mut Tx<'_>, undone: &[Undone]) -> Result<(), store::Error> {
    diesel::sql_query(
        "insert into till_sale_voids (transaction_id, void_id, occurred_at)
         select t.* from unnest($1, $2, $3) as t on conflict do nothing",
    )
    .bind::<Array<SqlUuid>, _>(column(undone, |it| it.transaction_id))
    .bind::<Array<SqlUuid>, _>(column(undone, |it| it.void_id))
    .bind::<Array<Timestamptz>, _>(column(undone, |it| it.occurred_at))
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

/// The sales of which these returns take units back, those that are undone, and those of which undone returns had taken units
/// back; each with a transaction because of which it is.
pub fn touched(
    tx: &mut Tx<'_>,
    returns: &[Returned<'_>],
    undone: &[Undone],
) -> Result<BTreeMap<Uuid, Uuid>, store::Error> {
    let rows: Vec<TouchedRow> = diesel::sql_query(
        "with undone as (select * from unnest($6, $7) as v (transaction_id, cause))
         select s.order_id, n.cause from till_sales s
         join unnest($1, $2, $3, $4, $5) as n (store, terminal, business_date, sequence, cause)
             using (store, terminal, business_date, sequence)
         union all
         select s.order_id, v.cause from undone v join till_sales s on s.order_id = v.transaction_id
         union all
         select s.order_id, v.cause from undone v join till_sale_returns r using (transaction_id)
         join till_sales s using (store, terminal, business_date, sequence)",
    )
    .bind::<Array<Text>, _>(column(returns, |it| it.original.store.as_str()))
    .bind::<Array<Text>, _>(column(returns, |it| it.original.terminal.as_str()))
    .bind::<Array<Date>, _>(column(returns, |it| it.original.business_date))
    .bind::<Array<BigInt>, _>(column(returns, |it| it.original.sequence))
    .bind::<Array<SqlUuid>, _>(column(returns, |it| it.transaction_id))
    .bind::<Array<SqlUuid>, _>(column(undone, |it| it.transaction_id))
    .bind::<Array<SqlUuid>, _>(column(undone, |it| it.void_id))
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

/// What is back of some sales, by everything that tills told.
#[derive(Clone, Debug, Default)]
pub struct Back {
    voided: HashSet<Uuid>,
    units: HashMap<(Uuid, i32), i64>,
}

impl Back {
    /// How many of a line's units are back: all of what was undone, and never more than were sold.
    pub fn of(&self, sale: Uuid, line_no: i32, quantity: i64) -> i64 {
        if self.voided.contains(&sale) {
            return quantity;
        }
        self.units.get(&(sale, line_no)).copied().unwrap_or_default().min(quantity)
    }
}

/// What is back of these sales: returns that were undone themselves do not count.
pub fn back_of(tx: &mut Tx<'_>, sales: &[Uuid]) -> Result<Back, store::Error> {
    let rows: Vec<BackRow> = diesel::sql_query(
        "select s.order_id, r.original_line_no as line_no, sum(r.quantity)::bigint as units
         from till_sales s join till_sale_returns r using (store, terminal, business_date, sequence)
         where s.order_id = any($1)
           and not exists (select from till_sale_voids v where v.transaction_id = r.transaction_id)
         group by s.order_id, r.original_line_no
         union all
         select transaction_id, null, 0 from till_sale_voids where transaction_id = any($1)",
    )
    .bind::<Array<SqlUuid>, _>(sales)
    .load(tx.conn())?;
    let mut back = Back::default();
    for row in rows {
        if let Some(line_no) = row.line_no {
            back.units.insert((row.order_id, line_no), row.units);
        } else {
            back.voided.insert(row.order_id);
        }
    }
    Ok(back)
}

/// What is back of a line of a sale, step by step; never more than the units that were sold.
pub fn facts_of_line(
    tx: &mut Tx<'_>,
    sale: Uuid,
    line_no: i32,
    quantity: i64,
) -> Result<Vec<ReturnFact>, store::Error> {
    let mut facts: Vec<ReturnFact> = diesel::sql_query(
        "select s.order_id, r.transaction_id as source_id, r.original_line_no as line_no, 'refund' as kind, r.quantity,
                r.amount, r.occurred_at
         from till_sales s join till_sale_returns r using (store, terminal, business_date, sequence)
         where s.order_id = $1 and r.original_line_no = $2
           and not exists (select from till_sale_voids v where v.transaction_id = r.transaction_id)
         order by r.recorded_at, r.transaction_id, r.line_no",
    )
    .bind::<SqlUuid, _>(sale)
    .bind::<Integer, _>(line_no)
    .load(tx.conn())?;
    let voids: Vec<ReturnFact> = diesel::sql_query(
        "select transaction_id as order_id, void_id as source_id, $2 as line_no, 'void' as kind, $3 as quantity,
                0::bigint as amount, occurred_at
         from till_sale_voids where transaction_id = $1",
    )
    .bind::<SqlUuid, _>(sale)
    .bind::<Integer, _>(line_no)
    .bind::<BigInt, _>(quantity)
    .load(tx.conn())?;
    facts.extend(voids);
    let mut left = quantity;
    for fact in &mut facts {
        fact.quantity = fact.quantity.min(left);
        left = left.saturating_sub(fact.quantity);
    }
    facts.retain(|fact| fact.quantity > 0);
    Ok(facts)
}
