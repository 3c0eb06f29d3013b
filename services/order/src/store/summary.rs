//! Exact totals over orders, lines and returns, computed by the database.

use chrono::{DateTime, Utc};
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
    /// When the first was placed (returns: asked for).
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub first_at: Option<DateTime<Utc>>,
    /// When the last was.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_at: Option<DateTime<Utc>>,
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

/// The lines of orders that count. All channels are named where the caller names none: order numbers are indexed by channel.
const ORDERS: &str = "SELECT o.order_id AS document, o.placed_at AS at, o.buyer_key, m.member_id, l.sku, l.quantity, \
    o.currency, l.unit_price * l.quantity AS list_revenue, l.list_amount, l.discount_amount, l.paid_amount, \
    l.freight_amount \
    FROM order_numbers n JOIN orders o USING (order_id) JOIN order_lines l USING (order_id) \
    LEFT JOIN order_members m USING (order_id) WHERE n.channel = ANY (coalesce($1, ARRAY(SELECT channel FROM known_channels)) COLLATE \"C\") AND ($2 IS NULL OR o.currency = $2) \
    AND ($3 IS NULL OR n.placed_at >= $3) AND ($4 IS NULL OR n.placed_at < $4) \
    AND ($5 IS NULL OR (o.buyer_key IS NOT NULL) = $5) AND ($6 IS NULL OR (l.unit_price > 0) = $6) \
    AND ($7 IS NULL OR (o.status = 'cancelled') = $7)";

/// The lines of returns that count, in the columns of [`ORDERS`].
const RETURNS: &str = "SELECT o.return_id AS document, o.returned_at AS at, o.buyer_key, m.member_id, l.sku, l.quantity, \
    o.currency, coalesce(l.unit_price * l.quantity, 0) AS list_revenue, 0::bigint AS list_amount, \
    0::bigint AS discount_amount, coalesce(l.refund_amount, 0) AS paid_amount, 0::bigint AS freight_amount \
    FROM returns o JOIN return_lines l USING (return_id) LEFT JOIN order_members m USING (order_id) \
    WHERE ($1 IS NULL OR o.channel = ANY ($1)) AND ($2 IS NULL OR o.currency = $2) \
    AND ($3 IS NULL OR o.returned_at >= $3) AND ($4 IS NULL OR o.returned_at < $4) \
    AND ($5 IS NULL OR (o.buyer_key IS NOT NULL) = $5) AND ($6 IS NULL OR (coalesce(l.unit_price, 0) > 0) = $6) \
    AND ($7 IS NULL OR (o.status = 'cancelled') = $7)";

/// The columns of [`ORDERS`], with everything that adds up turned round.
const TURNED_ROUND: &str = "document, at, buyer_key, member_id, sku, -quantity, currency, -list_revenue, -list_amount, \
    -discount_amount, -paid_amount, -freight_amount";

/// Totals over orders.
pub fn orders(tx: &mut Tx<'_>, filter: &Filter) -> Result<(Counts, Vec<Amounts>), Error> {
    totals(tx, filter, ORDERS)
}

/// Totals over returns.
pub fn returns(tx: &mut Tx<'_>, filter: &Filter) -> Result<(Counts, Vec<Amounts>), Error> {
    totals(tx, filter, RETURNS)
}

/// Totals over both: documents, lines, buyers and so on of either, units and amounts of orders less those of returns.
pub fn net(tx: &mut Tx<'_>, filter: &Filter) -> Result<(Counts, Vec<Amounts>), Error> {
    totals(tx, filter, &format!("{ORDERS} UNION ALL SELECT {TURNED_ROUND} FROM ({RETURNS}) AS back"))
}

fn totals(tx: &mut Tx<'_>, filter: &Filter, lines: &str) -> Result<(Counts, Vec<Amounts>), Error> {
    let counts = format!(
        "SELECT count(DISTINCT document) AS documents, count(*) AS lines, count(DISTINCT buyer_key) AS buyers, \
         count(DISTINCT member_id) AS members, count(DISTINCT sku) AS skus, coalesce(sum(quantity), 0)::numeric AS units, \
         min(at) AS first_at, max(at) AS last_at FROM ({lines}) AS counted"
    );
    let amounts = format!(
        "SELECT currency, sum(list_revenue) AS list_revenue, sum(list_amount)::numeric AS list_amount, \
         sum(discount_amount)::numeric AS discount_amount, sum(paid_amount)::numeric AS paid_amount, \
         sum(freight_amount)::numeric AS freight_amount FROM ({lines}) AS counted GROUP BY currency ORDER BY currency"
    );
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
