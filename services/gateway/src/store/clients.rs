//! The table `clients`.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use kernel::Code;
use store::{Error, Tx};

use crate::domain::client::Client;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    secret_hash: String,
    #[diesel(sql_type = Array<Text>)]
    permissions: Vec<String>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    channels: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    locations: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    payees: Option<Vec<String>>,
}

const COLUMNS: &str = "client_id, name, secret_hash, permissions, channels, locations, payees";

/// A client with what is kept of its secret.
pub struct Stored {
    /// Who it is.
    pub client: Client,
    /// The hash of its secret.
    pub secret_hash: String,
}

fn scope(codes: Option<Vec<String>>) -> Result<Option<BTreeSet<Code>>, Error> {
    let parse = |code: String| code.parse().map_err(|_| Error::Broken("stored scopes hold codes"));
    codes.map(|codes| codes.into_iter().map(parse).collect()).transpose()
}

impl TryFrom<Row> for Stored {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let client = Client {
            client_id: row.client_id,
            name: row.name,
            permissions: row.permissions.into_iter().collect(),
            channels: scope(row.channels)?,
            locations: scope(row.locations)?,
            payees: scope(row.payees)?,
        };
        Ok(Self { client, secret_hash: row.secret_hash })
    }
}

fn texts(scope: Option<&BTreeSet<Code>>) -> Option<Vec<&str>> {
    scope.map(|codes| codes.iter().map(Code::as_str).collect())
}

/// Writes a client; one with the same id is replaced.
pub fn upsert(tx: &mut Tx<'_>, client: &Client, secret_hash: &str) -> Result<(), Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "INSERT INTO clients (client_id, name, secret_hash, permissions, channels, locations, payees, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (client_id) DO UPDATE SET name = excluded.name, \
           secret_hash = excluded.secret_hash, permissions = excluded.permissions, channels = excluded.channels, \
           locations = excluded.locations, payees = excluded.payees",
    )
    .bind::<Text, _>(&client.client_id)
    .bind::<Text, _>(&client.name)
    .bind::<Text, _>(secret_hash)
    .bind::<Array<Text>, _>(client.permissions.iter().map(String::as_str).collect::<Vec<_>>())
    .bind::<Nullable<Array<Text>>, _>(texts(client.channels.as_ref()))
    .bind::<Nullable<Array<Text>>, _>(texts(client.locations.as_ref()))
    .bind::<Nullable<Array<Text>>, _>(texts(client.payees.as_ref()))
    .bind::<Timestamptz, _>(now)
    .execute(tx.conn())?;
    Ok(())
}

/// The client with this id.
pub fn find(tx: &mut Tx<'_>, client_id: &str) -> Result<Option<Stored>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("SELECT {COLUMNS} FROM clients WHERE client_id = $1"))
        .bind::<Text, _>(client_id)
        .get_result(tx.conn())
        .optional()?;
    row.map(Stored::try_from).transpose()
}

/// Clients in the order of their ids.
pub fn list(tx: &mut Tx<'_>, after: Option<&str>, limit: i64) -> Result<Vec<Stored>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT {COLUMNS} FROM clients WHERE $1 IS NULL OR client_id > $1 ORDER BY client_id LIMIT $2"
    ))
    .bind::<Nullable<Text>, _>(after)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Removes a client; says whether there was one.
pub fn remove(tx: &mut Tx<'_>, client_id: &str) -> Result<bool, Error> {
    let removed =
        diesel::sql_query("DELETE FROM clients WHERE client_id = $1").bind::<Text, _>(client_id).execute(tx.conn())?;
    Ok(removed > 0)
}
