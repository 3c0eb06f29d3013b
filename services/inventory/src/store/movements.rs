//! The ledger of units: movements are added and never changed.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use kernel::{LocationCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Tx, statement};
use utoipa::ToSchema;

use super::stock::{self, Balance};

/// What made units move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// They came from a supplier.
    Receipt,
    /// They left to a buyer.
    Shipment,
    /// A till sold them, or undid a sale.
    PosSale,
    /// A till had sold them before the books could spare them.
    PosDebt,
    /// A buyer brought them back.
    Return,
    /// They left to another location.
    TransferOut,
    /// They came from another location.
    TransferIn,
    /// Somebody corrected the balance.
    Adjustment,
    /// Somebody counted, or stated the balance.
    Count,
    /// They were damaged: put apart, put back or destroyed.
    Damage,
    /// They left to the location where a buyer collects them.
    Sent,
    /// They came to the location where a buyer collects them.
    Arrived,
}

impl MovementKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Shipment => "shipment",
            Self::PosSale => "pos_sale",
            Self::PosDebt => "pos_debt",
            Self::Return => "return",
            Self::TransferOut => "transfer_out",
            Self::TransferIn => "transfer_in",
            Self::Adjustment => "adjustment",
            Self::Count => "count",
            Self::Damage => "damage",
            Self::Sent => "sent",
            Self::Arrived => "arrived",
        }
    }
}

/// A movement to be recorded.
#[derive(Clone, Debug)]
pub struct Movement {
    /// What moved.
    pub sku: SkuCode,
    /// Where.
    pub location: LocationCode,
    /// What made it move.
    pub kind: MovementKind,
    /// Units that came (or left, below 0).
    pub on_hand: i64,
    /// Units put apart (or back, below 0).
    pub quarantined: i64,
    /// Units that are owed from then on (or no longer, below 0).
    pub owed: i64,
    /// Why.
    pub reason: String,
    /// What it belongs to: a fulfilment, a return, a till's transaction, a stock document, the caller's own reference.
    pub reference: Option<String>,
    /// Who did it.
    pub actor: String,
}

/// Records movements whose effect is in `balances` already; each row carries the balance after it. A transaction that
/// began before another and waited for it takes that one's instant, so that the ledger's order is the order of time.
pub fn record(tx: &mut Tx<'_>, movements: &[Movement], balances: &[Balance]) -> Result<(), Error> {
    if movements.is_empty() {
        return Ok(());
    }
    let after = balances_after(movements, balances)?;
    let at = tx.now().utc();
    let column = |pick: fn(&Movement) -> i64| movements.iter().map(pick).collect::<Vec<i64>>();
    statement(
        "INSERT INTO movements (sku, location, kind, on_hand, quarantined, on_hand_after, quarantined_after, owed, reason, \
         reference, actor, at) SELECT sku, location, kind, on_hand, quarantined, on_hand_after, quarantined_after, \
         owed, reason, reference, actor, greatest($1, (SELECT at FROM movements ORDER BY id DESC LIMIT 1)) \
         FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) WITH ORDINALITY AS t (sku, location, kind, on_hand, \
         quarantined, on_hand_after, quarantined_after, owed, reason, reference, actor, place) \
         ORDER BY place",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Array<Text>, _>(movements.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(movements.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(movements.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(column(|it| it.on_hand))
    .bind::<Array<BigInt>, _>(column(|it| it.quarantined))
    .bind::<Array<BigInt>, _>(after.iter().map(|(on_hand, _)| *on_hand).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(after.iter().map(|(_, quarantined)| *quarantined).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(movements.iter().map(|it| Some(it.owed).filter(|it| *it != 0)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(movements.iter().map(|it| it.reason.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(movements.iter().map(|it| it.reference.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(movements.iter().map(|it| it.actor.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Walks back from the balances as they are now, newest movement first.
fn balances_after(movements: &[Movement], balances: &[Balance]) -> Result<Vec<(i64, i64)>, Error> {
    let mut now: HashMap<(&str, &str), (i64, i64)> =
        balances.iter().map(|it| ((it.sku.as_str(), it.location.as_str()), (it.on_hand, it.quarantined))).collect();
    let mut after = Vec::with_capacity(movements.len());
    for movement in movements.iter().rev() {
        let balance = now
            .get_mut(&(movement.sku.as_str(), movement.location.as_str()))
            .ok_or(Error::Broken("a movement belongs to a changed balance"))?;
        after.push(*balance);
        *balance = (balance.0.saturating_sub(movement.on_hand), balance.1.saturating_sub(movement.quarantined));
    }
    after.reverse();
    Ok(after)
}

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    position: i64,
}

/// The last movement of the ledger; 0 when there is none.
pub fn newest(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row: Position =
        diesel::sql_query("SELECT coalesce(max(id), 0) AS position FROM movements").get_result(tx.conn())?;
    Ok(row.position)
}

/// Up to which movement the ledger had come at an instant; 0 before the first.
pub fn position(tx: &mut Tx<'_>, at: Timestamp) -> Result<i64, Error> {
    let row: Option<Position> =
        diesel::sql_query("SELECT id AS position FROM movements WHERE at <= $1 ORDER BY at DESC, id DESC LIMIT 1")
            .bind::<Timestamptz, _>(at.utc())
            .get_result(tx.conn())
            .optional()?;
    Ok(row.map_or(0, |row| row.position))
}

/// What was at a location at an instant.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Held {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Units there.
    #[diesel(sql_type = BigInt)]
    pub on_hand: i64,
    /// Units kept apart.
    #[diesel(sql_type = BigInt)]
    pub quarantined: i64,
}

// The last movement of each balance up to a place in the ledger carries the balance itself. A balance has a row from its
// first movement on.
const HELD: &str = "\
SELECT p.sku, p.location, coalesce(m.on_hand_after, 0) AS on_hand, coalesce(m.quarantined_after, 0) AS quarantined
FROM page p LEFT JOIN LATERAL (SELECT on_hand_after, quarantined_after FROM movements x
    WHERE x.sku = p.sku AND x.location = p.location AND x.id <= $1 ORDER BY x.id DESC LIMIT 1) m ON true";

/// What every location had of these SKUs at an instant; locations where it was nothing are left out.
pub fn stock_at(tx: &mut Tx<'_>, skus: &[&str], at: Timestamp) -> Result<Vec<Held>, Error> {
    let position = position(tx, at)?;
    Ok(diesel::sql_query(format!(
        "WITH page AS (SELECT sku, location FROM stock WHERE sku = ANY($2)) \
         SELECT * FROM ({HELD}) h WHERE on_hand > 0 ORDER BY sku, location"
    ))
    .bind::<BigInt, _>(position)
    .bind::<Array<Text>, _>(skus)
    .load(tx.conn())?)
}

/// What was at each balance at an instant, by (sku, location); 0 where nothing had been yet.
pub fn list_at(tx: &mut Tx<'_>, filter: &stock::Filter, at: Timestamp) -> Result<Vec<Held>, Error> {
    let position = position(tx, at)?;
    Ok(diesel::sql_query(format!(
        "WITH page AS (SELECT sku, location FROM stock WHERE ($2 IS NULL OR sku = $2) \
            AND ($3 IS NULL OR location = $3) AND ($4 IS NULL OR location = ANY($4)) \
            AND ($5 IS NULL OR (sku, location) > ($5, $6)) ORDER BY sku, location LIMIT $7) \
         {HELD} ORDER BY p.sku, p.location"
    ))
    .bind::<BigInt, _>(position)
    .bind::<Nullable<Text>, _>(&filter.sku)
    .bind::<Nullable<Text>, _>(&filter.location)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<Text>, _>(filter.after.as_ref().map(|(sku, _)| sku))
    .bind::<Nullable<Text>, _>(filter.after.as_ref().map(|(_, location)| location))
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?)
}

/// A recorded movement.
#[derive(Debug, QueryableByName)]
pub struct Recorded {
    /// Its number in the ledger.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Where.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// What made it move.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Units that came (or left, below 0).
    #[diesel(sql_type = BigInt)]
    pub on_hand: i64,
    /// Units put apart (or back, below 0).
    #[diesel(sql_type = BigInt)]
    pub quarantined: i64,
    /// Units there afterwards.
    #[diesel(sql_type = BigInt)]
    pub on_hand_after: i64,
    /// Units apart afterwards.
    #[diesel(sql_type = BigInt)]
    pub quarantined_after: i64,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// What it belongs to.
    #[diesel(sql_type = Nullable<Text>)]
    pub reference: Option<String>,
    /// Who did it.
    #[diesel(sql_type = Text)]
    pub actor: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: chrono::DateTime<chrono::Utc>,
}

/// Which movements of a SKU a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this SKU.
    pub sku: String,
    /// At this location alone.
    pub location: Option<String>,
    /// At these locations alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// Of this kind alone.
    pub kind: Option<MovementKind>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// After this number.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// Movements in the order they were recorded.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Recorded>, Error> {
    Ok(diesel::sql_query(
        "SELECT id, location, kind, on_hand, quarantined, on_hand_after, quarantined_after, reason, reference, actor, at \
         FROM movements WHERE sku = $1 AND ($2 IS NULL OR location = $2) AND ($3 IS NULL OR location = ANY($3)) \
         AND ($4 IS NULL OR at >= $4) AND ($5 IS NULL OR at < $5) AND ($6 IS NULL OR id > $6) \
         AND ($8 IS NULL OR kind = $8) ORDER BY id LIMIT $7",
    )
    .bind::<Text, _>(&filter.sku)
    .bind::<Nullable<Text>, _>(&filter.location)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<Timestamptz>, _>(filter.from.map(Timestamp::utc))
    .bind::<Nullable<Timestamptz>, _>(filter.until.map(Timestamp::utc))
    .bind::<Nullable<BigInt>, _>(filter.after)
    .bind::<BigInt, _>(filter.limit)
    .bind::<Nullable<Text>, _>(filter.kind.map(MovementKind::as_str))
    .load(tx.conn())?)
}
