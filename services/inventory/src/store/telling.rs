//! What channels were told of their availability.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use kernel::SkuCode;
use store::{Error, Tx, statement};

/// What was told last of a SKU to a channel with a rule of its own, or to all others.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Told {
    /// The SKU.
    #[diesel(sql_type = Text)]
    pub sku: String,
    /// The channel; empty for all that have no rule of their own.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Units it may sell.
    #[diesel(sql_type = BigInt)]
    pub available: i64,
    /// The state they are of.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// What was told last of these SKUs.
pub fn told(tx: &mut Tx<'_>, skus: &[SkuCode]) -> Result<Vec<Told>, Error> {
    Ok(statement("SELECT sku, channel, available, version FROM told_availability WHERE sku = ANY($1)")
        .bind::<Array<Text>, _>(skus.iter().map(SkuCode::as_str).collect::<Vec<_>>())
        .load(tx.conn())?)
}

/// Notes what is told.
pub fn put(tx: &mut Tx<'_>, told: &[Told]) -> Result<(), Error> {
    if told.is_empty() {
        return Ok(());
    }
    statement(
        "INSERT INTO told_availability (sku, channel, available, version) SELECT * FROM unnest($1, $2, $3, $4) \
         ON CONFLICT (sku, channel) DO UPDATE SET available = excluded.available, version = excluded.version",
    )
    .bind::<Array<Text>, _>(told.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(told.iter().map(|it| it.channel.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(told.iter().map(|it| it.available).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(told.iter().map(|it| it.version).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// Forgets what was told to channels that no rule binds any more: `(sku, channel)`.
pub fn forget(tx: &mut Tx<'_>, gone: &[(String, String)]) -> Result<(), Error> {
    if gone.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "DELETE FROM told_availability t USING unnest($1, $2) AS g (sku, channel) \
         WHERE t.sku = g.sku AND t.channel = g.channel",
    )
    .bind::<Array<Text>, _>(gone.iter().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(gone.iter().map(|(_, channel)| channel.as_str()).collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}

/// The SKU after which all is told again, if that has not come to its end.
pub fn again_after(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Text>)]
        again_after: Option<String>,
    }
    let row: Row = diesel::sql_query("SELECT again_after FROM telling").get_result(tx.conn())?;
    Ok(row.again_after)
}

/// Notes the SKU after which all is told again; none when it has come to its end.
pub fn note_again(tx: &mut Tx<'_>, after: Option<&str>) -> Result<(), Error> {
    diesel::sql_query("UPDATE telling SET again_after = $1").bind::<Nullable<Text>, _>(after).execute(tx.conn())?;
    Ok(())
}

/// Lets all be told again.
pub fn tell_again(tx: &mut Tx<'_>) -> Result<(), Error> {
    note_again(tx, Some(""))
}

/// SKUs that ever had stock, after one, in order.
pub fn stocked_after(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        sku: String,
    }
    let rows: Vec<Row> = diesel::sql_query("SELECT sku FROM availability WHERE sku > $1 ORDER BY sku LIMIT $2")
        .bind::<Text, _>(after)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.sku).collect())
}
