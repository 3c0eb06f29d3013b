//! The table `handover_lists`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::{FulfilmentId, OrderId};
use kernel::{LocationCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Tx};
use uuid::Uuid;

/// A parcel on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedParcel {
    /// The fulfilment order.
    pub fulfilment_id: FulfilmentId,
    /// Its order.
    pub order_id: OrderId,
    /// The order's number in its channel.
    pub channel_order_no: String,
    /// The carrier's number for the parcel.
    pub tracking_no: String,
}

/// What was handed to a carrier in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverList {
    /// Its id.
    pub id: Uuid,
    /// Where.
    pub location: LocationCode,
    /// To whom.
    pub carrier: String,
    /// What, by fulfilment order.
    pub parcels: Vec<HandedParcel>,
    /// When.
    pub handed_at: Timestamp,
    /// By whom.
    pub handed_by: String,
}

/// Keeps a list.
pub fn insert(tx: &mut Tx<'_>, list: &HandoverList) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO handover_lists (handover_id, location, carrier, parcels, handed_at, handed_by) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind::<SqlUuid, _>(list.id)
    .bind::<Text, _>(list.location.as_str())
    .bind::<Text, _>(&list.carrier)
    .bind::<Text, _>(serde_json::to_string(&list.parcels)?)
    .bind::<Timestamptz, _>(list.handed_at.utc())
    .bind::<Text, _>(&list.handed_by)
    .execute(tx.conn())?;
    Ok(())
}

/// A list.
pub fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<HandoverList>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        location: String,
        #[diesel(sql_type = Text)]
        carrier: String,
        #[diesel(sql_type = Text)]
        parcels: String,
        #[diesel(sql_type = Timestamptz)]
        handed_at: DateTime<Utc>,
        #[diesel(sql_type = Text)]
        handed_by: String,
    }
    let row: Option<Row> = diesel::sql_query("SELECT * FROM handover_lists WHERE handover_id = $1")
        .bind::<SqlUuid, _>(id)
        .get_result(tx.conn())
        .optional()?;
    let list = |row: Row| {
        Ok(HandoverList {
            id,
            location: super::code(&row.location)?,
            carrier: row.carrier,
            parcels: serde_json::from_str(&row.parcels)?,
            handed_at: row.handed_at.into(),
            handed_by: row.handed_by,
        })
    };
    row.map(list).transpose()
}

/// Up to `limit` fulfilment orders of a location that are packed, in parcels that all go with one carrier; the oldest first.
pub fn packed_for(tx: &mut Tx<'_>, location: &LocationCode, carrier: &str, limit: i64) -> Result<Vec<Uuid>, Error> {
    #[derive(QueryableByName)]
    struct Packed {
        #[diesel(sql_type = SqlUuid)]
        fulfilment_id: Uuid,
    }
    let rows: Vec<Packed> = diesel::sql_query(
        "SELECT fulfilment_id FROM fulfilments JOIN orders USING (order_id) WHERE location = $1 \
         AND fulfilments.status = 'packed' AND kind = 'ship' AND NOT held AND parcels <> '[]' AND NOT EXISTS (SELECT FROM jsonb_array_elements(parcels::jsonb) AS parcel \
         WHERE parcel ->> 'carrier' <> $2) ORDER BY fulfilment_id LIMIT $3",
    )
    .bind::<Text, _>(location.as_str())
    .bind::<Text, _>(carrier)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.fulfilment_id).collect())
}
