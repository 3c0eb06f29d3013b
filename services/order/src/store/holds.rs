//! The table `order_holds`: why orders are, or were, held.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::HoldId;
use store::{Error, Tx};
use uuid::Uuid;

/// A hold as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct HoldRow {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub hold_id: Uuid,
    /// The order.
    #[diesel(sql_type = SqlUuid)]
    pub order_id: Uuid,
    /// The order's channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// The rule that holds it; none where a person does.
    #[diesel(sql_type = Nullable<Text>)]
    pub rule: Option<String>,
    /// The version of the rules that had it.
    #[diesel(sql_type = Nullable<Integer>)]
    pub ruleset_version: Option<i32>,
    /// What whoever placed it said.
    #[diesel(sql_type = Nullable<Text>)]
    pub note: Option<String>,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    /// Who placed it: a client, or `order` for its rules.
    #[diesel(sql_type = Text)]
    pub placed_by: String,
    /// Until when; none while it holds.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub released_at: Option<DateTime<Utc>>,
    /// Who released it.
    #[diesel(sql_type = Nullable<Text>)]
    pub released_by: Option<String>,
    /// What whoever released it said.
    #[diesel(sql_type = Nullable<Text>)]
    pub release_note: Option<String>,
}

impl HoldRow {
    /// Its id.
    pub const fn id(&self) -> HoldId {
        HoldId(self.hold_id)
    }

    /// Whether it holds.
    pub const fn is_open(&self) -> bool {
        self.released_at.is_none()
    }
}

/// Adds holds. Their orders must be locked, or new.
pub fn insert(tx: &mut Tx<'_>, rows: &[HoldRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO order_holds (hold_id, order_id, channel, kind, reason, rule, ruleset_version, note, placed_at, \
         placed_by) SELECT hold_id, order_id, channel, CASE WHEN rule IS NULL THEN 'manual' ELSE 'rule' END, reason, rule, \
         ruleset_version, note, placed_at, placed_by FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         AS n (hold_id, order_id, channel, reason, rule, ruleset_version, note, placed_at, placed_by)",
    )
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.hold_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.rule.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(rows.iter().map(|row| row.ruleset_version).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.note.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.placed_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.placed_by.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// All holds of orders, by order, the oldest first.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<HoldRow>>, Error> {
    let rows: Vec<HoldRow> =
        diesel::sql_query("SELECT * FROM order_holds WHERE order_id = ANY ($1) ORDER BY order_id, placed_at, hold_id")
            .bind::<Array<SqlUuid>, _>(orders)
            .load(tx.conn())?;
    let mut holds: HashMap<Uuid, Vec<HoldRow>> = HashMap::new();
    for row in rows {
        holds.entry(row.order_id).or_default().push(row);
    }
    Ok(holds)
}

/// What holds orders now, by order, the oldest first.
pub fn open_of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<HoldRow>>, Error> {
    let mut holds = of(tx, orders)?;
    holds.values_mut().for_each(|all| all.retain(HoldRow::is_open));
    Ok(holds)
}

/// Releases holds that are open. Their orders must be locked.
pub fn release(tx: &mut Tx<'_>, holds: &[Uuid], by: &str, note: Option<&str>) -> Result<(), Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "UPDATE order_holds SET released_at = $2, released_by = $3, release_note = $4 WHERE hold_id = ANY ($1)",
    )
    .bind::<Array<SqlUuid>, _>(holds)
    .bind::<Timestamptz, _>(now)
    .bind::<Text, _>(by)
    .bind::<Nullable<Text>, _>(note)
    .execute(tx.conn())?;
    Ok(())
}

/// Those of some orders that are held, or were later than at a time.
pub fn held_since(tx: &mut Tx<'_>, orders: &[Uuid], since: Timestamp) -> Result<HashSet<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Held {
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Held> = diesel::sql_query(
        "SELECT DISTINCT order_id FROM order_holds WHERE order_id = ANY ($1) AND (released_at IS NULL OR released_at > $2)",
    )
    .bind::<Array<SqlUuid>, _>(orders)
    .bind::<Timestamptz, _>(since.utc())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// The orders that holds belong to; holds that do not exist are left out.
pub fn orders_of(tx: &mut Tx<'_>, holds: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Belongs {
        #[diesel(sql_type = SqlUuid)]
        hold_id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Belongs> = diesel::sql_query("SELECT hold_id, order_id FROM order_holds WHERE hold_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(holds)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.hold_id, row.order_id)).collect())
}

/// Which holds a list shows; what is left out does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those that were released, in place of those that hold.
    pub released: bool,
    /// For this reason.
    pub reason: Option<String>,
    /// Of orders of these channels.
    pub channels: Option<Vec<String>>,
    /// Placed later than this one: the page before ended here.
    pub after: Option<(Timestamp, Uuid)>,
}

/// A hold with what tells its order from others.
#[derive(Clone, Debug, QueryableByName)]
pub struct QueuedRow {
    /// The hold.
    #[diesel(embed)]
    pub hold: HoldRow,
    /// The channel's own number for the order.
    #[diesel(sql_type = Text)]
    pub channel_order_no: String,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The currency of its amounts.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// What its buyer pays.
    #[diesel(sql_type = BigInt)]
    pub total_amount: i64,
    /// When its buyer placed it.
    #[diesel(sql_type = Timestamptz)]
    pub ordered_at: DateTime<Utc>,
}

/// The first `limit` holds of a list, the oldest first.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<QueuedRow>, Error> {
    let over = if filter.released { "IS NOT NULL" } else { "IS NULL" };
    Ok(diesel::sql_query(format!(
        "SELECT h.*, o.channel_order_no, o.status, o.currency, o.total_amount, o.placed_at AS ordered_at \
         FROM order_holds h JOIN orders o USING (order_id) WHERE h.released_at {over} \
         AND ($1 IS NULL OR h.reason = $1) AND ($2 IS NULL OR h.channel = ANY ($2)) \
         AND (h.placed_at, h.hold_id) > ($3, $4) ORDER BY h.placed_at, h.hold_id LIMIT $5"
    ))
    .bind::<Nullable<Text>, _>(filter.reason.as_deref())
    .bind::<Nullable<Array<Text>>, _>(filter.channels.as_deref())
    .bind::<Timestamptz, _>(filter.after.map_or(Timestamp::EPOCH, |(at, _)| at).utc())
    .bind::<SqlUuid, _>(filter.after.map_or(Uuid::nil(), |(_, id)| id))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}
