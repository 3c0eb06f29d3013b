//! The table `pos_transactions`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use contracts::events::PosKind;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::PosTransactionId;
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::{Day, Filter, Till};
use crate::domain::pos::receipt::Receipt;

/// A transaction as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct PosRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub transaction_id: Uuid,
    /// Its store.
    #[diesel(sql_type = Text)]
    pub store: String,
    /// Its till.
    #[diesel(sql_type = Text)]
    pub terminal: String,
    /// Its business day.
    #[diesel(sql_type = Date)]
    pub business_date: NaiveDate,
    /// Its number on that till and day.
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    /// What it did.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// When it happened, by the till's clock.
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: DateTime<Utc>,
    /// When it came into the book.
    #[diesel(sql_type = Timestamptz)]
    pub recorded_at: DateTime<Utc>,
    /// The client that brought it.
    #[diesel(sql_type = Text)]
    pub recorded_by: String,
    /// The channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// The currency of every amount.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// The digest of its content.
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
    /// The business day of what a void undoes.
    #[diesel(sql_type = Nullable<Date>)]
    pub voids_date: Option<NaiveDate>,
    /// The number of what a void undoes.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub voids_sequence: Option<i64>,
    /// Σ of what its lines paid.
    #[diesel(sql_type = BigInt)]
    pub paid_amount: i64,
    /// Σ of its tenders.
    #[diesel(sql_type = BigInt)]
    pub tendered_amount: i64,
    /// Buyer, guide, remark, lines and tenders as JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
}

impl PosRow {
    /// Its id.
    pub const fn id(&self) -> PosTransactionId {
        PosTransactionId(self.transaction_id)
    }

    /// Its till.
    pub fn till(&self) -> Till {
        Till { store: self.store.clone(), terminal: self.terminal.clone() }
    }

    /// Its till's day.
    pub fn day(&self) -> Day {
        Day { till: self.till(), business_date: self.business_date }
    }

    /// What it did.
    pub fn kind(&self) -> Result<PosKind, Error> {
        kind_of(&self.kind)
    }

    /// What has no column of its own.
    pub fn receipt(&self) -> Result<Receipt, Error> {
        Ok(serde_json::from_str(&self.document)?)
    }

    /// What makes it one.
    pub fn key(&self) -> Number<'_> {
        (&self.store, &self.terminal, self.business_date, self.sequence)
    }
}

/// Store, terminal, business day and sequence.
pub type Number<'a> = (&'a str, &'a str, NaiveDate, i64);

/// The stored word for a kind.
pub const fn kind_text(kind: PosKind) -> &'static str {
    match kind {
        PosKind::Sale => "sale",
        PosKind::Return => "return",
        PosKind::Exchange => "exchange",
        PosKind::Void => "void",
    }
}

/// The kind of a stored word.
pub fn kind_of(text: &str) -> Result<PosKind, Error> {
    match text {
        "sale" => Ok(PosKind::Sale),
        "return" => Ok(PosKind::Return),
        "exchange" => Ok(PosKind::Exchange),
        "void" => Ok(PosKind::Void),
        _ => Err(Error::Broken("stored kinds are kinds")),
    }
}

/// Inserts the transactions whose number is new; answers their ids. Of two with one number the first is taken.
pub fn insert(tx: &mut Tx<'_>, rows: &[&PosRow]) -> Result<HashSet<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Inserted {
        #[diesel(sql_type = SqlUuid)]
        transaction_id: Uuid,
    }
    fn column<'a, T>(rows: &[&'a PosRow], part: impl Fn(&'a PosRow) -> T) -> Vec<T> {
        rows.iter().map(|row| part(row)).collect()
    }
    let inserted: Vec<Inserted> = statement(
        "INSERT INTO pos_transactions (transaction_id, store, terminal, business_date, sequence, kind, occurred_at, \
         recorded_at, recorded_by, channel, currency, content, voids_date, voids_sequence, paid_amount, tendered_amount, \
         document) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (store, business_date, terminal, sequence) DO NOTHING RETURNING transaction_id",
    )
    .bind::<Array<SqlUuid>, _>(column(rows, |row| row.transaction_id))
    .bind::<Array<Text>, _>(column(rows, |row| row.store.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.terminal.as_str()))
    .bind::<Array<Date>, _>(column(rows, |row| row.business_date))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.sequence))
    .bind::<Array<Text>, _>(column(rows, |row| row.kind.as_str()))
    .bind::<Array<Timestamptz>, _>(column(rows, |row| row.occurred_at))
    .bind::<Array<Timestamptz>, _>(column(rows, |row| row.recorded_at))
    .bind::<Array<Text>, _>(column(rows, |row| row.recorded_by.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.channel.as_str()))
    .bind::<Array<Text>, _>(column(rows, |row| row.currency.as_str()))
    .bind::<Array<Binary>, _>(column(rows, |row| row.content.as_slice()))
    .bind::<Array<Nullable<Date>>, _>(column(rows, |row| row.voids_date))
    .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.voids_sequence))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.paid_amount))
    .bind::<Array<BigInt>, _>(column(rows, |row| row.tendered_amount))
    .bind::<Array<Text>, _>(column(rows, |row| row.document.as_str()))
    .load(tx.conn())?;
    Ok(inserted.into_iter().map(|row| row.transaction_id).collect())
}

/// A transaction that has a number already.
#[derive(Clone, Debug, QueryableByName)]
pub struct Numbered {
    #[diesel(sql_type = Text)]
    store: String,
    #[diesel(sql_type = Text)]
    terminal: String,
    #[diesel(sql_type = Date)]
    business_date: NaiveDate,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub transaction_id: Uuid,
    /// The digest of its content.
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
}

/// The transactions that have these numbers.
pub fn numbered(tx: &mut Tx<'_>, rows: &[&PosRow]) -> Result<HashMap<(Day, i64), Numbered>, Error> {
    let found: Vec<Numbered> = statement(
        "SELECT t.store, t.terminal, t.business_date, t.sequence, t.transaction_id, t.content FROM pos_transactions t \
         JOIN unnest($1, $2, $3, $4) AS n (store, terminal, business_date, sequence) \
         USING (store, terminal, business_date, sequence)",
    )
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.store.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.terminal.as_str()).collect::<Vec<_>>())
    .bind::<Array<Date>, _>(rows.iter().map(|row| row.business_date).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
    .load(tx.conn())?;
    let key = |row: &Numbered| {
        let till = Till { store: row.store.clone(), terminal: row.terminal.clone() };
        (Day { till, business_date: row.business_date }, row.sequence)
    };
    Ok(found.into_iter().map(|row| (key(&row), row)).collect())
}

/// A transaction with what voids have to do with it.
#[derive(Clone, Debug, QueryableByName)]
pub struct PosRead {
    /// The transaction.
    #[diesel(embed)]
    pub transaction: PosRow,
    /// For a void: what became of it; none where another void came first.
    #[diesel(sql_type = Nullable<Text>)]
    pub effect: Option<String>,
    /// For a void that took effect: what it undid.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub undid: Option<Uuid>,
    /// The document of what it undid.
    #[diesel(sql_type = Nullable<Text>)]
    pub undone_document: Option<String>,
    /// The void that undid this one.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub voided_by: Option<Uuid>,
}

const READ: &str = "SELECT t.*, v.effect, o.transaction_id AS undid, o.document AS undone_document, \
    b.void_id AS voided_by FROM pos_transactions t \
    LEFT JOIN pos_voids v ON t.kind = 'void' AND v.void_id = t.transaction_id \
    LEFT JOIN pos_transactions o ON v.effect = 'done' AND o.store = v.store AND o.terminal = v.terminal \
    AND o.business_date = v.business_date AND o.sequence = v.sequence \
    LEFT JOIN pos_voids b ON b.store = t.store AND b.terminal = t.terminal AND b.business_date = t.business_date \
    AND b.sequence = t.sequence AND b.effect = 'done'";

/// These transactions.
pub fn of(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<PosRead>, Error> {
    Ok(diesel::sql_query(format!("{READ} WHERE t.transaction_id = ANY ($1)"))
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx.conn())?)
}

/// The newest `limit` transactions of a list: the latest day first, on it till by till, the highest number first.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<PosRead>, Error> {
    let before = filter.before.as_ref();
    Ok(diesel::sql_query(format!(
        "{READ} WHERE t.store = $1 AND ($2 IS NULL OR t.terminal = $2) AND ($3 IS NULL OR t.business_date = $3) \
         AND ($4 IS NULL OR (t.business_date, t.terminal, t.sequence) < ($4, $5, $6)) \
         ORDER BY t.business_date DESC, t.terminal DESC, t.sequence DESC LIMIT $7"
    ))
    .bind::<Text, _>(filter.store.as_str())
    .bind::<Nullable<Text>, _>(filter.terminal.as_deref())
    .bind::<Nullable<Date>, _>(filter.business_date)
    .bind::<Nullable<Date>, _>(before.map(|it| it.0))
    .bind::<Nullable<Text>, _>(before.map(|it| it.1.as_str()))
    .bind::<Nullable<BigInt>, _>(before.map(|it| it.2))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}
