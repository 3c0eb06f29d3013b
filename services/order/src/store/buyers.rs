//! The table `order_buyers`: who has ordered, and when; and what rules ask of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use store::{Error, Tx, statement};
use uuid::Uuid;

/// An identity of an order's buyer.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'a> {
    /// The digest of the identity.
    pub digest: &'a [u8],
    /// The order.
    pub order_id: Uuid,
    /// Its channel.
    pub channel: &'a str,
    /// When it came into the book.
    pub at: DateTime<Utc>,
}

/// Notes who has ordered.
pub fn insert(tx: &mut Tx<'_>, rows: &[Identified<'_>]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    statement("INSERT INTO order_buyers (digest, at, order_id) SELECT * FROM unnest($1, $2, $3)")
        .bind::<Array<Binary>, _>(rows.iter().map(|row| row.digest).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(rows.iter().map(|row| row.at).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.order_id).collect::<Vec<_>>())
        .execute(tx.conn())?;
    Ok(())
}

/// What is known of an identity when an order of it comes in.
#[derive(Clone, Debug, QueryableByName)]
pub struct Known {
    /// Whether the blacklist names it.
    #[diesel(sql_type = Bool)]
    pub blacklisted: bool,
    /// Whether it has ordered before.
    #[diesel(sql_type = Bool)]
    pub ordered: bool,
    /// Its orders before within so many seconds, by the windows that were asked for.
    #[diesel(sql_type = Array<BigInt>)]
    pub orders: Vec<i64>,
}

/// What is known of identities, in their order; orders are counted up to so many.
pub fn known(tx: &mut Tx<'_>, of: &[Identified<'_>], windows: &[i32], most: i64) -> Result<Vec<Known>, Error> {
    let now = tx.now().utc();
    Ok(diesel::sql_query(
        "SELECT EXISTS (SELECT FROM order_blacklist b WHERE b.digest = n.digest \
         AND (b.channel IS NULL OR b.channel = n.channel) AND (b.expires_at IS NULL OR b.expires_at > $1)) AS blacklisted, \
         EXISTS (SELECT FROM order_buyers o WHERE o.digest = n.digest) AS ordered, \
         ARRAY(SELECT (SELECT count(*) FROM (SELECT FROM order_buyers o WHERE o.digest = n.digest \
         AND o.at > n.at - make_interval(secs => w.seconds) LIMIT $2) AS counted) \
         FROM unnest($3) WITH ORDINALITY AS w (seconds, place) ORDER BY w.place) AS orders \
         FROM unnest($4, $5, $6) WITH ORDINALITY AS n (digest, channel, at, place) ORDER BY n.place",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<BigInt, _>(most)
    .bind::<Array<Integer>, _>(windows)
    .bind::<Array<Binary>, _>(of.iter().map(|it| it.digest).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of.iter().map(|it| it.channel).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(of.iter().map(|it| it.at).collect::<Vec<_>>())
    .load(tx.conn())?)
}
