//! Rows of point lots and holds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::{MemberId, OrderId};
use store::{Error, Tx};
use uuid::Uuid;

use crate::domain::account::{Lot, LotPart};

#[derive(QueryableByName)]
struct LotRow {
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    lot_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    order_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Integer>)]
    line_no: Option<i32>,
    #[diesel(sql_type = BigInt)]
    points: i64,
    #[diesel(sql_type = BigInt)]
    remaining: i64,
    #[diesel(sql_type = BigInt)]
    lapsed: i64,
    #[diesel(sql_type = Timestamptz)]
    active_since: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
}

impl From<LotRow> for (MemberId, Lot) {
    fn from(row: LotRow) -> Self {
        let lot = Lot {
            lot_id: row.lot_id,
            line: row.order_id.map(OrderId).zip(row.line_no),
            points: row.points,
            remaining: row.remaining,
            lapsed: row.lapsed,
            active_since: Timestamp::new(row.active_since),
            expires_at: row.expires_at.map(Timestamp::new),
        };
        (MemberId(row.member_id), lot)
    }
}

/// Which lots can play a part beside those with something in them.
#[derive(Clone, Debug, Default)]
pub struct AlsoLots {
    /// Those that these orders earned.
    pub of_orders: Vec<Uuid>,
    /// These.
    pub of_ids: Vec<Uuid>,
}

/// The lots of these members that can play a part.
pub fn open_lots(tx: &mut Tx<'_>, members: &[Uuid], also: &AlsoLots) -> Result<Vec<(MemberId, Lot)>, Error> {
    let rows: Vec<LotRow> = diesel::sql_query(
        "SELECT member_id, lot_id, order_id, line_no, points, remaining, lapsed, active_since, expires_at
         FROM point_lots
         WHERE member_id = ANY ($1) AND (remaining > 0 OR order_id = ANY ($2) OR lot_id = ANY ($3))",
    )
    .bind::<Array<SqlUuid>, _>(members)
    .bind::<Array<SqlUuid>, _>(&also.of_orders)
    .bind::<Array<SqlUuid>, _>(&also.of_ids)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A page of a member's lots after `after`, one more than `limit`.
pub fn lots_page(tx: &mut Tx<'_>, member: MemberId, after: Option<Uuid>, limit: i64) -> Result<Vec<Lot>, Error> {
    let rows: Vec<LotRow> = diesel::sql_query(
        "SELECT member_id, lot_id, order_id, line_no, points, remaining, lapsed, active_since, expires_at
         FROM point_lots WHERE member_id = $1 AND ($2 IS NULL OR lot_id > $2) ORDER BY lot_id LIMIT $3",
    )
    .bind::<SqlUuid, _>(member.uuid())
    .bind::<Nullable<SqlUuid>, _>(after)
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| <(MemberId, Lot)>::from(row).1).collect())
}

/// Writes new lots.
pub fn insert_lots(tx: &mut Tx<'_>, lots: &[(MemberId, &Lot)]) -> Result<(), Error> {
    if lots.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO point_lots (member_id, lot_id, order_id, line_no, points, remaining, lapsed, active_since, expires_at)
         SELECT l.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS l",
    )
    .bind::<Array<SqlUuid>, _>(lots.iter().map(|(member, _)| member.uuid()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lots.iter().map(|(_, lot)| lot.lot_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(lots.iter().map(|(_, lot)| lot.line.map(|it| it.0.uuid())).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(lots.iter().map(|(_, lot)| lot.line.map(|it| it.1)).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lots.iter().map(|(_, lot)| lot.points).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lots.iter().map(|(_, lot)| lot.remaining).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lots.iter().map(|(_, lot)| lot.lapsed).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(lots.iter().map(|(_, lot)| lot.active_since.utc()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(
        lots.iter().map(|(_, lot)| lot.expires_at.map(Timestamp::utc)).collect::<Vec<_>>(),
    )
    .execute(tx.conn())?;
    Ok(())
}

/// Writes what lots hold now.
pub fn update_lots(tx: &mut Tx<'_>, lots: &[(MemberId, &Lot)]) -> Result<(), Error> {
    if lots.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE point_lots l SET remaining = u.remaining, lapsed = u.lapsed
         FROM unnest($1, $2, $3, $4) AS u (member_id, lot_id, remaining, lapsed)
         WHERE l.member_id = u.member_id AND l.lot_id = u.lot_id",
    )
    .bind::<Array<SqlUuid>, _>(lots.iter().map(|(member, _)| member.uuid()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(lots.iter().map(|(_, lot)| lot.lot_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lots.iter().map(|(_, lot)| lot.remaining).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(lots.iter().map(|(_, lot)| lot.lapsed).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
}

/// Some of the members with a lot or a hold whose time is over.
pub fn with_time_over(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Uuid>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Id> = diesel::sql_query(
        "(SELECT member_id FROM point_lots WHERE remaining > 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2)
         UNION
         (SELECT member_id FROM point_holds WHERE status = 'held' AND expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.member_id).collect())
}

/// A hold.
#[derive(Clone, Debug, QueryableByName)]
pub struct HoldRow {
    /// Whose points.
    #[diesel(sql_type = SqlUuid)]
    pub member_id: Uuid,
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub hold_id: Uuid,
    /// How many points.
    #[diesel(sql_type = BigInt)]
    pub points: i64,
    /// Where it stands.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// The client's own key for it.
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// When it was made.
    #[diesel(sql_type = Timestamptz)]
    pub made_at: DateTime<Utc>,
    /// When it lapses.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// One hold, if it exists.
pub fn hold(tx: &mut Tx<'_>, hold: Uuid) -> Result<Option<HoldRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT member_id, hold_id, points, status, reason, reference, made_at, expires_at, version
         FROM point_holds WHERE hold_id = $1",
    )
    .bind::<SqlUuid, _>(hold)
    .get_result(tx.conn())
    .optional()?)
}

/// Writes a new hold and which lots it came from.
pub fn insert_hold(tx: &mut Tx<'_>, hold: &HoldRow, parts: &[LotPart]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO point_holds (member_id, hold_id, points, status, reason, reference, made_at, expires_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind::<SqlUuid, _>(hold.member_id)
    .bind::<SqlUuid, _>(hold.hold_id)
    .bind::<BigInt, _>(hold.points)
    .bind::<Text, _>(&hold.status)
    .bind::<Text, _>(&hold.reason)
    .bind::<Nullable<Text>, _>(hold.reference.as_deref())
    .bind::<Timestamptz, _>(hold.made_at)
    .bind::<Timestamptz, _>(hold.expires_at)
    .bind::<BigInt, _>(hold.version)
    .execute(tx.conn())?;
    diesel::sql_query(
        "INSERT INTO point_hold_parts (member_id, hold_id, lot_id, points)
         SELECT $1, $2, p.* FROM unnest($3, $4) AS p",
    )
    .bind::<SqlUuid, _>(hold.member_id)
    .bind::<SqlUuid, _>(hold.hold_id)
    .bind::<Array<SqlUuid>, _>(parts.iter().map(|part| part.lot_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts.iter().map(|part| part.points).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Moves holds to another status.
pub fn set_status(tx: &mut Tx<'_>, holds: &[Uuid], status: &str) -> Result<(), Error> {
    diesel::sql_query("UPDATE point_holds SET status = $2, version = version + 1 WHERE hold_id = ANY ($1)")
        .bind::<Array<SqlUuid>, _>(holds)
        .bind::<Text, _>(status)
        .execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct PartRow {
    #[diesel(sql_type = SqlUuid)]
    member_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    hold_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    lot_id: Uuid,
    #[diesel(sql_type = BigInt)]
    points: i64,
}

impl PartRow {
    const fn part(&self) -> LotPart {
        LotPart { lot_id: self.lot_id, points: self.points }
    }
}

/// Which lots a hold came from.
pub fn parts_of(tx: &mut Tx<'_>, hold: &HoldRow) -> Result<Vec<LotPart>, Error> {
    let rows: Vec<PartRow> = diesel::sql_query(
        "SELECT member_id, hold_id, lot_id, points FROM point_hold_parts
         WHERE member_id = $1 AND hold_id = $2 ORDER BY lot_id",
    )
    .bind::<SqlUuid, _>(hold.member_id)
    .bind::<SqlUuid, _>(hold.hold_id)
    .load(tx.conn())?;
    Ok(rows.iter().map(PartRow::part).collect())
}

/// What the holds of these members set aside whose time is over: member, hold, parts.
pub fn lapsed_holds(tx: &mut Tx<'_>, members: &[Uuid]) -> Result<Vec<(MemberId, Uuid, LotPart)>, Error> {
    let now = tx.now().utc();
    let rows: Vec<PartRow> = diesel::sql_query(
        "SELECT p.member_id, p.hold_id, p.lot_id, p.points
         FROM point_holds h JOIN point_hold_parts p USING (member_id, hold_id)
         WHERE h.member_id = ANY ($1) AND h.status = 'held' AND h.expires_at <= $2
         ORDER BY h.member_id, h.hold_id, p.lot_id",
    )
    .bind::<Array<SqlUuid>, _>(members)
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    Ok(rows.iter().map(|row| (MemberId(row.member_id), row.hold_id, row.part())).collect())
}
