//! What is owed: units that tills have sold and the books could not spare, by the transactions that sold them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::{LocationCode, SkuCode, Timestamp};
use store::{Error, Tx};
use uuid::Uuid;

use super::code;

/// A balance.
pub type Place = (SkuCode, LocationCode);

/// What one transaction sold without cover.
#[derive(Clone, Debug)]
struct Debt {
    /// Its row, unless it is new.
    id: Option<i64>,
    transaction: Uuid,
    units: i64,
    owed: i64,
    changed: bool,
}

/// What is owed at some balances, the oldest first.
#[derive(Debug, Default)]
pub struct Debts(BTreeMap<Place, Vec<Debt>>);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    sku: String,
    #[diesel(sql_type = Text)]
    location: String,
    #[diesel(sql_type = SqlUuid)]
    transaction_id: Uuid,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    owed: i64,
}

impl Debts {
    /// Reads what is owed at these balances, unless it was read before.
    pub fn read<'a>(&mut self, tx: &mut Tx<'_>, places: impl Iterator<Item = &'a Place>) -> Result<(), Error> {
        let unseen: Vec<&Place> = places.filter(|place| !self.0.contains_key(*place)).collect();
        if unseen.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row> = diesel::sql_query(
            "SELECT id, sku, location, transaction_id, units, owed FROM debts WHERE (sku, location) IN \
             (SELECT t.sku, t.location FROM unnest($1, $2) AS t (sku, location)) ORDER BY id",
        )
        .bind::<Array<Text>, _>(unseen.iter().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(unseen.iter().map(|(_, location)| location.as_str()).collect::<Vec<_>>())
        .load(tx.conn())?;
        self.0.extend(unseen.into_iter().map(|place| (place.clone(), Vec::new())));
        for row in rows {
            let (transaction, units, owed) = (row.transaction_id, row.units, row.owed);
            let debt = Debt { id: Some(row.id), transaction, units, owed, changed: false };
            self.0.entry((code(&row.sku)?, code(&row.location)?)).or_default().push(debt);
        }
        Ok(())
    }

    /// A transaction sold units without cover.
    pub fn owe(&mut self, place: &Place, transaction: Uuid, units: i64) {
        let debt = Debt { id: None, transaction, units, owed: units, changed: true };
        self.0.entry(place.clone()).or_default().push(debt);
    }

    /// Settles up to so many units, the oldest debt first; answers of which transactions.
    pub fn settle(&mut self, place: &Place, mut units: i64) -> Vec<(Uuid, i64)> {
        let mut settled = Vec::new();
        for debt in self.0.get_mut(place).into_iter().flatten() {
            let paid = debt.owed.min(units);
            if paid > 0 {
                debt.owed = debt.owed.saturating_sub(paid);
                debt.changed = true;
                units = units.saturating_sub(paid);
                settled.push((debt.transaction, paid));
            }
        }
        settled
    }

    /// Writes what changed: what is settled is gone, its movements tell of it.
    pub fn write(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let changed = || self.0.iter().flat_map(|(place, debts)| debts.iter().map(move |debt| (place, debt)));
        let old: Vec<(i64, i64)> =
            changed().filter(|(_, it)| it.changed).filter_map(|(_, it)| it.id.map(|id| (id, it.owed))).collect();
        let new: Vec<(&Place, &Debt)> = changed().filter(|(_, it)| it.id.is_none() && it.owed > 0).collect();
        if !old.is_empty() {
            diesel::sql_query(
                "WITH asked AS (SELECT * FROM unnest($1, $2) AS t (id, owed)), \
                 gone AS (DELETE FROM debts d USING asked a WHERE d.id = a.id AND a.owed = 0) \
                 UPDATE debts d SET owed = a.owed FROM asked a WHERE d.id = a.id AND a.owed > 0",
            )
            .bind::<Array<BigInt>, _>(old.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(old.iter().map(|(_, owed)| *owed).collect::<Vec<_>>())
            .execute(tx.conn())?;
        }
        if new.is_empty() {
            return Ok(());
        }
        let at = tx.now().utc();
        diesel::sql_query(
            "INSERT INTO debts (sku, location, transaction_id, units, owed, since) \
             SELECT sku, location, transaction_id, units, owed, $1 FROM unnest($2, $3, $4, $5, $6) WITH ORDINALITY \
             AS t (sku, location, transaction_id, units, owed, place) ORDER BY place",
        )
        .bind::<Timestamptz, _>(at)
        .bind::<Array<Text>, _>(new.iter().map(|((sku, _), _)| sku.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(new.iter().map(|((_, location), _)| location.as_str()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(new.iter().map(|(_, it)| it.transaction).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(new.iter().map(|(_, it)| it.units).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(new.iter().map(|(_, it)| it.owed).collect::<Vec<_>>())
        .execute(tx.conn())?;
        Ok(())
    }
}

/// A debt as it is shown.
#[derive(Clone, Debug, QueryableByName)]
pub struct Open {
    /// Its number: the older, the smaller.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Where it was sold.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// The till's transaction.
    #[diesel(sql_type = SqlUuid)]
    pub transaction_id: Uuid,
    /// Units that it sold without cover.
    #[diesel(sql_type = BigInt)]
    pub units: i64,
    /// Units of these still owed.
    #[diesel(sql_type = BigInt)]
    pub owed: i64,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
}

/// Which debts a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this SKU.
    pub sku: Option<String>,
    /// At this location.
    pub location: Option<String>,
    /// At these locations alone: the caller's scope.
    pub within: Option<Vec<String>>,
    /// After this one.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// Debts, the oldest first.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Open>, Error> {
    Ok(diesel::sql_query(
        "SELECT id, sku, location, transaction_id, units, owed, since FROM debts WHERE ($1 IS NULL OR sku = $1) \
         AND ($2 IS NULL OR location = $2) AND ($3 IS NULL OR location = ANY($3)) AND ($4 IS NULL OR id > $4) \
         ORDER BY id LIMIT $5",
    )
    .bind::<Nullable<Text>, _>(&filter.sku)
    .bind::<Nullable<Text>, _>(&filter.location)
    .bind::<Nullable<Array<Text>>, _>(&filter.within)
    .bind::<Nullable<BigInt>, _>(filter.after)
    .bind::<BigInt, _>(filter.limit)
    .load(tx.conn())?)
}

/// Has the order book asked at once for what is promised at these owing balances.
pub fn ask_at_once(tx: &mut Tx<'_>, places: &[(&str, &str)]) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    let at = tx.now().utc();
    diesel::sql_query(
        "INSERT INTO debt_asks (sku, location, ask_at) SELECT sku, location, $1 FROM unnest($2, $3) AS t (sku, location) \
         ON CONFLICT (sku, location) DO UPDATE SET ask_at = excluded.ask_at",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Array<Text>, _>(places.iter().map(|(sku, _)| *sku).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(places.iter().map(|(_, location)| *location).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Units of an owing balance that are promised to an order.
#[derive(Debug, QueryableByName)]
pub struct Promised {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The location.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Units owed there.
    #[diesel(sql_type = BigInt)]
    pub owed: i64,
    /// The order; none where units are promised to nobody that can be asked.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
    /// Units promised to it.
    #[diesel(sql_type = BigInt)]
    pub units: i64,
}

// Holds and transfers have no decisions: nobody can be asked for theirs, but an order may claim a hold later. What is
// settled, or promised to nobody any more, need not be asked for again.
const DUE: &str = "\
WITH due AS (
    SELECT sku, location FROM debt_asks WHERE ask_at <= $1 ORDER BY ask_at LIMIT $2
), owing AS (
    SELECT s.sku, s.location, s.owed FROM due JOIN stock s USING (sku, location) WHERE s.owed > 0 AND s.reserved > 0
), over AS (
    DELETE FROM debt_asks a USING due d WHERE a.sku = d.sku AND a.location = d.location
    AND NOT EXISTS (SELECT FROM owing o WHERE o.sku = d.sku AND o.location = d.location)
), later AS (
    UPDATE debt_asks a SET ask_at = $3 FROM owing o WHERE a.sku = o.sku AND a.location = o.location
)
SELECT o.sku, o.location, o.owed, p.owner AS order_id, coalesce(p.units, 0) AS units FROM owing o LEFT JOIN LATERAL (
    SELECT r.owner, sum(r.quantity)::bigint AS units FROM reserved_lines r WHERE r.sku = o.sku AND r.location = o.location
    AND EXISTS (SELECT FROM decisions d WHERE d.order_id = r.owner AND d.attempt = 1)
    GROUP BY r.owner ORDER BY r.owner DESC LIMIT $4
) p ON true ORDER BY o.sku, o.location, p.owner DESC";

/// Which balances are to be asked for, at most so many, and to which orders their units are promised: of each balance the
/// newest orders, at most so many. They are asked for again at `again`, if they still owe.
pub fn due(tx: &mut Tx<'_>, balances: i64, orders: i64, again: Timestamp) -> Result<Vec<Promised>, Error> {
    let now = tx.now().utc();
    Ok(diesel::sql_query(DUE)
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(balances)
        .bind::<Timestamptz, _>(again.utc())
        .bind::<BigInt, _>(orders)
        .load(tx.conn())?)
}
