//! The tables `payments`, `refunds` and `refund_parts`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::OrderId;
use store::{Error, Tx, statement};
use uuid::Uuid;

use crate::domain::form::PaymentForm;
use crate::domain::paying::{Paid, Part};

/// A payment as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct PaymentRow {
    /// Its order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// Its place among the order's payments, from 1.
    #[diesel(sql_type = Integer)]
    pub sequence: i32,
    /// How it was paid.
    #[diesel(sql_type = Text)]
    pub method: String,
    /// Its own number.
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// How much.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// What of it has gone back.
    #[diesel(sql_type = BigInt)]
    pub refunded: i64,
    /// What of it is promised and was not taken yet.
    #[diesel(sql_type = BigInt)]
    pub authorised: i64,
    /// What of it was promised and will not be taken.
    #[diesel(sql_type = BigInt)]
    pub voided: i64,
    /// When it came into the book.
    #[diesel(sql_type = Timestamptz)]
    pub received_at: DateTime<Utc>,
}

impl PaymentRow {
    /// A payment in its place of an order.
    pub fn new(order: OrderId, sequence: i32, form: &PaymentForm, received_at: Timestamp) -> Self {
        Self {
            order_id: order.uuid(),
            sequence,
            method: form.method.clone(),
            reference: form.reference.clone(),
            amount: form.amount.amount,
            refunded: 0,
            authorised: if form.status.is_captured() { 0 } else { form.amount.amount },
            voided: 0,
            received_at: received_at.utc(),
        }
    }

    /// What the rules need of it.
    pub const fn paid(&self) -> Paid {
        Paid { sequence: self.sequence, amount: self.captured(), refunded: self.refunded }
    }

    /// What of it was taken.
    pub const fn captured(&self) -> i64 {
        self.amount.saturating_sub(self.authorised).saturating_sub(self.voided)
    }
}

/// A refund as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct RefundRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub refund_id: Uuid,
    /// The order, when known.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
    /// The return it is for.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub return_id: Option<Uuid>,
    /// `cancellation` or `return`.
    #[diesel(sql_type = Text)]
    pub cause: String,
    /// Freight that went back.
    #[diesel(sql_type = BigInt)]
    pub freight_amount: i64,
    /// Everything that went back.
    #[diesel(sql_type = BigInt)]
    pub total_amount: i64,
    /// What of it paid for the order of an exchange.
    #[diesel(sql_type = BigInt)]
    pub exchange_amount: i64,
    /// Why.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub refunded_at: DateTime<Utc>,
}

/// What of a refund went to which payment.
#[derive(Clone, Debug, QueryableByName)]
pub struct PartRow {
    /// The refund.
    #[diesel(sql_type = SqlUuid)]
    pub refund_id: Uuid,
    /// The payment's place.
    #[diesel(sql_type = Integer)]
    pub sequence: i32,
    /// How much.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// How much of that paid for the order of an exchange.
    #[diesel(sql_type = BigInt)]
    pub exchange_amount: i64,
}

/// Inserts the payments of new orders.
pub fn insert(tx: &mut Tx<'_>, rows: &[&PaymentRow]) -> Result<(), Error> {
    statement(
        "INSERT INTO payments (order_id, sequence, method, reference, amount, received_at, authorised) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.method.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.reference.as_deref()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.amount).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.received_at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.authorised).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Ends the promise of a payment, of which so much was taken. Its order must be locked.
pub fn settle(tx: &mut Tx<'_>, row: &PaymentRow, taken: i64) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE payments SET voided = voided + authorised - $1, authorised = 0 WHERE order_id = $2 AND sequence = $3",
    )
    .bind::<BigInt, _>(taken)
    .bind::<SqlUuid, _>(row.order_id)
    .bind::<Integer, _>(row.sequence)
    .execute(tx.conn())?;
    Ok(())
}

/// Lowers what the payments of orders promise to so much in all, the first payment's first. The orders must be locked.
pub fn lower(tx: &mut Tx<'_>, authorised: &[(Uuid, i64)]) -> Result<(), Error> {
    if authorised.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE payments p SET authorised = p.authorised - n.less, voided = p.voided + n.less FROM \
         (SELECT order_id, sequence, least(authorised, greatest(0, beyond - before))::bigint AS less FROM \
         (SELECT q.order_id, q.sequence, q.authorised, \
         sum(q.authorised) OVER (PARTITION BY q.order_id) - t.authorised AS beyond, \
         sum(q.authorised) OVER (PARTITION BY q.order_id ORDER BY q.sequence) - q.authorised AS before \
         FROM payments q JOIN unnest($1, $2) AS t (order_id, authorised) USING (order_id)) w) n \
         WHERE p.order_id = n.order_id AND p.sequence = n.sequence AND n.less > 0",
    )
    .bind::<Array<SqlUuid>, _>(authorised.iter().map(|(order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(authorised.iter().map(|(_, amount)| *amount).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The payments of orders, by order, in their sequence.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<PaymentRow>>, Error> {
    let rows: Vec<PaymentRow> =
        diesel::sql_query("SELECT * FROM payments WHERE order_id = ANY ($1) ORDER BY order_id, sequence")
            .bind::<Array<SqlUuid>, _>(orders)
            .load(tx.conn())?;
    let mut payments: HashMap<Uuid, Vec<PaymentRow>> = HashMap::new();
    for row in rows {
        payments.entry(row.order_id).or_default().push(row);
    }
    Ok(payments)
}

/// Notes refunds. Their orders, where they have one, must be locked.
pub fn insert_refunds(tx: &mut Tx<'_>, rows: &[RefundRow]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO refunds (refund_id, order_id, return_id, cause, freight_amount, total_amount, reason, refunded_at, \
         exchange_amount) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.refund_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.return_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.cause.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.freight_amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.total_amount).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.refunded_at).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(rows.iter().map(|row| row.exchange_amount).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Notes which payments refunds (with their orders) go to, and takes it off them. The orders must be locked, and each has
/// one refund.
pub fn insert_parts(tx: &mut Tx<'_>, parts: &[(Uuid, Uuid, Part)]) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "WITH parts AS (INSERT INTO refund_parts (refund_id, order_id, sequence, amount, exchange_amount) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) RETURNING order_id, sequence, amount) \
         UPDATE payments p SET refunded = p.refunded + n.amount FROM parts n \
         WHERE p.order_id = n.order_id AND p.sequence = n.sequence",
    )
    .bind::<Array<SqlUuid>, _>(parts.iter().map(|(refund, ..)| *refund).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(parts.iter().map(|(_, order, _)| *order).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(parts.iter().map(|(.., part)| part.sequence).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts.iter().map(|(.., part)| part.amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts.iter().map(|(.., part)| part.exchange_amount).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The refunds of an order, oldest first.
pub fn refunds_of(tx: &mut Tx<'_>, order: Uuid) -> Result<Vec<RefundRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM refunds WHERE order_id = $1 ORDER BY refund_no")
        .bind::<SqlUuid, _>(order)
        .load(tx.conn())?)
}

/// The parts of an order's refunds, by refund, in the payments' sequence.
pub fn parts_of(tx: &mut Tx<'_>, refunds: &[Uuid]) -> Result<HashMap<Uuid, Vec<PartRow>>, Error> {
    let rows: Vec<PartRow> = diesel::sql_query(
        "SELECT refund_id, sequence, amount, exchange_amount FROM refund_parts WHERE refund_id = ANY ($1) \
         ORDER BY refund_id, sequence",
    )
    .bind::<Array<SqlUuid>, _>(refunds)
    .load(tx.conn())?;
    let mut parts: HashMap<Uuid, Vec<PartRow>> = HashMap::new();
    for row in rows {
        parts.entry(row.refund_id).or_default().push(row);
    }
    Ok(parts)
}
