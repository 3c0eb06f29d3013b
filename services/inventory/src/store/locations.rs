//! Locations.

use std::collections::BTreeSet;

use contracts::events::LocationKind;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use kernel::GeoPoint;
use store::{Error, Tx, statement};

use super::code;
use crate::domain::{Capability, Location, LocationStatus, Site};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    owner: Option<String>,
    #[diesel(sql_type = Integer)]
    latitude_microdegrees: i32,
    #[diesel(sql_type = Integer)]
    longitude_microdegrees: i32,
    #[diesel(sql_type = Bool)]
    ships: bool,
    #[diesel(sql_type = Bool)]
    hands_over: bool,
    #[diesel(sql_type = Bool)]
    takes_returns: bool,
    #[diesel(sql_type = Bool)]
    takes_in: bool,
    #[diesel(sql_type = Integer)]
    priority: i32,
    #[diesel(sql_type = Bool)]
    active: bool,
    #[diesel(sql_type = Text)]
    details: String,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

const fn kind_text(kind: LocationKind) -> &'static str {
    match kind {
        LocationKind::Warehouse => "warehouse",
        LocationKind::Store => "store",
        LocationKind::Dealer => "dealer",
    }
}

impl Row {
    fn location(self) -> Result<(Location, i64), Error> {
        let able = [
            (self.ships, Capability::Ship),
            (self.hands_over, Capability::Pickup),
            (self.takes_returns, Capability::Return),
            (self.takes_in, Capability::ShipToStore),
        ];
        let location = Location {
            code: code(&self.code)?,
            name: self.name,
            kind: match self.kind.as_str() {
                "warehouse" => LocationKind::Warehouse,
                "store" => LocationKind::Store,
                _ => LocationKind::Dealer,
            },
            owner: self.owner,
            point: GeoPoint::from_microdegrees(self.latitude_microdegrees, self.longitude_microdegrees),
            capabilities: able.into_iter().filter(|(able, _)| *able).map(|(_, capability)| capability).collect(),
            priority: self.priority,
            status: if self.active { LocationStatus::Active } else { LocationStatus::Inactive },
            details: serde_json::from_str(&self.details)?,
        };
        Ok((location, self.version))
    }
}

/// Creates or replaces locations, each of which stands once, and answers `(code, version)` of those that changed.
pub fn put(tx: &mut Tx<'_>, locations: &[Location]) -> Result<Vec<(String, i64)>, Error> {
    #[derive(QueryableByName)]
    struct Put {
        #[diesel(sql_type = Text)]
        code: String,
        #[diesel(sql_type = BigInt)]
        version: i64,
    }
    let able = |capability: Capability| -> Vec<bool> {
        locations.iter().map(|it| it.capabilities.contains(&capability)).collect()
    };
    let details = locations.iter().map(|it| serde_json::to_string(&it.details)).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<Put> = diesel::sql_query(
        "INSERT INTO locations AS l (code, name, kind, owner, latitude_microdegrees, longitude_microdegrees, ships, \
         hands_over, takes_returns, takes_in, priority, active, details, version) \
         SELECT t.*, 1 FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS t \
         ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, owner = excluded.owner, \
         latitude_microdegrees = excluded.latitude_microdegrees, \
         longitude_microdegrees = excluded.longitude_microdegrees, ships = excluded.ships, \
         hands_over = excluded.hands_over, takes_returns = excluded.takes_returns, takes_in = excluded.takes_in, priority = excluded.priority, \
         active = excluded.active, details = excluded.details, version = l.version + 1 RETURNING code, version",
    )
    .bind::<Array<Text>, _>(locations.iter().map(|it| it.code.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(locations.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(locations.iter().map(|it| kind_text(it.kind)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(locations.iter().map(|it| it.owner.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(locations.iter().map(|it| it.point.microdegrees().0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(locations.iter().map(|it| it.point.microdegrees().1).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(able(Capability::Ship))
    .bind::<Array<Bool>, _>(able(Capability::Pickup))
    .bind::<Array<Bool>, _>(able(Capability::Return))
    .bind::<Array<Bool>, _>(able(Capability::ShipToStore))
    .bind::<Array<Integer>, _>(locations.iter().map(|it| it.priority).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(locations.iter().map(|it| it.status == LocationStatus::Active).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(details)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.code, row.version)).collect())
}

/// A location and its version.
pub fn get(tx: &mut Tx<'_>, code: &str) -> Result<Option<(Location, i64)>, Error> {
    let row: Option<Row> = diesel::sql_query("SELECT * FROM locations WHERE code = $1")
        .bind::<Text, _>(code)
        .get_result(tx.conn())
        .optional()?;
    row.map(Row::location).transpose()
}

/// Those of these locations that exist.
pub fn of_codes(tx: &mut Tx<'_>, codes: &[&str]) -> Result<Vec<(Location, i64)>, Error> {
    let rows: Vec<Row> = diesel::sql_query("SELECT * FROM locations WHERE code = ANY($1)")
        .bind::<Array<Text>, _>(codes)
        .load(tx.conn())?;
    rows.into_iter().map(Row::location).collect()
}

/// Locations by code, with their versions: of a kind, within the caller's scope, after a code, at most so many.
pub fn list(
    tx: &mut Tx<'_>,
    kind: Option<LocationKind>,
    within: Option<&[String]>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<(Location, i64)>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT * FROM locations WHERE ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR code = ANY($2)) \
         AND ($3 IS NULL OR code > $3) ORDER BY code LIMIT $4",
    )
    .bind::<Nullable<Text>, _>(kind.map(kind_text))
    .bind::<Nullable<Array<Text>>, _>(within)
    .bind::<Nullable<Text>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    rows.into_iter().map(Row::location).collect()
}

/// Every location as sourcing sees it.
pub fn sites(tx: &mut Tx<'_>) -> Result<Vec<Site>, Error> {
    let rows: Vec<Row> = diesel::sql_query("SELECT * FROM locations").load(tx.conn())?;
    rows.into_iter().map(|row| row.location().map(|(location, _)| location.site())).collect()
}

/// Those of these codes that are locations.
pub fn known(tx: &mut Tx<'_>, codes: &BTreeSet<&str>) -> Result<BTreeSet<String>, Error> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = Text)]
        code: String,
    }
    let rows: Vec<Known> = statement("SELECT code FROM locations WHERE code = ANY($1)")
        .bind::<Array<Text>, _>(codes.iter().copied().collect::<Vec<_>>())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.code).collect())
}
