//! The tables `returns` and `return_lines`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use kernel::{Currency, Timestamp};
use rust_decimal::Decimal;
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::return_reason::ReturnReason;
use crate::domain::state::ReturnStatus;

/// A return as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct ReturnRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub return_id: Uuid,
    /// The original order, when known.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
    /// The channel it came through.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// The original's number, when known.
    #[diesel(sql_type = Nullable<Text>)]
    pub channel_order_no: Option<String>,
    /// The channel's own number for the return.
    #[diesel(sql_type = Nullable<Text>)]
    pub return_no: Option<String>,
    /// The digest of its content.
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
    /// The currency of every amount.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// The digest that is the same for the same buyer.
    #[diesel(sql_type = Nullable<Binary>)]
    pub buyer_key: Option<Vec<u8>>,
    /// Who returns, as JSON, when the original is not known.
    #[diesel(sql_type = Nullable<Text>)]
    pub buyer: Option<String>,
    /// Where the goods go or went.
    #[diesel(sql_type = Nullable<Text>)]
    pub location: Option<String>,
    /// Why, in words.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Why, as one of a list.
    #[diesel(sql_type = Text)]
    pub reason_code: String,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The refund, once issued.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub refund_id: Option<Uuid>,
    /// Freight that went back.
    #[diesel(sql_type = BigInt)]
    pub freight_amount: i64,
    /// Everything that went back.
    #[diesel(sql_type = BigInt)]
    pub refund_amount: i64,
    /// What the buyer wants instead, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub exchange: Option<String>,
    /// The order that it became.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub exchange_order_id: Option<Uuid>,
    /// What of all that went back paid for that order.
    #[diesel(sql_type = BigInt)]
    pub exchange_amount: i64,
    /// Until when the goods are to come; none if they may take their time, or nobody waits for them.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When the buyer asked.
    #[diesel(sql_type = Timestamptz)]
    pub returned_at: DateTime<Utc>,
    /// When it came into the book.
    #[diesel(sql_type = Timestamptz)]
    pub requested_at: DateTime<Utc>,
    /// Who asked.
    #[diesel(sql_type = Text)]
    pub requested_by: String,
    /// When it last changed.
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl ReturnRow {
    /// Where it stands.
    pub fn status(&self) -> Result<ReturnStatus, Error> {
        super::state(ReturnStatus::parse(&self.status))
    }

    /// Why, as one of a list.
    pub fn reason_code(&self) -> Result<ReturnReason, Error> {
        super::state(ReturnReason::parse(&self.reason_code))
    }

    /// The currency of every amount.
    pub fn currency(&self) -> Result<Currency, Error> {
        self.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))
    }
}

/// A line of a return as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct ReturnLineRow {
    /// Its return.
    #[diesel(sql_type = SqlUuid)]
    pub return_id: Uuid,
    /// Its place in the return, from 1.
    #[diesel(sql_type = Integer)]
    pub position: i32,
    /// The order line, when the original is known.
    #[diesel(sql_type = Nullable<Integer>)]
    pub line_no: Option<i32>,
    /// What comes back.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// What a bundle was made of, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub components: Option<String>,
    /// How many units.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// The exact price of one unit in major units, when known.
    #[diesel(sql_type = Nullable<Numeric>)]
    pub unit_price: Option<Decimal>,
    /// What goes back for them, in minor units.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub refund_amount: Option<i64>,
    /// Units that go back on the shelf.
    #[diesel(sql_type = BigInt)]
    pub restock: i64,
    /// Units that are kept apart.
    #[diesel(sql_type = BigInt)]
    pub quarantine: i64,
    /// Units that are destroyed.
    #[diesel(sql_type = BigInt)]
    pub scrap: i64,
}

/// Inserts a return; answers whether its number was new.
pub fn insert(tx: &mut Tx<'_>, row: &ReturnRow) -> Result<bool, Error> {
    let inserted = diesel::sql_query(
        "INSERT INTO returns (return_id, order_id, channel, channel_order_no, return_no, currency, buyer_key, buyer, \
         location, reason, status, requested_at, requested_by, changed_at, version, content, returned_at, reason_code, exchange) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         ON CONFLICT (channel, return_no) WHERE return_no IS NOT NULL DO NOTHING",
    )
    .bind::<SqlUuid, _>(row.return_id)
    .bind::<Nullable<SqlUuid>, _>(row.order_id)
    .bind::<Text, _>(&row.channel)
    .bind::<Nullable<Text>, _>(&row.channel_order_no)
    .bind::<Nullable<Text>, _>(&row.return_no)
    .bind::<Text, _>(&row.currency)
    .bind::<Nullable<Binary>, _>(&row.buyer_key)
    .bind::<Nullable<Text>, _>(&row.buyer)
    .bind::<Nullable<Text>, _>(&row.location)
    .bind::<Text, _>(&row.reason)
    .bind::<Text, _>(&row.status)
    .bind::<Timestamptz, _>(row.requested_at)
    .bind::<Text, _>(&row.requested_by)
    .bind::<Timestamptz, _>(row.changed_at)
    .bind::<BigInt, _>(row.version)
    .bind::<Binary, _>(&row.content)
    .bind::<Timestamptz, _>(row.returned_at)
    .bind::<Text, _>(&row.reason_code)
    .bind::<Nullable<Text>, _>(&row.exchange)
    .execute(tx.conn())?;
    Ok(inserted == 1)
}

/// Inserts the lines of a return.
pub fn insert_lines(tx: &mut Tx<'_>, rows: &[ReturnLineRow]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO return_lines (return_id, position, line_no, sku, components, quantity, unit_price, refund_amount) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.return_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.position).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(rows.iter().map(|row| row.line_no).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.components.as_deref()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.quantity).collect::<Vec<_>>())
    .bind::<Array<Nullable<Numeric>>, _>(rows.iter().map(|row| row.unit_price).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.refund_amount).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Writes back where a return stands.
pub fn save(tx: &mut Tx<'_>, row: &ReturnRow) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE returns SET location = $2, status = $3, refund_id = $4, freight_amount = $5, refund_amount = $6, \
         changed_at = $7, version = $8, exchange_order_id = $9, exchange_amount = $10, expires_at = $11, reason_code = $12 \
         WHERE return_id = $1",
    )
    .bind::<SqlUuid, _>(row.return_id)
    .bind::<Nullable<Text>, _>(&row.location)
    .bind::<Text, _>(&row.status)
    .bind::<Nullable<SqlUuid>, _>(row.refund_id)
    .bind::<BigInt, _>(row.freight_amount)
    .bind::<BigInt, _>(row.refund_amount)
    .bind::<Timestamptz, _>(row.changed_at)
    .bind::<BigInt, _>(row.version)
    .bind::<Nullable<SqlUuid>, _>(row.exchange_order_id)
    .bind::<BigInt, _>(row.exchange_amount)
    .bind::<Nullable<Timestamptz>, _>(row.expires_at)
    .bind::<Text, _>(&row.reason_code)
    .execute(tx.conn())?;
    Ok(())
}

/// Writes back the dispositions and amounts of a return's lines.
pub fn save_lines(tx: &mut Tx<'_>, rows: &[ReturnLineRow]) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE return_lines l SET refund_amount = n.amount, restock = n.restock, quarantine = n.quarantine, \
         scrap = n.scrap \
         FROM unnest($1, $2, $3, $4, $5, $6) AS n (return_id, position, amount, restock, quarantine, scrap) \
         WHERE l.return_id = n.return_id AND l.position = n.position",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.return_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.position).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.refund_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.restock).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.quarantine).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.scrap).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// One return.
pub fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<ReturnRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM returns WHERE return_id = $1")
        .bind::<SqlUuid, _>(id)
        .get_result(tx.conn())
        .optional()?)
}

/// Up to `limit` approved returns whose goods were to come until then, the first that were.
pub fn expired(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<Vec<ReturnRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT * FROM returns WHERE status = 'approved' AND expires_at <= $1 ORDER BY expires_at, return_id LIMIT $2",
    )
    .bind::<Timestamptz, _>(now.utc())
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// Ends approved returns. They must be locked.
pub fn lapse(tx: &mut Tx<'_>, ids: &[Uuid], now: Timestamp) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE returns SET status = 'lapsed', expires_at = NULL, changed_at = $2, version = version + 1 \
         WHERE return_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now.utc())
    .execute(tx.conn())?;
    Ok(())
}

/// The return that has this number.
pub fn numbered(tx: &mut Tx<'_>, channel: &str, return_no: &str) -> Result<Option<ReturnRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM returns WHERE channel = $1 AND return_no = $2")
        .bind::<Text, _>(channel)
        .bind::<Text, _>(return_no)
        .get_result(tx.conn())
        .optional()?)
}

/// The lines of returns, by return, in the order they were given.
pub fn lines(tx: &mut Tx<'_>, returns: &[Uuid]) -> Result<HashMap<Uuid, Vec<ReturnLineRow>>, Error> {
    let rows: Vec<ReturnLineRow> =
        diesel::sql_query("SELECT * FROM return_lines WHERE return_id = ANY ($1) ORDER BY return_id, position")
            .bind::<Array<SqlUuid>, _>(returns)
            .load(tx.conn())?;
    let mut lines: HashMap<Uuid, Vec<ReturnLineRow>> = HashMap::new();
    for row in rows {
        lines.entry(row.return_id).or_default().push(row);
    }
    Ok(lines)
}

/// Which returns a list shows; what is left out does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this order.
    pub order_id: Option<Uuid>,
    /// Of these channels.
    pub channels: Option<Vec<String>>,
    /// At these locations.
    pub locations: Option<Vec<String>>,
    /// Also those that have no location yet.
    pub unplaced: bool,
    /// In this state.
    pub status: Option<ReturnStatus>,
    /// Older than this one: the page before ended here.
    pub before: Option<(Timestamp, Uuid)>,
}

/// The newest `limit` returns of a list.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<ReturnRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT * FROM returns WHERE ($1 IS NULL OR order_id = $1) AND ($2 IS NULL OR channel = ANY ($2)) \
         AND ($3 IS NULL OR location = ANY ($3) OR ($8 AND location IS NULL)) AND ($4 IS NULL OR status = $4) \
         AND ($5 IS NULL OR (returned_at, return_id) < ($5, $6)) \
         ORDER BY returned_at DESC, return_id DESC LIMIT $7",
    )
    .bind::<Nullable<SqlUuid>, _>(filter.order_id)
    .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
    .bind::<Nullable<Array<Text>>, _>(filter.locations.as_deref())
    .bind::<Nullable<Text>, _>(filter.status.map(ReturnStatus::as_str))
    .bind::<Nullable<Timestamptz>, _>(filter.before.map(|(at, _)| at.utc()))
    .bind::<Nullable<SqlUuid>, _>(filter.before.map(|(_, id)| id))
    .bind::<BigInt, _>(limit)
    .bind::<Bool, _>(filter.unplaced)
    .load(tx.conn())?)
}
