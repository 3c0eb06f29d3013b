//! Every `FOR UPDATE`. Whoever changes anything of an order locks the order's row first, several in id order; fulfilment
//! orders, lines and returns of a locked order need no lock of their own. Whoever writes anything of a till locks the till
//! first, several in order of store and terminal; no transaction locks both orders and tills. An intake that
//! counts what buyers ordered locks them once its new orders have their numbers, before any order that was there.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::{OrderId, ReturnId};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::orders::OrderRow;
use super::pos::Till;
use super::returns::ReturnRow;

/// Locks orders; those that do not exist are left out. Their documents and digests, most of their bytes, stay behind:
/// no change needs them.
pub fn orders(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<BTreeMap<Uuid, OrderRow>, Error> {
    lock(tx, ids, "FOR UPDATE")
}

/// As [`orders`], without those that somebody else has locked: a job finds them again.
pub fn free_orders(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<BTreeMap<Uuid, OrderRow>, Error> {
    lock(tx, ids, "FOR UPDATE SKIP LOCKED")
}

fn lock(tx: &mut Tx<'_>, ids: &[Uuid], how: &str) -> Result<BTreeMap<Uuid, OrderRow>, Error> {
    let rows: Vec<OrderRow> = diesel::sql_query(format!(
        "SELECT order_id, channel, channel_order_no, ''::bytea AS content, buyer_key, placed_at, channel_updated_at, \
         created_at, created_by, currency, list_amount, discount_amount, added_tax_amount, freight_amount, total_amount, \
         fulfilment_kind, '' AS document, status, payment_status, payment_terms, due_amount, waived_amount, \
         authorised_amount, backordered, unfillable, disturbed, held, changing, given_back_amount, given_back_freight, version \
         FROM orders WHERE order_id = ANY ($1) \
         ORDER BY order_id {how}"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.order_id, row)).collect())
}

/// Locks one order.
pub fn order(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderRow>, Error> {
    Ok(orders(tx, &[id.uuid()])?.remove(&id.uuid()))
}

/// Locks a return. Its order, if it has one, must be locked before.
pub fn returned(tx: &mut Tx<'_>, id: ReturnId) -> Result<Option<ReturnRow>, Error> {
    Ok(diesel::sql_query("SELECT * FROM returns WHERE return_id = $1 FOR UPDATE")
        .bind::<SqlUuid, _>(id.uuid())
        .get_result(tx.conn())
        .optional()?)
}

/// Locks those of the returns whose goods were to come until then, without those that somebody else has locked. Their orders
/// must be locked before.
pub fn expired_returns(tx: &mut Tx<'_>, ids: &[Uuid], now: Timestamp) -> Result<Vec<ReturnRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT * FROM returns WHERE return_id = ANY ($1) AND status = 'approved' AND expires_at <= $2 ORDER BY return_id \
         FOR UPDATE SKIP LOCKED",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now.utc())
    .load(tx.conn())?)
}

/// Locks tills, by noting that they were heard of: new ones are locked alike. They must be sorted, each named once. Answers
/// those that have voids waiting for what they void.
pub fn tills(tx: &mut Tx<'_>, tills: &[&Till]) -> Result<Vec<Till>, Error> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = Text)]
        store: String,
        #[diesel(sql_type = Text)]
        terminal: String,
        #[diesel(sql_type = BigInt)]
        waiting_voids: i64,
    }
    let now = tx.now().utc();
    let rows: Vec<Locked> = statement(
        "INSERT INTO pos_tills (heard_at, store, terminal) SELECT $1, n.* FROM unnest($2, $3) AS n (store, terminal) \
         ON CONFLICT (store, terminal) DO UPDATE SET heard_at = excluded.heard_at \
         RETURNING store, terminal, waiting_voids",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.store.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(tills.iter().map(|till| till.terminal.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?;
    let waiting = rows.into_iter().filter(|row| row.waiting_voids > 0);
    Ok(waiting.map(|row| Till { store: row.store, terminal: row.terminal }).collect())
}

/// Locks the versions of the rules that hold orders against other changes. Orders are judged by them meanwhile.
pub fn hold_rulesets(tx: &mut Tx<'_>) -> Result<(), Error> {
    diesel::sql_query("LOCK TABLE order_hold_rulesets IN SHARE ROW EXCLUSIVE MODE").execute(tx.conn())?;
    Ok(())
}

/// How many locks buyers share: enough that two seldom share one, few enough for the server's table of locks.
const BUYER_LOCKS: i32 = 512;
/// What tells the locks of buyers from others.
const BUYERS: i32 = 1;

/// Locks buyers, by the digests of their identities, against other intakes that count their orders, until the transaction
/// ends. New orders of this transaction are inserted before; orders that are there are locked after.
pub fn buyers<'a>(tx: &mut Tx<'_>, digests: impl Iterator<Item = &'a [u8]>) -> Result<(), Error> {
    let first = |digest: &[u8]| digest.first_chunk::<4>().map_or(0, |bytes| i32::from_be_bytes(*bytes));
    let locks: BTreeSet<i32> = digests.map(|digest| first(digest).rem_euclid(BUYER_LOCKS)).collect();
    diesel::sql_query("SELECT pg_advisory_xact_lock($1, place) FROM unnest($2) AS n (place)")
        .bind::<Integer, _>(BUYERS)
        .bind::<Array<Integer>, _>(locks.into_iter().collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
}

/// Takes up to `limit` orders whose return window has passed off the list of those it runs for.
pub fn take_due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Due> = diesel::sql_query(
        "DELETE FROM completions WHERE order_id = ANY (ARRAY(SELECT order_id FROM completions WHERE due_at <= $1 \
         ORDER BY due_at, order_id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING order_id",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Orders of which units may lack an answer.
#[derive(Clone, Copy, Debug)]
pub enum Unanswered {
    /// Those that wait for nothing else.
    Sourcing,
    /// Those of which something is under way, or waits for stock.
    Others,
}

/// Takes up to `limit` of these orders that were last asked for, or looked over, until then, and notes that they are now.
pub fn take_unanswered(tx: &mut Tx<'_>, of: Unanswered, until: Timestamp, limit: i64) -> Result<Vec<Uuid>, Error> {
    let now = tx.now().utc();
    // As their indexes say it.
    let (which, asked) = match of {
        Unanswered::Sourcing => ("status = 'sourcing'", 1),
        Unanswered::Others => ("status IN ('fulfilling', 'backordered', 'unfillable')", 0),
    };
    let rows: Vec<Due> = diesel::sql_query(format!(
        "UPDATE order_stays SET asked = asked + $4, asked_at = $3 WHERE order_id = ANY (ARRAY(SELECT order_id \
         FROM order_stays WHERE {which} AND asked_at <= $1 ORDER BY asked_at, order_id LIMIT $2 \
         FOR UPDATE SKIP LOCKED)) RETURNING order_id",
    ))
    .bind::<Timestamptz, _>(until.utc())
    .bind::<BigInt, _>(limit)
    .bind::<Timestamptz, _>(now)
    .bind::<Integer, _>(asked)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Locks up to `limit` steps that nobody else adds to the counts, the oldest first.
pub fn free_count_steps(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<i64>, Error> {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = BigInt)]
        step_id: i64,
    }
    let rows: Vec<Step> = diesel::sql_query(
        "SELECT step_id FROM fulfilment_count_steps ORDER BY step_id LIMIT $1 FOR UPDATE SKIP LOCKED",
    )
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.step_id).collect())
}
