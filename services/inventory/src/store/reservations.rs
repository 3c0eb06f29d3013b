//! Holds asked for over the API.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use kernel::id::{OrderId, ReservationId};
use store::statement::{Statement, Values};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// A hold to be stored.
#[derive(Clone, Debug)]
pub struct NewReservation {
    /// Its id.
    pub id: ReservationId,
    /// Its channel.
    pub channel: String,
    /// Who holds, as the channel knows them.
    pub buyer: Option<String>,
    /// The granted lines as JSON.
    pub lines: String,
    /// Units over all lines.
    pub units: i64,
    /// When it runs out.
    pub expires_at: Timestamp,
}

/// A stored hold.
#[derive(Clone, Debug, QueryableByName)]
pub struct Reservation {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// `held`, `claimed`, `consumed`, `released` or `expired`.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Its channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Who holds.
    #[diesel(sql_type = Nullable<Text>)]
    pub buyer: Option<String>,
    /// The granted lines as JSON.
    #[diesel(sql_type = Text)]
    pub lines: String,
    /// The order that claimed it.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
    /// When it runs out, or ran out.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: chrono::DateTime<chrono::Utc>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

impl Reservation {
    /// Whether it counts at this instant.
    pub fn is_held(&self, at: Timestamp) -> bool {
        self.state == "held" && Timestamp::from(self.expires_at) > at
    }

    /// Its state at this instant: a hold that has run out is expired, also before it is swept.
    pub fn state_at(&self, at: Timestamp) -> &str {
        if self.state == "held" && !self.is_held(at) { "expired" } else { &self.state }
    }
}

/// Stores holds.
pub const INSERT: &str = "\
INSERT INTO reservations (id, state, channel, buyer, lines, held_units, expires_at)
SELECT id, 'held', channel, buyer, lines, units, expires_at FROM unnest($1, $2, $3, $4, $5, $6)
AS t (id, channel, buyer, lines, units, expires_at)";

/// Binds what [`INSERT`] takes.
pub fn bind(to: Statement<impl Values>, holds: &[NewReservation]) -> Statement<impl Values> {
    to.bind::<Array<SqlUuid>, _>(holds.iter().map(|it| it.id.uuid()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(holds.iter().map(|it| it.channel.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(holds.iter().map(|it| it.buyer.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(holds.iter().map(|it| it.lines.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(holds.iter().map(|it| it.units).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(holds.iter().map(|it| it.expires_at.utc()).collect::<Vec<_>>())
}

/// The holds with these ids.
pub fn of_ids(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Reservation>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(diesel::sql_query(
        "SELECT id, state, channel, buyer, lines, order_id, expires_at, version FROM reservations WHERE id = ANY($1)",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(tx.conn())?)
}

/// Marks holds as claimed by orders.
pub fn claim(tx: &mut Tx<'_>, claims: &[(ReservationId, OrderId)]) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "UPDATE reservations r SET state = 'claimed', order_id = c.order_id, version = version + 1 \
         FROM unnest($1, $2) AS c (id, order_id) WHERE r.id = c.id",
    )
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|(_, order)| order.uuid()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Marks holds as released.
pub fn release(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    diesel::sql_query("UPDATE reservations SET state = 'released', version = version + 1 WHERE id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx.conn())?;
    Ok(())
}

/// Notes what is left of a hold.
pub fn shrink(tx: &mut Tx<'_>, id: ReservationId, lines: &str, units: i64) -> Result<(), Error> {
    diesel::sql_query("UPDATE reservations SET lines = $2, held_units = $3, version = version + 1 WHERE id = $1")
        .bind::<SqlUuid, _>(id.uuid())
        .bind::<Text, _>(lines)
        .bind::<BigInt, _>(units)
        .execute(tx.conn())?;
    Ok(())
}

/// How a claimed hold ends, once nothing of its order is promised any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The order's last units shipped.
    Consumed,
    /// The order's last units were cancelled.
    Released,
}

/// Ends the claimed holds of those of these orders that nothing is promised to any more.
pub fn end(tx: &mut Tx<'_>, orders: &[Uuid], end: End) -> Result<(), Error> {
    let state = match end {
        End::Consumed => "consumed",
        End::Released => "released",
    };
    statement(
        "UPDATE reservations r SET state = $1, version = version + 1 WHERE r.order_id = ANY($2) AND r.state = 'claimed' \
         AND NOT EXISTS (SELECT FROM reserved_lines l WHERE l.owner = r.order_id)",
    )
    .bind::<Text, _>(state)
    .bind::<Array<SqlUuid>, _>(orders)
    .execute(tx.conn())?;
    Ok(())
}

/// Gives a hold more time.
pub fn extend(tx: &mut Tx<'_>, id: ReservationId, until: Timestamp) -> Result<(), Error> {
    diesel::sql_query("UPDATE reservations SET expires_at = $2, version = version + 1 WHERE id = $1")
        .bind::<SqlUuid, _>(id.uuid())
        .bind::<Timestamptz, _>(until.utc())
        .execute(tx.conn())?;
    Ok(())
}

/// A hold that has run out.
#[derive(Debug, QueryableByName)]
pub struct Expired {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// When it ran out.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// Marks up to `limit` holds that have run out as expired, and answers them.
pub fn expire(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Expired>, Error> {
    let now = tx.now().utc();
    Ok(statement(
        "UPDATE reservations SET state = 'expired', version = version + 1 WHERE id = ANY (ARRAY( \
            SELECT id FROM reservations WHERE state = 'held' AND expires_at <= $1 ORDER BY expires_at LIMIT $2)) \
         RETURNING id, expires_at",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

/// A buyer, as their channel knows them: channel and name.
pub type Buyer<'a> = (&'a str, &'a str);

/// Units held by each of some buyers, in their order, over all their holds.
pub const HELD_BY: &str = "\
ARRAY(SELECT coalesce((SELECT sum(r.held_units) FROM reservations r WHERE r.channel = b.channel AND r.buyer = b.buyer
    AND r.state = 'held'), 0)::bigint FROM unnest($1, $2) WITH ORDINALITY AS b (channel, buyer, place) ORDER BY place)";

/// Binds what [`HELD_BY`] takes.
pub fn bind_buyers(to: Statement<impl Values>, buyers: &[Buyer<'_>]) -> Statement<impl Values> {
    to.bind::<Array<Text>, _>(buyers.iter().map(|(channel, _)| *channel).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(buyers.iter().map(|(_, buyer)| *buyer).collect::<Vec<_>>())
}
