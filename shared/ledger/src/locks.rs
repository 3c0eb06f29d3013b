//! Locks balances before they are judged, in the order owner, account, unit, as they are added to.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use store::Tx;

/// A balance under lock.
#[derive(QueryableByName)]
pub(crate) struct LockedBalance {
    #[diesel(sql_type = Text)]
    pub owner: String,
    #[diesel(sql_type = Text)]
    pub account: String,
    #[diesel(sql_type = Text)]
    pub unit: String,
    #[diesel(sql_type = BigInt)]
    pub balance: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub floor: Option<i64>,
}

/// Three columns of keys, as arrays to unnest.
#[derive(Default)]
pub(crate) struct KeyColumns<'a> {
    pub owners: Vec<&'a str>,
    pub accounts: Vec<&'a str>,
    pub units: Vec<&'a str>,
}

/// Locks the balances of these accounts until the transaction ends; one that was never used is left out.
pub(crate) fn lock_balances(tx: &mut Tx<'_>, keys: &KeyColumns<'_>) -> Result<Vec<LockedBalance>, store::Error> {
    let rows = diesel::sql_query(
        "select b.owner, b.account, b.unit, b.balance, b.floor
         from ledger_balances b
         join unnest($1, $2, $3) as k (owner, account, unit)
           on k.owner = b.owner and k.account = b.account and k.unit = b.unit
         order by b.owner, b.account, b.unit
         for update of b",
    )
    .bind::<Array<Text>, _>(&keys.owners)
    .bind::<Array<Text>, _>(&keys.accounts)
    .bind::<Array<Text>, _>(&keys.units)
    .load(tx.conn())?;
    Ok(rows)
}
