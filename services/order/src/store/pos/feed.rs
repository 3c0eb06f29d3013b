//! What tills are told: channels and SKUs in the order in which they changed last.
//!
//! A change takes its position under the lock of `pos_feed_head`, which its transaction holds until it commits. So whoever
//! sees a position sees every one before it, and a cursor misses nothing. A thing that changes moves to the end: a till that
//! reads a snapshot meanwhile meets it there.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use serde::{Deserialize, Serialize};
use store::{Error, Tx, statement};

/// A thing that tills are told of.
#[derive(Clone, Debug, QueryableByName)]
pub struct FeedRow {
    /// Where it stands.
    #[diesel(sql_type = BigInt)]
    pub feed_position: i64,
    /// `channel` or `sku`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Its code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// Its name; none where it was not told yet.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// Whether it is sold, or sells.
    #[diesel(sql_type = Bool)]
    pub active: bool,
    /// A channel's currency.
    #[diesel(sql_type = Nullable<Text>)]
    pub currency: Option<String>,
    /// A SKU's category.
    #[diesel(sql_type = Nullable<Text>)]
    pub category: Option<String>,
    /// A bundle's components, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub components: Option<String>,
}

/// Up to where a till has been told. Things that have never changed since positions are kept stand at 0, by kind and code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    position: i64,
    kind: String,
    code: String,
}

impl Told {
    /// Up to here.
    pub fn after(row: &FeedRow) -> Self {
        Self { position: row.feed_position, kind: row.kind.clone(), code: row.code.clone() }
    }

    /// After which position and code it goes on, for channels and for SKUs: channels come first.
    fn next(&self) -> ((i64, &str), (i64, &str)) {
        match self.kind.as_str() {
            "sku" => ((self.position.saturating_add(1), ""), (self.position, &self.code)),
            _ => ((self.position, &self.code), (self.position, "")),
        }
    }
}

/// The next `limit` things to tell, of these channels.
pub fn after(tx: &mut Tx<'_>, told: &Told, channels: Option<&[String]>, limit: i64) -> Result<Vec<FeedRow>, Error> {
    let (channel, sku) = told.next();
    Ok(statement(
        "SELECT * FROM (SELECT feed_position, 'channel' AS kind, channel AS code, name, active, currency, \
         NULL AS category, NULL AS components FROM known_channels WHERE (feed_position, channel) > ($1, $2) \
         AND ($3 IS NULL OR channel = ANY ($4)) ORDER BY feed_position, channel LIMIT $5) AS channels \
         UNION ALL SELECT * FROM (SELECT feed_position, 'sku' AS kind, sku AS code, name, active, NULL AS currency, \
         category, components FROM known_skus WHERE (feed_position, sku) > ($6, $7) \
         ORDER BY feed_position, sku LIMIT $8) AS skus \
         ORDER BY feed_position, kind, code LIMIT $9",
    )
    .bind::<BigInt, _>(channel.0)
    .bind::<Text, _>(channel.1)
    .bind::<Nullable<Array<Text>>, _>(channels)
    .bind::<Nullable<Array<Text>>, _>(channels)
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(sku.0)
    .bind::<Text, _>(sku.1)
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}
