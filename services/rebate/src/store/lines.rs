//! Rebate lines: what a payee earned on an order line by a policy version, and what of it went back.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use store::Tx;
use uuid::Uuid;

/// A rebate line as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct LineRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub line_id: Uuid,
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// The order line.
    #[diesel(sql_type = Integer)]
    pub line_no: i32,
    /// The policy version.
    #[diesel(sql_type = SqlUuid)]
    pub policy_id: Uuid,
    /// In which role.
    #[diesel(sql_type = Text)]
    pub role: String,
    /// Who earned.
    #[diesel(sql_type = Text)]
    pub payee: String,
    /// The currency of the amounts.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// Units of the order line.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// What the rate applies to.
    #[diesel(sql_type = BigInt)]
    pub basis_amount: i64,
    /// The rate in parts per million.
    #[diesel(sql_type = BigInt)]
    pub rate_ppm: i64,
    /// What was accrued.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// Units given back so far.
    #[diesel(sql_type = BigInt)]
    pub units_back: i64,
    /// What was taken back with them.
    #[diesel(sql_type = BigInt)]
    pub amount_back: i64,
    /// What was left of it when another decision took its place.
    #[diesel(sql_type = BigInt)]
    pub withdrawn_amount: i64,
    /// The decision on who is credited that it rests on: 0 for the first, else the version of the order that led to it.
    #[diesel(sql_type = BigInt)]
    pub credit_version: i64,
    /// When another decision took its place, if one has.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub superseded_at: Option<DateTime<Utc>>,
    /// When the order was placed.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// When it was accrued.
    #[diesel(sql_type = Timestamptz)]
    pub accrued_at: DateTime<Utc>,
    /// When it became payable, if it has.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub earned_at: Option<DateTime<Utc>>,
}

impl LineRow {
    /// What is left of it.
    pub const fn left(&self) -> i64 {
        self.amount.saturating_sub(self.amount_back).saturating_sub(self.withdrawn_amount)
    }
}

/// Writes new lines with one statement.
pub fn insert(tx: &mut Tx<'_>, lines: &[LineRow]) -> Result<(), store::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "insert into rebate_lines (line_id, order_id, line_no, policy_id, role, payee, currency, quantity, basis_amount,
                                   rate_ppm, amount, placed_at, accrued_at, units_back, amount_back, credit_version)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.line_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.order_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lines.iter().map(|line| line.line_no).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.policy_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|line| line.role.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|line| line.payee.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines.iter().map(|line| line.currency.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.quantity).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.basis_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.rate_ppm).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.amount).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(lines.iter().map(|line| line.placed_at).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(lines.iter().map(|line| line.accrued_at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.units_back).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.amount_back).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.credit_version).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Every line of these orders, in a stable order; the orders are locked, where the lines are to change.
pub fn of_orders(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<Vec<LineRow>, store::Error> {
    let rows = diesel::sql_query(
        "select l.line_id, l.order_id, l.line_no, l.policy_id, l.role, l.payee, l.currency, l.quantity, l.basis_amount,
                l.rate_ppm, l.amount, l.units_back, l.amount_back, l.withdrawn_amount, l.credit_version, l.superseded_at,
                l.placed_at, l.accrued_at, a.earned_at
         from rebate_lines l join attributions a using (order_id)
         where l.order_id = any($1) order by l.order_id, l.line_no, l.line_id",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    Ok(rows)
}

/// Writes what has gone back of these lines; their orders are locked.
pub fn update_back(tx: &mut Tx<'_>, lines: &[&LineRow]) -> Result<(), store::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "update rebate_lines l set units_back = k.units_back, amount_back = k.amount_back
         from unnest($1, $2, $3, $4) as k (line_id, order_id, units_back, amount_back)
         where l.line_id = k.line_id and l.order_id = k.order_id",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.line_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.order_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.units_back).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lines.iter().map(|line| line.amount_back).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Withdraws what is left of these lines, for which others stand from now on; their orders are locked.
pub fn supersede(tx: &mut Tx<'_>, lines: &[&LineRow]) -> Result<(), store::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    diesel::sql_query(
        "update rebate_lines l set withdrawn_amount = l.amount - l.amount_back, superseded_at = $1
         from unnest($2, $3) as k (line_id, order_id) where l.line_id = k.line_id and l.order_id = k.order_id",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.line_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.order_id).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Which lines are wanted; an absent term does not filter.
#[derive(Clone, Debug, Default)]
pub struct LineFilter {
    /// Of this order.
    pub order_id: Option<Uuid>,
    /// Earned by.
    pub payees: Option<Vec<String>>,
    /// Placed at or after.
    pub from: Option<DateTime<Utc>>,
    /// Placed before.
    pub until: Option<DateTime<Utc>>,
    /// Exactly this line.
    pub line_id: Option<Uuid>,
}

/// At most `limit + 1` lines after `after`, by id.
pub fn list(
    tx: &mut Tx<'_>,
    filter: &LineFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LineRow>, store::Error> {
    let rows = diesel::sql_query(
        "select l.line_id, l.order_id, l.line_no, l.policy_id, l.role, l.payee, l.currency, l.quantity, l.basis_amount,
                l.rate_ppm, l.amount, l.units_back, l.amount_back, l.withdrawn_amount, l.credit_version, l.superseded_at,
                l.placed_at, l.accrued_at, a.earned_at
         from rebate_lines l join attributions a using (order_id)
         where ($1 is null or l.order_id = $1) and ($2 is null or l.payee = any($2))
           and ($3 is null or l.placed_at >= $3) and ($4 is null or l.placed_at < $4)
           and ($5 is null or l.line_id = $5) and ($6 is null or l.line_id > $6)
         order by l.line_id limit $7",
    )
    .bind::<Nullable<SqlUuid>, _>(filter.order_id)
    .bind::<Nullable<Array<Text>>, _>(filter.payees.as_deref())
    .bind::<Nullable<Timestamptz>, _>(filter.from)
    .bind::<Nullable<Timestamptz>, _>(filter.until)
    .bind::<Nullable<SqlUuid>, _>(filter.line_id)
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows)
}
