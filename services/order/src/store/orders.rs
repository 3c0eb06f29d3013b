//! The table `orders`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use contracts::events::{FulfilmentKind, OrderTotals};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Currency;
use kernel::id::OrderId;
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::moves;
use crate::domain::balance::Balance;
use crate::domain::payment_terms::PaymentTerms;
use crate::domain::state::{OrderStatus, PaymentStatus};

/// An order as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct OrderRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Its channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// The channel's own number.
    #[diesel(sql_type = Text)]
    pub channel_order_no: String,
    /// The digest of its content.
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
    /// The digest that is the same for the same buyer.
    #[diesel(sql_type = Nullable<Binary>)]
    pub buyer_key: Option<Vec<u8>>,
    /// When the buyer placed it.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// When the channel last changed it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub channel_updated_at: Option<DateTime<Utc>>,
    /// When it came into the book.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// The client that brought it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// The currency of every amount.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// Σ list amounts.
    #[diesel(sql_type = BigInt)]
    pub list_amount: i64,
    /// Σ discounts.
    #[diesel(sql_type = BigInt)]
    pub discount_amount: i64,
    /// The tax that comes on top of prices.
    #[diesel(sql_type = BigInt)]
    pub added_tax_amount: i64,
    /// Freight.
    #[diesel(sql_type = BigInt)]
    pub freight_amount: i64,
    /// What the buyer pays.
    #[diesel(sql_type = BigInt)]
    pub total_amount: i64,
    /// `ship` or `pickup`.
    #[diesel(sql_type = Text)]
    pub fulfilment_kind: String,
    /// Buyer, address, payments, references and remark as JSON.
    #[diesel(sql_type = Text)]
    pub document: String,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Where its money stands.
    #[diesel(sql_type = Text)]
    pub payment_status: String,
    /// When it is paid.
    #[diesel(sql_type = Text)]
    pub payment_terms: String,
    /// What the buyer still has to pay.
    #[diesel(sql_type = BigInt)]
    pub due_amount: i64,
    /// What payments promise that was not taken yet.
    #[diesel(sql_type = BigInt)]
    pub authorised_amount: i64,
    /// What went back of what the buyer had not paid.
    #[diesel(sql_type = BigInt)]
    pub waived_amount: i64,
    /// Whether units without a location wait for stock.
    #[diesel(sql_type = Bool)]
    pub backordered: bool,
    /// Whether no location could ever give some of them.
    #[diesel(sql_type = Bool)]
    pub unfillable: bool,
    /// Whether any unit was ever cancelled or rejected.
    #[diesel(sql_type = Bool)]
    pub disturbed: bool,
    /// Whether anything holds it: then nothing of it moves on.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// The version at which it got another destination, until the inventory has answered that.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub changing: Option<i64>,
    /// What went back to the buyer.
    #[diesel(sql_type = BigInt)]
    pub given_back_amount: i64,
    /// How much of it was freight.
    #[diesel(sql_type = BigInt)]
    pub given_back_freight: i64,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl OrderRow {
    /// How its units without a location wait, if the inventory has said so.
    pub const fn waits(&self) -> Option<OrderStatus> {
        match (self.backordered, self.unfillable) {
            (false, _) => None,
            (true, false) => Some(OrderStatus::Backordered),
            (true, true) => Some(OrderStatus::Unfillable),
        }
    }

    /// Notes how its units without a location wait; none if they do not.
    pub fn set_waits(&mut self, waits: Option<OrderStatus>) {
        (self.backordered, self.unfillable) = (waits.is_some(), waits == Some(OrderStatus::Unfillable));
    }

    /// Its id.
    pub const fn id(&self) -> OrderId {
        OrderId(self.order_id)
    }

    /// The currency of every amount.
    pub fn currency(&self) -> Result<Currency, Error> {
        self.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))
    }

    /// Where it stands.
    pub fn status(&self) -> Result<OrderStatus, Error> {
        super::state(OrderStatus::parse(&self.status))
    }

    /// Where its money stands.
    pub fn payment_status(&self) -> Result<PaymentStatus, Error> {
        super::state(PaymentStatus::parse(&self.payment_status))
    }

    /// Freight that has not gone back.
    pub const fn freight_left(&self) -> i64 {
        self.freight_amount.saturating_sub(self.given_back_freight)
    }

    /// Whether its goods wait for the buyer to pay.
    pub fn awaits_payment(&self) -> bool {
        self.due_amount > 0 && PaymentTerms::parse(&self.payment_terms).is_some_and(PaymentTerms::is_in_advance)
    }

    /// What the buyer has paid, still owes, and got back.
    pub const fn balance(&self) -> Balance {
        Balance {
            total: self.total_amount,
            due: self.due_amount,
            given_back: self.given_back_amount,
            waived: self.waived_amount,
            authorised: self.authorised_amount,
        }
    }

    /// Takes over a balance, and where the money stands with it.
    pub fn set_balance(&mut self, balance: Balance, every_unit: bool) -> Result<(), Error> {
        let (current, next) = (self.payment_status()?, balance.status(every_unit));
        if current != next && !current.may_become(next) {
            return Err(Error::Broken("money states follow their table"));
        }
        next.as_str().clone_into(&mut self.payment_status);
        (self.due_amount, self.given_back_amount, self.waived_amount) =
            (balance.due, balance.given_back, balance.waived);
        self.authorised_amount = balance.authorised;
        Ok(())
    }

    /// Ship or pickup.
    pub fn kind(&self) -> FulfilmentKind {
        kind_of(&self.fulfilment_kind)
    }

    /// What it adds up to.
    pub const fn totals(&self) -> OrderTotals {
        OrderTotals {
            list_amount: self.list_amount,
            discount_amount: self.discount_amount,
            freight_amount: self.freight_amount,
            total_amount: self.total_amount,
        }
    }
}

/// The stored word for how the goods reach the buyer.
pub const fn kind_text(kind: FulfilmentKind) -> &'static str {
    match kind {
        FulfilmentKind::Ship => "ship",
        FulfilmentKind::Pickup => "pickup",
    }
}

/// How the goods reach the buyer, from the stored word.
pub fn kind_of(text: &str) -> FulfilmentKind {
    if text == "pickup" { FulfilmentKind::Pickup } else { FulfilmentKind::Ship }
}

/// What an order is inserted with.
const COLUMNS: &str = "order_id, channel, channel_order_no, content, buyer_key, placed_at, channel_updated_at, created_at, \
    created_by, currency, list_amount, discount_amount, added_tax_amount, freight_amount, total_amount, fulfilment_kind, \
    document, status, payment_status, payment_terms, due_amount, authorised_amount";

/// Inserts the orders whose number is new; answers their ids. The rows must be sorted by channel and number, so that two
/// batches with the same numbers wait for each other instead of deadlocking.
pub fn insert(tx: &mut Tx<'_>, rows: &[&OrderRow]) -> Result<HashSet<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Inserted {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    fn column<'a, T>(rows: &[&'a OrderRow], part: impl Fn(&'a OrderRow) -> T) -> Vec<T> {
        rows.iter().map(|row| part(row)).collect()
    }
    // A repeated number is dropped by its own table; only the orders that got theirs are inserted.
    let winners = tx.on_conflict("JOIN numbers USING (order_id)");
    let text = format!(
        "WITH given ({COLUMNS}) AS (SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
         $16, $17, $18, $19, $20, $21, $22)), numbers AS (INSERT INTO order_numbers (channel, channel_order_no, order_id, placed_at) \
         SELECT channel, channel_order_no, order_id, placed_at FROM given {} RETURNING order_id) \
         INSERT INTO orders ({COLUMNS}) SELECT given.* FROM given {winners} RETURNING order_id",
        tx.on_conflict("ON CONFLICT (channel, channel_order_no) DO NOTHING")
    );
    let inserted: Vec<Inserted> = statement(text)
        .bind::<Array<SqlUuid>, _>(column(rows, |row| row.order_id))
        .bind::<Array<Text>, _>(column(rows, |row| row.channel.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.channel_order_no.as_str()))
        .bind::<Array<Binary>, _>(column(rows, |row| row.content.as_slice()))
        .bind::<Array<Nullable<Binary>>, _>(column(rows, |row| row.buyer_key.as_deref()))
        .bind::<Array<Timestamptz>, _>(column(rows, |row| row.placed_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(rows, |row| row.channel_updated_at))
        .bind::<Array<Timestamptz>, _>(column(rows, |row| row.created_at))
        .bind::<Array<Text>, _>(column(rows, |row| row.created_by.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.currency.as_str()))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.list_amount))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.discount_amount))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.added_tax_amount))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.freight_amount))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.total_amount))
        .bind::<Array<Text>, _>(column(rows, |row| row.fulfilment_kind.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.document.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.status.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.payment_status.as_str()))
        .bind::<Array<Text>, _>(column(rows, |row| row.payment_terms.as_str()))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.due_amount))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.authorised_amount))
        .load(tx.conn())?;
    Ok(inserted.into_iter().map(|row| row.order_id).collect())
}

/// Holds orders of which nobody was told yet. They must be new in this transaction.
pub fn hold(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<(), Error> {
    diesel::sql_query("UPDATE orders SET status = 'held', held = true WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx.conn())?;
    Ok(())
}

/// An order that has a number already.
#[derive(Clone, Debug, QueryableByName)]
pub struct Numbered {
    /// Its channel.
    #[diesel(sql_type = Text)]
    channel: String,
    /// Its number.
    #[diesel(sql_type = Text)]
    channel_order_no: String,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// The digest of its content.
    #[diesel(sql_type = Binary)]
    pub content: Vec<u8>,
    /// When the channel last changed it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub channel_updated_at: Option<DateTime<Utc>>,
}

/// The orders that have these numbers, by channel and number.
pub fn numbered(tx: &mut Tx<'_>, numbers: &[(&str, &str)]) -> Result<HashMap<(String, String), Numbered>, Error> {
    let rows: Vec<Numbered> = diesel::sql_query(
        "SELECT k.channel, k.channel_order_no, k.order_id, o.content, o.channel_updated_at \
         FROM unnest($1, $2) AS n (channel, number) \
         JOIN order_numbers k ON k.channel = n.channel AND k.channel_order_no = n.number JOIN orders o USING (order_id)",
    )
    .bind::<Array<Text>, _>(numbers.iter().map(|(channel, _)| *channel).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(numbers.iter().map(|(_, number)| *number).collect::<Vec<_>>())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| ((row.channel.clone(), row.channel_order_no.clone()), row)).collect())
}

/// One order.
pub fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM orders WHERE order_id = $1")
        .bind::<SqlUuid, _>(id.uuid())
        .get_result(tx.conn())
        .optional()?)
}

/// Writes back where orders stand.
pub fn save(tx: &mut Tx<'_>, rows: &[&OrderRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE orders o SET status = n.status, payment_status = n.payment_status, backordered = n.backordered, \
         disturbed = n.disturbed, given_back_amount = n.given_back, given_back_freight = n.freight, version = n.version, \
         changing = n.changing, due_amount = n.due, waived_amount = n.waived, held = n.held, \
         authorised_amount = n.authorised, unfillable = n.unfillable \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         AS n (order_id, status, payment_status, backordered, disturbed, given_back, freight, version, changing, due, \
         waived, held, authorised, unfillable) \
         WHERE o.order_id = n.order_id AND o.order_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.payment_status.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.backordered).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.disturbed).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.given_back_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.given_back_freight).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.changing).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.due_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.waived_amount).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.held).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.authorised_amount).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(rows.iter().map(|row| row.unfillable).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Writes what an order costs since it has more lines, and notes that it is to be found by them. It must be locked.
pub fn grow(tx: &mut Tx<'_>, row: &OrderRow) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE orders SET list_amount = $2, discount_amount = $3, added_tax_amount = $4, freight_amount = $5, \
         total_amount = $6, due_amount = $7, authorised_amount = $8 WHERE order_id = $1",
    )
    .bind::<SqlUuid, _>(row.order_id)
    .bind::<BigInt, _>(row.list_amount)
    .bind::<BigInt, _>(row.discount_amount)
    .bind::<BigInt, _>(row.added_tax_amount)
    .bind::<BigInt, _>(row.freight_amount)
    .bind::<BigInt, _>(row.total_amount)
    .bind::<BigInt, _>(row.due_amount)
    .bind::<BigInt, _>(row.authorised_amount)
    .execute(tx.conn())?;
    moves::note_terms(tx, row.order_id)
}

/// Orders by their ids, in no particular order.
pub fn with_ids(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<OrderRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM orders WHERE order_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx.conn())?)
}

/// Writes what an order says after it was changed: its document, and where the channel changed it the digest and the time of
/// that.
pub fn rewrite(tx: &mut Tx<'_>, row: &OrderRow) -> Result<(), Error> {
    diesel::sql_query("UPDATE orders SET document = $2, content = $3, channel_updated_at = $4 WHERE order_id = $1")
        .bind::<SqlUuid, _>(row.order_id)
        .bind::<Text, _>(&row.document)
        .bind::<Binary, _>(&row.content)
        .bind::<Nullable<Timestamptz>, _>(row.channel_updated_at)
        .execute(tx.conn())?;
    Ok(())
}

/// Where orders stand that somebody waits for: those that are no longer being sourced.
pub fn settled(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Settled {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Settled> = diesel::sql_query(
        "SELECT order_id FROM orders WHERE order_id = ANY ($1) AND status NOT IN ('received', 'sourcing')",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
