//! Facts: append-only, per order line.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::OrderId;
use store::{Tx, statement};
use uuid::Uuid;

use crate::domain::sale::{Sale, SaleLine};

/// Records sales with one statement; a line already recorded stays as it is.
pub fn insert_sales(tx: &mut Tx<'_>, sales: &[Sale]) -> Result<(), store::Error> {
    let rows: Vec<(&Sale, &SaleLine)> =
        sales.iter().flat_map(|sale| sale.lines.iter().map(move |line| (sale, line))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    let text = format!(
        "insert into sale_facts (order_id, line_no, channel, placed_at, currency, guide, store, sku, category, quantity,
                                 list_amount, paid_amount, added, recorded_at)
         select t.*, $1 from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) as t {}",
        tx.on_conflict("on conflict do nothing")
    );
    statement(text)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|(sale, _)| sale.order_id.uuid()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows.iter().map(|(_, line)| line.line_no).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|(sale, _)| sale.channel.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|(sale, _)| sale.placed_at.utc()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|(sale, _)| sale.currency.code()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|(sale, _)| sale.guide.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|(sale, _)| sale.store.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|(_, line)| line.sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|(_, line)| line.category.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|(_, line)| line.quantity).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|(_, line)| line.list_amount).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows.iter().map(|(_, line)| line.paid_amount).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(rows.iter().map(|(_, line)| line.added).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct SaleRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Timestamptz)]
    placed_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Nullable<Text>)]
    guide: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    store: Option<String>,
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
    #[diesel(sql_type = BigInt)]
    list_amount: i64,
    #[diesel(sql_type = BigInt)]
    paid_amount: i64,
    #[diesel(sql_type = Bool)]
    added: bool,
}

/// The recorded ones of these orders.
pub fn sales(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<BTreeMap<OrderId, Sale>, store::Error> {
    let rows: Vec<SaleRow> = diesel::sql_query(
        "select order_id, line_no, channel, placed_at, currency, guide, store, sku, category, quantity, list_amount,
                paid_amount, added
         from sale_facts where order_id = any($1) order by order_id, line_no",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    let mut sales = BTreeMap::new();
    for row in rows {
        let currency = crate::app::stored_currency(&row.currency)?;
        let sale = sales.entry(OrderId(row.order_id)).or_insert_with(|| Sale {
            order_id: OrderId(row.order_id),
            channel: row.channel,
            placed_at: row.placed_at.into(),
            currency,
            guide: row.guide,
            store: row.store,
            lines: Vec::new(),
        });
        sale.lines.push(SaleLine {
            line_no: row.line_no,
            sku: row.sku,
            category: row.category,
            quantity: row.quantity,
            list_amount: row.list_amount,
            paid_amount: row.paid_amount,
            added: row.added,
        });
    }
    Ok(sales)
}

/// Units of an order line that were given back.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ReturnFact {
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// What gave them back: the refund, the event that cancelled, or the till's transaction.
    #[diesel(sql_type = SqlUuid)]
    pub source_id: Uuid,
    /// The order line.
    #[diesel(sql_type = Integer)]
    pub line_no: i32,
    /// `cancel`, `refund` or `void`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// How many units.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// What went back to the buyer for them, in minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: DateTime<Utc>,
}

/// The name of a recorded return fact: order, source, line.
pub type ReturnKey = (Uuid, Uuid, i32);

#[derive(QueryableByName)]
struct ReturnKeyRow {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    source_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
}

/// Records returns with one statement and answers which of them are new.
pub fn insert_returns(tx: &mut Tx<'_>, facts: &[ReturnFact]) -> Result<Vec<ReturnKey>, store::Error> {
    let now = tx.now().utc();
    let rows: Vec<ReturnKeyRow> = diesel::sql_query(
        "insert into return_facts (order_id, source_id, line_no, kind, quantity, amount, occurred_at, recorded_at)
         select t.*, $8 from unnest($1, $2, $3, $4, $5, $6, $7) as t
         on conflict do nothing
         returning order_id, source_id, line_no",
    )
    .bind::<Array<SqlUuid>, _>(facts.iter().map(|fact| fact.order_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(facts.iter().map(|fact| fact.source_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(facts.iter().map(|fact| fact.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(facts.iter().map(|fact| fact.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(facts.iter().map(|fact| fact.quantity).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(facts.iter().map(|fact| fact.amount).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(facts.iter().map(|fact| fact.occurred_at).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.source_id, row.line_no)).collect())
}

/// What was given back of these orders, in the order it was recorded.
pub fn returns_of_orders(tx: &mut Tx<'_>, order_ids: &[Uuid]) -> Result<Vec<ReturnFact>, store::Error> {
    let rows = diesel::sql_query(
        "select order_id, source_id, line_no, kind, quantity, amount, occurred_at
         from return_facts where order_id = any($1) order by seq",
    )
    .bind::<Array<SqlUuid>, _>(order_ids)
    .load(tx.conn())?;
    Ok(rows)
}

/// What was given back of an order line, in the order it was recorded.
pub fn returns_of_line(tx: &mut Tx<'_>, order_id: Uuid, line_no: i32) -> Result<Vec<ReturnFact>, store::Error> {
    let rows = diesel::sql_query(
        "select order_id, source_id, line_no, kind, quantity, amount, occurred_at
         from return_facts where order_id = $1 and line_no = $2 order by seq",
    )
    .bind::<SqlUuid, _>(order_id)
    .bind::<Integer, _>(line_no)
    .load(tx.conn())?;
    Ok(rows)
}
