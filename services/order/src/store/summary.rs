//! Exact totals over orders, lines and returns, computed by the database.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Numeric, Text, Timestamptz};
use kernel::Timestamp;
use rust_decimal::Decimal;
use store::{Error, Tx};

/// What is summed up; what is left out does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// These channels.
    pub channels: Option<Vec<String>>,
    /// In this currency.
    pub currency: Option<String>,
    /// Placed (returns: asked for by the buyer) at or after.
    pub from: Option<Timestamp>,
    /// Placed (returns: asked for by the buyer) before.
    pub until: Option<Timestamp>,
    /// Only where the buyer is known (or only where not).
    pub identified: Option<bool>,
    /// Only lines with a price above zero (or only those without).
    pub priced: Option<bool>,
    /// Only what was cancelled as a whole, or only what was not; returns likewise.
    pub cancelled: Option<bool>,
}

/// Totals that do not depend on the currency.
#[derive(Clone, Debug, Default, QueryableByName)]
pub struct Counts {
    /// Orders or returns with at least one line that counts.
    #[diesel(sql_type = BigInt)]
    pub documents: i64,
    /// Lines.
    #[diesel(sql_type = BigInt)]
    pub lines: i64,
    /// Different buyers, by what the channels know of them.
    #[diesel(sql_type = BigInt)]
    pub buyers: i64,
    /// Different members.
    #[diesel(sql_type = BigInt)]
    pub members: i64,
    /// Different SKUs.
    #[diesel(sql_type = BigInt)]
    pub skus: i64,
    /// Units.
    #[diesel(sql_type = Numeric)]
    pub units: Decimal,
}

/// Totals of one currency.
#[derive(Clone, Debug, QueryableByName)]
pub struct Amounts {
    /// The currency.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// Σ unit price × quantity, exactly, in major units.
    #[diesel(sql_type = Numeric)]
    pub list_revenue: Decimal,
    /// Σ list amounts, in minor units.
    #[diesel(sql_type = Numeric)]
    pub list_amount: Decimal,
    /// Σ discounts, in minor units; zero for returns.
    #[diesel(sql_type = Numeric)]
    pub discount_amount: Decimal,
    /// Σ paid amounts without freight (returns: refunded amounts without freight), in minor units.
    #[diesel(sql_type = Numeric)]
    pub paid_amount: Decimal,
    /// Σ freight shares, in minor units; zero for returns, whose freight is the order's.
    #[diesel(sql_type = Numeric)]
    pub freight_amount: Decimal,
}

const ORDERS: &str = "FROM orders o JOIN order_lines l USING (order_id) LEFT JOIN order_members m USING (order_id) \
    WHERE ($1 IS NULL OR o.channel = ANY ($1)) AND ($2 IS NULL OR o.currency = $2) \
    AND ($3 IS NULL OR o.placed_at >= $3) AND ($4 IS NULL OR o.placed_at < $4) \
    AND ($5 IS NULL OR (o.buyer_key IS NOT NULL) = $5) AND ($6 IS NULL OR (l.unit_price > 0) = $6) \
    AND ($7 IS NULL OR (o.status = 'cancelled') = $7)";

const RETURNS: &str = "FROM returns o JOIN return_lines l USING (return_id) LEFT JOIN order_members m USING (order_id) \
    WHERE ($1 IS NULL OR o.channel = ANY ($1)) AND ($2 IS NULL OR o.currency = $2) \
    AND ($3 IS NULL OR o.returned_at >= $3) AND ($4 IS NULL OR o.returned_at < $4) \
    AND ($5 IS NULL OR (o.buyer_key IS NOT NULL) = $5) AND ($6 IS NULL OR (coalesce(l.unit_price, 0) > 0) = $6) \
    AND ($7 IS NULL OR (o.status = 'cancelled') = $7)";

/// Totals over orders.
pub fn orders(tx: &mut Tx<'_>, filter: &Filter) -> Result<(Counts, Vec<Amounts>), Error> {
    let counts = format!(
        "SELECT count(DISTINCT o.order_id) AS documents, count(*) AS lines, count(DISTINCT o.buyer_key) AS buyers, \
         count(DISTINCT m.member_id) AS members, count(DISTINCT l.sku) AS skus, \
         coalesce(sum(l.quantity), 0)::numeric AS units {ORDERS}"
    );
    let amounts = format!(
        "SELECT o.currency, sum(l.unit_price * l.quantity) AS list_revenue, sum(l.list_amount)::numeric AS list_amount, \
         sum(l.discount_amount)::numeric AS discount_amount, sum(l.paid_amount)::numeric AS paid_amount, \
         sum(l.freight_amount)::numeric AS freight_amount {ORDERS} GROUP BY o.currency ORDER BY o.currency"
    );
    totals(tx, filter, counts, amounts)
}

/// Totals over returns.
pub fn returns(tx: &mut Tx<'_>, filter: &Filter) -> Result<(Counts, Vec<Amounts>), Error> {
    let counts = format!(
        "SELECT count(DISTINCT o.return_id) AS documents, count(*) AS lines, count(DISTINCT o.buyer_key) AS buyers, \
         count(DISTINCT m.member_id) AS members, count(DISTINCT l.sku) AS skus, \
         coalesce(sum(l.quantity), 0)::numeric AS units {RETURNS}"
    );
    let amounts = format!(
        "SELECT o.currency, coalesce(sum(l.unit_price * l.quantity), 0) AS list_revenue, 0::numeric AS list_amount, \
         0::numeric AS discount_amount, coalesce(sum(l.refund_amount), 0)::numeric AS paid_amount, \
         0::numeric AS freight_amount {RETURNS} GROUP BY o.currency ORDER BY o.currency"
    );
    totals(tx, filter, counts, amounts)
}

fn totals(tx: &mut Tx<'_>, filter: &Filter, counts: String, amounts: String) -> Result<(Counts, Vec<Amounts>), Error> {
    let mut counted: Vec<Counts> = run(tx, filter, counts)?;
    Ok((counted.pop().unwrap_or_default(), run(tx, filter, amounts)?))
}

fn run<T>(tx: &mut Tx<'_>, filter: &Filter, sql: String) -> Result<Vec<T>, Error>
where
    T: diesel::deserialize::QueryableByName<diesel::pg::Pg> + 'static,
{
    Ok(diesel::sql_query(sql)
        .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
        .bind::<Nullable<Text>, _>(filter.currency.as_deref())
        .bind::<Nullable<Timestamptz>, _>(filter.from.map(Timestamp::utc))
        .bind::<Nullable<Timestamptz>, _>(filter.until.map(Timestamp::utc))
        .bind::<Nullable<Bool>, _>(filter.identified)
        .bind::<Nullable<Bool>, _>(filter.priced)
        .bind::<Nullable<Bool>, _>(filter.cancelled)
        .load(tx.conn())?)
}
