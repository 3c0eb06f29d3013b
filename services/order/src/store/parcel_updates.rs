//! The table `parcel_updates`: what carriers report of parcels. Rows are only added.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::FulfilmentId;
use store::{Error, Tx};

use crate::domain::tracking::{ParcelStatus, Update};

/// Adds reports of a fulfilment order's parcels, but those that are there.
pub fn add(tx: &mut Tx<'_>, fulfilment: FulfilmentId, updates: &[Update]) -> Result<(), Error> {
    if updates.is_empty() {
        return Ok(());
    }
    let now = tx.now().utc();
    diesel::sql_query(
        "INSERT INTO parcel_updates (fulfilment_id, tracking_no, at, status, remark, recorded_at) \
         SELECT $1, n.*, $2 FROM unnest($3, $4, $5, $6) AS n ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(fulfilment.uuid())
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(updates.iter().map(|it| it.tracking_no.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(updates.iter().map(|it| it.at.utc()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(updates.iter().map(|it| it.status.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(updates.iter().map(|it| it.text.as_deref()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// How many reports there are of a fulfilment order's parcels.
pub fn count(tx: &mut Tx<'_>, fulfilment: FulfilmentId) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted: Counted = diesel::sql_query("SELECT count(*) AS count FROM parcel_updates WHERE fulfilment_id = $1")
        .bind::<SqlUuid, _>(fulfilment.uuid())
        .get_result(tx.conn())?;
    Ok(counted.count)
}

/// The parcels of a fulfilment order that were reported to have reached the buyer.
pub fn delivered(tx: &mut Tx<'_>, fulfilment: FulfilmentId) -> Result<HashSet<String>, Error> {
    #[derive(QueryableByName)]
    struct Delivered {
        #[diesel(sql_type = Text)]
        tracking_no: String,
    }
    let rows: Vec<Delivered> = diesel::sql_query(
        "SELECT DISTINCT tracking_no FROM parcel_updates WHERE fulfilment_id = $1 AND status = 'delivered'",
    )
    .bind::<SqlUuid, _>(fulfilment.uuid())
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.tracking_no).collect())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tracking_no: String,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Text>)]
    remark: Option<String>,
}

/// Every report of a fulfilment order's parcels, by when it happened.
pub fn of(tx: &mut Tx<'_>, fulfilment: FulfilmentId) -> Result<Vec<Update>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT tracking_no, at, status, remark FROM parcel_updates WHERE fulfilment_id = $1 \
         ORDER BY at, tracking_no, status",
    )
    .bind::<SqlUuid, _>(fulfilment.uuid())
    .load(tx.conn())?;
    let update = |row: Row| {
        let status = super::state(ParcelStatus::parse(&row.status))?;
        Ok(Update { tracking_no: row.tracking_no, at: row.at.into(), status, text: row.remark })
    };
    rows.into_iter().map(update).collect()
}
