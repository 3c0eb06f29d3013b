//! The tables `known_…`: what order knows of other services' things, copied from their events.

use contracts::events::{ChannelChanged, ListingChanged, LocationChanged, SkuChanged, SkuStatus};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use store::{Error, Tx};

/// A channel as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct ChannelRow {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// The currency its orders are in.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// Whether it may place orders.
    #[diesel(sql_type = Bool)]
    pub active: bool,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// A SKU as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct SkuRow {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// Whether it is sold.
    #[diesel(sql_type = Bool)]
    pub active: bool,
    /// Its category.
    #[diesel(sql_type = Nullable<Text>)]
    pub category: Option<String>,
    /// A bundle's components, as JSON.
    #[diesel(sql_type = Nullable<Text>)]
    pub components: Option<String>,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// A location as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct LocationRow {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub location: String,
    /// Whether it takes part.
    #[diesel(sql_type = Bool)]
    pub active: bool,
    /// Whether it takes returns.
    #[diesel(sql_type = Bool)]
    pub takes_returns: bool,
    /// Grows with every change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// A listing as it is stored.
#[derive(Clone, Debug, QueryableByName)]
pub struct ListingRow {
    /// The channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Its own SKU.
    #[diesel(sql_type = Text)]
    pub channel_sku: String,
    /// Our SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
}

/// The channels of these codes.
pub fn channels(tx: &mut Tx<'_>, codes: &[String]) -> Result<Vec<ChannelRow>, Error> {
    Ok(diesel::sql_query("SELECT channel, currency, active, version FROM known_channels WHERE channel = ANY ($1)")
        .bind::<Array<Text>, _>(codes)
        .load(tx.conn())?)
}

/// The SKUs of these codes.
pub fn skus(tx: &mut Tx<'_>, codes: &[String]) -> Result<Vec<SkuRow>, Error> {
    Ok(diesel::sql_query("SELECT sku, active, category, components, version FROM known_skus WHERE sku = ANY ($1)")
        .bind::<Array<Text>, _>(codes)
        .load(tx.conn())?)
}

/// The locations of these codes.
pub fn locations(tx: &mut Tx<'_>, codes: &[String]) -> Result<Vec<LocationRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT location, active, takes_returns, version FROM known_locations WHERE location = ANY ($1)",
    )
    .bind::<Array<Text>, _>(codes)
    .load(tx.conn())?)
}

/// The standing listings of these channels and channel SKUs.
pub fn listings(tx: &mut Tx<'_>, keys: &[(String, String)]) -> Result<Vec<ListingRow>, Error> {
    Ok(diesel::sql_query(
        "SELECT l.channel, l.channel_sku, l.sku FROM known_listings l \
         JOIN unnest($1, $2) AS k (channel, channel_sku) ON l.channel = k.channel AND l.channel_sku = k.channel_sku \
         WHERE l.active",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|(channel, _)| channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|(_, sku)| sku.as_str()).collect::<Vec<_>>())
    .load(tx.conn())?)
}

/// How many positions of the feed for tills a change takes.
fn places<T>(changed: &[T]) -> i64 {
    i64::try_from(changed.len()).unwrap_or(i64::MAX)
}

/// Copies channels, each named once.
pub fn put_channels(tx: &mut Tx<'_>, changed: &[ChannelChanged]) -> Result<(), Error> {
    diesel::sql_query(
        "WITH head AS (UPDATE pos_feed_head SET position = position + $1 RETURNING position) \
         INSERT INTO known_channels (channel, currency, active, version, name, feed_position) \
         SELECT n.channel, n.currency, n.active, n.version, n.name, head.position - $1 + n.place \
         FROM head, unnest($2, $3, $4, $5, $6) WITH ORDINALITY AS n (channel, currency, active, version, name, place) \
         ON CONFLICT (channel) DO UPDATE SET currency = excluded.currency, active = excluded.active, \
         version = excluded.version, name = excluded.name, feed_position = excluded.feed_position \
         WHERE known_channels.version < excluded.version",
    )
    .bind::<BigInt, _>(places(changed))
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.currency.code()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(changed.iter().map(|it| it.active).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Copies SKUs, each named once.
pub fn put_skus(tx: &mut Tx<'_>, changed: &[SkuChanged]) -> Result<(), Error> {
    let mut components = Vec::with_capacity(changed.len());
    for sku in changed {
        components.push(super::to_json_list(&sku.bundle)?);
    }
    diesel::sql_query(
        "WITH head AS (UPDATE pos_feed_head SET position = position + $1 RETURNING position) \
         INSERT INTO known_skus (sku, active, category, components, version, name, feed_position) \
         SELECT n.sku, n.active, n.category, n.components, n.version, n.name, head.position - $1 + n.place \
         FROM head, unnest($2, $3, $4, $5, $6, $7) WITH ORDINALITY \
         AS n (sku, active, category, components, version, name, place) \
         ON CONFLICT (sku) DO UPDATE SET active = excluded.active, category = excluded.category, \
         components = excluded.components, version = excluded.version, name = excluded.name, \
         feed_position = excluded.feed_position WHERE known_skus.version < excluded.version",
    )
    .bind::<BigInt, _>(places(changed))
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(changed.iter().map(|it| it.status == SkuStatus::Active).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(changed.iter().map(|it| it.category.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(components)
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Copies locations, each named once.
pub fn put_locations(tx: &mut Tx<'_>, changed: &[LocationChanged]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO known_locations (location, active, version, takes_returns) SELECT * FROM unnest($1, $2, $3, $4) \
         ON CONFLICT (location) DO UPDATE SET active = excluded.active, takes_returns = excluded.takes_returns, \
         version = excluded.version \
         WHERE known_locations.version < excluded.version",
    )
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.location.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(changed.iter().map(|it| it.active).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(changed.iter().map(LocationChanged::may_take_returns).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Copies listings, each named once.
pub fn put_listings(tx: &mut Tx<'_>, changed: &[ListingChanged]) -> Result<(), Error> {
    diesel::sql_query(
        "INSERT INTO known_listings (channel, channel_sku, sku, active, version) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) \
         ON CONFLICT (channel, channel_sku) DO UPDATE SET sku = excluded.sku, active = excluded.active, \
         version = excluded.version WHERE known_listings.version < excluded.version",
    )
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.channel_sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(changed.iter().map(|it| !it.removed).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|it| it.version).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
