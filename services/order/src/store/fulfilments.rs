//! The table `fulfilments`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::events::{FulfilmentKind, FulfilmentLine, FulfilmentRejected, Parcel};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::{FulfilmentId, OrderId};
use kernel::{LocationCode, Timestamp};
use store::{Error, Tx, statement};
use uuid::Uuid;

use super::orders::{kind_of, kind_text};
use crate::domain::cover::Piece;
use crate::domain::state::FulfilmentStatus;

/// When a fulfilment order came to where it stands and through what, and until when it may stay there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Times {
    /// The location took it on.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub accepted_at: Option<DateTime<Utc>>,
    /// The goods were off the shelf.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub picked_at: Option<DateTime<Utc>>,
    /// The goods were in their parcels.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub packed_at: Option<DateTime<Utc>>,
    /// The goods waited at the counter.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ready_at: Option<DateTime<Utc>>,
    /// The goods left.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub shipped_at: Option<DateTime<Utc>>,
    /// The goods reached the buyer.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub delivered_at: Option<DateTime<Utc>>,
    /// The goods left for the location where they are collected.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub sent_at: Option<DateTime<Utc>>,
    /// The buyer took the goods away.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub collected_at: Option<DateTime<Utc>>,
    /// Until when the buyer may collect it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub collect_by: Option<DateTime<Utc>>,
    /// When the buyer is to be reminded; none once that was told.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub remind_at: Option<DateTime<Utc>>,
}

impl Times {
    /// Notes when a state was reached; states that end the work without goods have no time of their own.
    pub fn note(&mut self, status: FulfilmentStatus, at: Timestamp) {
        let place = match status {
            FulfilmentStatus::Accepted => &mut self.accepted_at,
            FulfilmentStatus::Picked => &mut self.picked_at,
            FulfilmentStatus::Packed => &mut self.packed_at,
            FulfilmentStatus::Ready => &mut self.ready_at,
            FulfilmentStatus::Shipped => &mut self.shipped_at,
            FulfilmentStatus::Delivered => &mut self.delivered_at,
            FulfilmentStatus::Sent => &mut self.sent_at,
            FulfilmentStatus::Collected => &mut self.collected_at,
            FulfilmentStatus::Waiting
            | FulfilmentStatus::Offered
            | FulfilmentStatus::Rejected
            | FulfilmentStatus::Cancelled
            | FulfilmentStatus::Lapsed => return,
        };
        *place = Some(at.utc());
    }
}

/// A fulfilment order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fulfilment {
    /// Its id.
    pub id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// The sourcing attempt that made it.
    pub attempt: i32,
    /// Who has it: who is to fulfil it, or once that one has sent it on, who hands it over.
    pub location: LocationCode,
    /// Ship or pickup. What is sent on to be collected ships first, and is a pickup from then on.
    pub kind: FulfilmentKind,
    /// Where the buyer collects it, if it ships there first.
    pub collect_at: Option<LocationCode>,
    /// Who has sent it there.
    pub sent_from: Option<LocationCode>,
    /// Where it stands.
    pub status: FulfilmentStatus,
    /// What is in it.
    pub lines: Vec<FulfilmentLine>,
    /// Its parcels, once it left.
    pub parcels: Vec<Parcel>,
    /// Why it was rejected, recalled or cancelled.
    pub reason: Option<String>,
    /// Whether it was rejected by no location, but taken back for nearer stock.
    pub recalled: bool,
    /// The code that the buyer shows at the counter.
    pub collect_code: Option<String>,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// When it came through what.
    pub times: Times,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
}

impl Fulfilment {
    /// What covering an order needs of it.
    pub fn piece(&self) -> Piece {
        Piece {
            id: self.id,
            attempt: self.attempt,
            location: self.location.clone(),
            status: self.status,
            lines: self.lines.clone(),
        }
    }

    /// What is told of it when its location is not, or no longer, to ship it: all of it, for its own reason.
    pub fn rejected(&self, at: Timestamp) -> FulfilmentRejected {
        FulfilmentRejected {
            fulfilment_id: self.id,
            order_id: self.order_id,
            location: self.location.clone(),
            lines: self.lines.clone(),
            reason: self.reason.clone().unwrap_or_default(),
            recalled: self.recalled,
            recalled_with: Vec::new(),
            sourced_with: None,
            rejected_at: at,
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    fulfilment_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    order_id: Uuid,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Text)]
    location: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    collect_at: Option<String>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Text)]
    lines: String,
    #[diesel(sql_type = Text)]
    parcels: String,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Bool)]
    recalled: bool,
    #[diesel(sql_type = Nullable<Text>)]
    collect_code: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    offered_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    changed_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(embed)]
    times: Times,
}

impl TryFrom<Row> for Fulfilment {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let (origin, collect_at) =
            (super::code(&row.location)?, row.collect_at.as_deref().map(super::code).transpose()?);
        let (location, sent_from) = match &collect_at {
            Some(there) if row.times.sent_at.is_some() => (there.clone(), Some(origin)),
            _ => (origin, None),
        };
        Ok(Self {
            id: FulfilmentId(row.fulfilment_id),
            order_id: OrderId(row.order_id),
            attempt: row.attempt,
            location,
            kind: kind_of(&row.kind),
            collect_at,
            sent_from,
            status: super::state(FulfilmentStatus::parse(&row.status))?,
            lines: serde_json::from_str(&row.lines)?,
            parcels: serde_json::from_str(&row.parcels)?,
            reason: row.reason,
            recalled: row.recalled,
            collect_code: row.collect_code,
            offered_at: row.offered_at.into(),
            times: row.times,
            changed_at: row.changed_at.into(),
            version: row.version,
        })
    }
}

fn read(rows: Vec<Row>) -> Result<Vec<Fulfilment>, Error> {
    rows.into_iter().map(Fulfilment::try_from).collect()
}

/// A fulfilment order to be offered.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its id.
    pub id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// The sourcing attempt.
    pub attempt: i32,
    /// To whom.
    pub location: LocationCode,
    /// Ship or pickup, as it is stored.
    pub kind: String,
    /// What.
    pub lines: Vec<FulfilmentLine>,
    /// Whether it waits for the buyer to pay.
    pub waits: bool,
}

/// Inserts offers; answers the ids of those that are new. What is to be collected elsewhere than where it lies ships there.
pub fn offer(tx: &mut Tx<'_>, offers: &[Offer]) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Offered {
        #[diesel(sql_type = SqlUuid)]
        fulfilment_id: Uuid,
    }
    let now = tx.now().utc();
    let mut lines = Vec::with_capacity(offers.len());
    for offer in offers {
        lines.push(serde_json::to_string(&offer.lines)?);
    }
    let status = |offer: &Offer| {
        if offer.waits { FulfilmentStatus::Waiting.as_str() } else { FulfilmentStatus::Offered.as_str() }
    };
    let text = format!(
        "INSERT INTO fulfilments (offered_at, changed_at, fulfilment_id, order_id, attempt, location, kind, lines, status, \
         collect_at) SELECT $1, $2, id, order_id, attempt, location, \
         CASE WHEN collect_at IS NULL THEN kind ELSE 'ship' END, lines, status, collect_at \
         FROM (SELECT n.*, CASE WHEN n.kind = 'pickup' THEN (SELECT nullif(o.document::jsonb #>> '{{fulfilment,location}}', \
         n.location) FROM orders o WHERE o.order_id = n.order_id) END AS collect_at FROM unnest($3, $4, $5, $6, $7, $8, $9) \
         AS n (id, order_id, attempt, location, kind, lines, status)) AS offered {} RETURNING fulfilment_id",
        tx.on_conflict("ON CONFLICT (order_id, attempt, location) DO NOTHING")
    );
    let rows: Vec<Offered> = statement(text)
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(offers.iter().map(|offer| offer.id.uuid()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(offers.iter().map(|offer| offer.order_id.uuid()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(offers.iter().map(|offer| offer.attempt).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(offers.iter().map(|offer| offer.location.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(offers.iter().map(|offer| offer.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(lines)
        .bind::<Array<Text>, _>(offers.iter().map(status).collect::<Vec<_>>())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.fulfilment_id).collect())
}

/// Asks the locations of fulfilment orders that waited for the buyer to pay. Their orders must be locked.
pub fn ask(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<(), Error> {
    diesel::sql_query(
        "UPDATE fulfilments SET status = 'offered', offered_at = $2, changed_at = $2, version = version + 1 \
         WHERE fulfilment_id = ANY ($1) AND status = 'waiting'",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(tx.now().utc())
    .execute(tx.conn())?;
    Ok(())
}

/// The orders that fulfilment orders belong to; those that do not exist are left out.
pub fn orders_of(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Belongs {
        #[diesel(sql_type = SqlUuid)]
        fulfilment_id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        order_id: Uuid,
    }
    let rows: Vec<Belongs> =
        diesel::sql_query("SELECT fulfilment_id, order_id FROM fulfilments WHERE fulfilment_id = ANY ($1)")
            .bind::<Array<SqlUuid>, _>(ids)
            .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.fulfilment_id, row.order_id)).collect())
}

/// One fulfilment order.
pub fn find(tx: &mut Tx<'_>, id: FulfilmentId) -> Result<Option<Fulfilment>, Error> {
    let row: Option<Row> = diesel::sql_query("SELECT * FROM fulfilments WHERE fulfilment_id = $1")
        .bind::<SqlUuid, _>(id.uuid())
        .get_result(tx.conn())
        .optional()?;
    row.map(Fulfilment::try_from).transpose()
}

/// The fulfilment orders of orders, by order, the first attempt's first.
pub fn of(tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<HashMap<Uuid, Vec<Fulfilment>>, Error> {
    let rows: Vec<Row> =
        diesel::sql_query("SELECT * FROM fulfilments WHERE order_id = ANY ($1) ORDER BY order_id, attempt, location")
            .bind::<Array<SqlUuid>, _>(orders)
            .load(tx.conn())?;
    let mut fulfilments: HashMap<Uuid, Vec<Fulfilment>> = HashMap::new();
    for fulfilment in read(rows)? {
        fulfilments.entry(fulfilment.order_id.uuid()).or_default().push(fulfilment);
    }
    Ok(fulfilments)
}

/// Writes back fulfilment orders that changed.
pub fn save(tx: &mut Tx<'_>, changed: &[Fulfilment]) -> Result<(), Error> {
    if changed.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    let mut lines = Vec::with_capacity(changed.len());
    let mut parcels = Vec::with_capacity(changed.len());
    for fulfilment in changed {
        lines.push(serde_json::to_string(&fulfilment.lines)?);
        parcels.push(serde_json::to_string(&fulfilment.parcels)?);
    }
    diesel::sql_query(
        "UPDATE fulfilments f SET status = n.status, lines = n.lines, parcels = n.parcels, reason = n.reason, \
         collect_code = n.code, changed_at = $8, version = n.version, recalled = n.recalled, \
         accepted_at = n.accepted, picked_at = n.picked, packed_at = n.packed, ready_at = n.ready, \
         shipped_at = n.shipped, delivered_at = n.delivered, collected_at = n.collected, collect_by = n.collect_by, \
         remind_at = n.remind, kind = n.kind, sent_at = n.sent \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) AS n (id, status, \
         lines, parcels, reason, code, version, recalled, accepted, picked, packed, ready, shipped, delivered, collected, \
         collect_by, remind, kind, sent) \
         WHERE f.fulfilment_id = n.id",
    )
    .bind::<Array<SqlUuid>, _>(changed.iter().map(|it| it.id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.status.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lines)
    .bind::<Array<Text>, _>(parcels)
    .bind::<Array<Nullable<Text>>, _>(changed.iter().map(|it| it.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(changed.iter().map(|it| it.collect_code.as_deref()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Bool>, _>(changed.iter().map(|it| it.recalled).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.accepted_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.picked_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.packed_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.ready_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.shipped_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.delivered_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.collected_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.collect_by).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.remind_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| kind_text(it.kind)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|it| it.times.sent_at).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Which fulfilment orders a work list shows; what is left out does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At these locations.
    pub locations: Option<Vec<String>>,
    /// In this state.
    pub status: Option<FulfilmentStatus>,
    /// Of this order.
    pub order_id: Option<Uuid>,
    /// Taken on until then, and neither gone nor ready.
    pub in_work_since: Option<Timestamp>,
    /// Newer than this one: the page before ended here.
    pub after: Option<Uuid>,
}

/// A page of a work list, oldest first: what locations have, and what was sent to them.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<Vec<Fulfilment>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT * FROM ((SELECT * FROM fulfilments WHERE sent_at IS NULL AND ($1 IS NULL OR location = ANY ($1)) \
         AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR order_id = $3) AND ($4 IS NULL OR fulfilment_id > $4) \
         AND ($5 IS NULL OR (status IN ('accepted', 'picked', 'packed') AND accepted_at <= $5)) \
         ORDER BY fulfilment_id LIMIT $6) UNION ALL \
         (SELECT * FROM fulfilments WHERE sent_at IS NOT NULL AND ($1 IS NULL OR collect_at = ANY ($1)) \
         AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR order_id = $3) AND ($4 IS NULL OR fulfilment_id > $4) \
         AND $5 IS NULL ORDER BY fulfilment_id LIMIT $6)) AS listed ORDER BY fulfilment_id LIMIT $6",
    )
    .bind::<Nullable<Array<Text>>, _>(filter.locations.as_deref())
    .bind::<Nullable<Text>, _>(filter.status.map(FulfilmentStatus::as_str))
    .bind::<Nullable<SqlUuid>, _>(filter.order_id)
    .bind::<Nullable<SqlUuid>, _>(filter.after)
    .bind::<Nullable<Timestamptz>, _>(filter.in_work_since.map(Timestamp::utc))
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    read(rows)
}
