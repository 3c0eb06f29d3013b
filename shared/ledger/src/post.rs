//! Posts a batch of transfers with a constant number of statements, however long the batch.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::id::uuid_at;
use store::{Rows, Tx, statement};
use uuid::Uuid;

use crate::account::{Account, Key};
use crate::evaluate::{Postings, Standing, Standings, evaluate};
use crate::locks::{KeyColumns, LockedBalance, lock_balances};
use crate::transfer::{Content, Posted, Refusal, Transfer};

/// Posts the transfers in the order given and says of each what became of it.
///
/// A reference that was posted before is reported as such and moves nothing; with other content it is refused. A
/// transfer that would take an account below its floor is refused alone: its neighbours are posted. The balances it
/// touches are locked in key order until the transaction ends, so that two batches cannot wait for each other; only over
/// the first use of an account they can, and the database ends one, which is tried again.
pub fn post(tx: &mut Tx<'_>, transfers: &[Transfer]) -> Result<Vec<Result<Posted, Refusal>>, store::Error> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let expects_new = tx.rows() == Rows::New;
    let mut standings = opening(transfers);
    // Where no account with a floor is debited, no balance can refuse anything: adding to them locks them soon enough.
    if !expects_new || transfers.iter().any(|transfer| transfer.debit.floor.is_some()) {
        read_locked(tx, &mut standings)?;
    }
    // The references are looked up under the locks, so that a posting that ended meanwhile is seen. Where none is expected,
    // or no account is there to be locked, the unique reference finds out.
    let stored = if expects_new { Vec::new() } else { stored_postings(tx, transfers)? };
    let mut postings: Postings<'_> = stored.iter().map(StoredPosting::by_reference).collect();
    let now = tx.now();
    // Ascending, so that entries in the order of their ids show the batch in the order it was given.
    let mut ids: Vec<Uuid> = transfers.iter().map(|_| uuid_at(now)).collect();
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let next_id = || ids.pop().unwrap_or_else(|| uuid_at(now));
    let verdicts = evaluate(transfers, next_id, &mut postings, &mut standings);
    if expects_new && verdicts.iter().any(Result::is_err) {
        // What the balance refuses now may have been posted before, which only the careful run can tell.
        return Err(store::Error::Conflict("a transfer that was expected to be new does not fit".to_owned()));
    }
    insert_transfers(tx, transfers, &verdicts)?;
    add_to_balances(tx, &standings)?;
    Ok(verdicts)
}

/// The accounts of the transfers as if none had been used before.
fn opening(transfers: &[Transfer]) -> Standings<'_> {
    let mut standings = Standings::new();
    let mut note = |key, account: &Account| {
        let standing: &mut Standing = standings.entry(key).or_default();
        standing.floor = standing.floor.max(account.floor);
    };
    for transfer in transfers {
        note(transfer.debit_key(), &transfer.debit);
        note(transfer.credit_key(), &transfer.credit);
    }
    standings
}

/// Locks the balances that exist and notes what they hold. One that another transaction opens meanwhile is added to
/// unseen: its floor is the table's to keep.
fn read_locked(tx: &mut Tx<'_>, standings: &mut Standings<'_>) -> Result<(), store::Error> {
    let keys = columns(standings.keys().copied());
    let locked = lock_balances(tx, &keys)?;
    let found: HashMap<Key<'_>, &LockedBalance> =
        locked.iter().map(|row| ((row.owner.as_str(), row.account.as_str(), row.unit.as_str()), row)).collect();
    for (key, standing) in standings {
        if let Some(row) = found.get(key) {
            *standing = Standing { balance: row.balance, floor: row.floor, stored: true, ..Standing::default() };
        }
    }
    Ok(())
}

fn columns<'a>(keys: impl Iterator<Item = Key<'a>>) -> KeyColumns<'a> {
    let mut columns = KeyColumns::default();
    for (owner, account, unit) in keys {
        columns.owners.push(owner);
        columns.accounts.push(account);
        columns.units.push(unit);
    }
    columns
}

#[derive(QueryableByName)]
struct StoredPosting {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Text)]
    reference: String,
    #[diesel(sql_type = SqlUuid)]
    transfer_id: Uuid,
    #[diesel(sql_type = Text)]
    debit_owner: String,
    #[diesel(sql_type = Text)]
    debit_account: String,
    #[diesel(sql_type = Text)]
    credit_owner: String,
    #[diesel(sql_type = Text)]
    credit_account: String,
    #[diesel(sql_type = Text)]
    unit: String,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Text)]
    reason: String,
}

impl StoredPosting {
    fn by_reference(&self) -> ((&str, &str), (Uuid, Content<'_>)) {
        let content = Content {
            debit: (&self.debit_owner, &self.debit_account, &self.unit),
            credit: (&self.credit_owner, &self.credit_account, &self.unit),
            amount: self.amount,
            reason: &self.reason,
        };
        ((&self.owner, &self.reference), (self.transfer_id, content))
    }
}

fn stored_postings(tx: &mut Tx<'_>, transfers: &[Transfer]) -> Result<Vec<StoredPosting>, store::Error> {
    let references: HashSet<(&str, &str)> =
        transfers.iter().map(|transfer| (transfer.owner.as_str(), transfer.reference.as_str())).collect();
    let (owners, references): (Vec<&str>, Vec<&str>) = references.into_iter().unzip();
    let rows = diesel::sql_query(
        "select t.owner, t.reference, t.transfer_id, t.debit_owner, t.debit_account, t.credit_owner, t.credit_account,
                t.unit, t.amount, t.reason
         from unnest($1, $2) as k (owner, reference)
         join ledger_transfers t on t.owner = k.owner and t.reference = k.reference",
    )
    .bind::<Array<Text>, _>(owners)
    .bind::<Array<Text>, _>(references)
    .load(tx.conn())?;
    Ok(rows)
}

fn insert_transfers(
    tx: &mut Tx<'_>,
    transfers: &[Transfer],
    verdicts: &[Result<Posted, Refusal>],
) -> Result<(), store::Error> {
    let fresh: Vec<(&Transfer, Uuid)> = transfers
        .iter()
        .zip(verdicts)
        .filter_map(|(transfer, verdict)| match verdict {
            Ok(Posted { transfer_id, before: false }) => Some((transfer, *transfer_id)),
            _ => None,
        })
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&Transfer) -> &str| fresh.iter().map(|(transfer, _)| of(transfer)).collect::<Vec<&str>>();
    let text = format!(
        "insert into ledger_transfers (owner, transfer_id, entry_id, reference, debit_owner, debit_account,
                                       credit_owner, credit_account, unit, amount, reason, memo, occurred_at, recorded_at)
         select t.*, $1 from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) as t {}",
        tx.on_conflict("on conflict do nothing")
    );
    let inserted = statement(text)
        .bind::<Timestamptz, _>(tx.now().utc())
        .bind::<Array<Text>, _>(texts(|t| &t.owner))
        .bind::<Array<SqlUuid>, _>(fresh.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(fresh.iter().map(|(transfer, _)| transfer.entry_id.uuid()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(texts(|t| &t.reference))
        .bind::<Array<Text>, _>(texts(|t| &t.debit.owner))
        .bind::<Array<Text>, _>(texts(|t| &t.debit.name))
        .bind::<Array<Text>, _>(texts(|t| &t.credit.owner))
        .bind::<Array<Text>, _>(texts(|t| &t.credit.name))
        .bind::<Array<Text>, _>(texts(|t| &t.unit))
        .bind::<Array<BigInt>, _>(fresh.iter().map(|(transfer, _)| transfer.amount).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(texts(|t| &t.reason))
        .bind::<Array<Jsonb>, _>(fresh.iter().map(|(transfer, _)| &transfer.memo).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(fresh.iter().map(|(transfer, _)| transfer.occurred_at.utc()).collect::<Vec<_>>())
        .execute(tx.conn())?;
    if inserted == fresh.len() {
        return Ok(());
    }
    // Another transaction posted one of these references over other accounts, or over the same ones for the first time:
    // there was no lock to share.
    let message = "a reference was posted by another transaction at the same time".to_owned();
    Err(store::Error::Conflict(message))
}

/// Adds what moved to the balances, in key order, and opens the accounts that are used for the first time.
fn add_to_balances(tx: &mut Tx<'_>, standings: &Standings<'_>) -> Result<(), store::Error> {
    let touched = || standings.iter().filter(|(_, standing)| standing.touched);
    let keys = columns(touched().map(|(key, _)| *key));
    if keys.owners.is_empty() {
        return Ok(());
    }
    // A row that is there keeps its floor, which the row proposed instead of it must not be held to.
    let floors = touched().map(|(_, standing)| if standing.stored { None } else { standing.floor });
    diesel::sql_query(
        "insert into ledger_balances as b (owner, account, unit, balance, floor, version)
         select k.*, 1 from unnest($1, $2, $3, $4, $5) as k
         on conflict (owner, account, unit) do update
         set balance = b.balance + excluded.balance, version = b.version + 1",
    )
    .bind::<Array<Text>, _>(&keys.owners)
    .bind::<Array<Text>, _>(&keys.accounts)
    .bind::<Array<Text>, _>(&keys.units)
    .bind::<Array<BigInt>, _>(touched().map(|(_, standing)| standing.delta).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(floors.collect::<Vec<_>>())
    .execute(tx.conn())?;
    Ok(())
}
