//! The table `channels`.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use store::{Error, Tx};

use crate::domain::channel::{Channel, ChannelKind, ChannelStatus};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// A channel with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub channel: Channel,
    /// How often it was written.
    pub version: i64,
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let channel = Channel {
            channel: row.channel.parse().map_err(|_| Error::Broken("stored channel codes are codes"))?,
            name: row.name,
            kind: ChannelKind::parse(&row.kind).ok_or(Error::Broken("stored channel kinds are known"))?,
            currency: row.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?,
            status: if row.status == "active" { ChannelStatus::Active } else { ChannelStatus::Inactive },
        };
        Ok(Self { channel, version: row.version })
    }
}

/// Writes a channel and answers it when it is new or different now.
pub fn upsert(tx: &mut Tx<'_>, channel: &Channel) -> Result<Option<Stored>, Error> {
    let now = tx.now().utc();
    let status = if channel.status == ChannelStatus::Active { "active" } else { "inactive" };
    let row: Option<Row> = diesel::sql_query(
        "INSERT INTO channels AS c (channel, name, kind, currency, status, version, updated_at) \
         VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (channel) DO UPDATE SET name = excluded.name, \
           kind = excluded.kind, currency = excluded.currency, status = excluded.status, version = c.version + 1, \
           updated_at = excluded.updated_at \
         WHERE (c.name, c.kind, c.currency, c.status) IS DISTINCT FROM \
           (excluded.name, excluded.kind, excluded.currency, excluded.status) \
         RETURNING channel, name, kind, currency, status, version",
    )
    .bind::<Text, _>(channel.channel.as_str())
    .bind::<Text, _>(&channel.name)
    .bind::<Text, _>(channel.kind.as_str())
    .bind::<Text, _>(channel.currency.code())
    .bind::<Text, _>(status)
    .bind::<Timestamptz, _>(now)
    .get_result(tx.conn())
    .optional()?;
    row.map(Stored::try_from).transpose()
}

/// The channel with this code.
pub fn find(tx: &mut Tx<'_>, code: &str) -> Result<Option<Stored>, Error> {
    let row: Option<Row> =
        diesel::sql_query("SELECT channel, name, kind, currency, status, version FROM channels WHERE channel = $1")
            .bind::<Text, _>(code)
            .get_result(tx.conn())
            .optional()?;
    row.map(Stored::try_from).transpose()
}

/// Channels in the order of their codes.
pub fn list(tx: &mut Tx<'_>, after: Option<&str>, limit: i64) -> Result<Vec<Stored>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT channel, name, kind, currency, status, version FROM channels WHERE $1 IS NULL OR channel > $1 \
         ORDER BY channel LIMIT $2",
    )
    .bind::<Nullable<Text>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    rows.into_iter().map(Stored::try_from).collect()
}
