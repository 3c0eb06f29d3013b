//! The inbox: which events a subscription has taken, marked in the same transaction as their effect.

use std::collections::{BTreeMap, HashSet};

use contracts::event_id::Place;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Timestamptz, Uuid as SqlUuid};
use kernel::Timestamp;
use uuid::Uuid;

use crate::{Error, Rows, Tx, statement};

#[derive(QueryableByName)]
struct Marked {
    #[diesel(sql_type = SqlUuid)]
    mark: Uuid,
}

/// Events by the batch they were told in.
struct Batches(BTreeMap<Uuid, Vec<Uuid>>);

impl Batches {
    fn of(events: &[Uuid]) -> Self {
        let mut batches: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for event in events {
            batches.entry(Place::of(*event).batch).or_default().push(*event);
        }
        Self(batches)
    }

    /// Whether these are all events of the batch.
    fn is_whole(batch: Uuid, events: &[Uuid]) -> bool {
        usize::from(Place::of(batch).count) == events.len()
    }
}

/// Marks events, each of which occurs once, as taken and answers those that were not before. A batch that is taken as a
/// whole gets one mark; one that is taken in parts is marked so, and its events one by one.
pub fn take(tx: &mut Tx<'_>, subscription: &str, events: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    let batches = Batches::of(events);
    match tx.rows() {
        Rows::New => take_new(tx, subscription, &batches)?,
        Rows::MayBeThere => return take_what_is_left(tx, subscription, batches),
    }
    Ok(events.iter().copied().collect())
}

/// For events that nobody has taken; any mark that is there is a conflict.
fn take_new(tx: &mut Tx<'_>, subscription: &str, batches: &Batches) -> Result<(), Error> {
    let mut marks = Vec::with_capacity(batches.0.len());
    for (batch, events) in &batches.0 {
        let whole = Batches::is_whole(*batch, events);
        marks.push((*batch, !whole));
        if !whole {
            marks.extend(events.iter().map(|event| (*event, false)));
        }
    }
    marks.sort_unstable();
    mark(tx, subscription, &marks, "").map(drop)
}

fn take_what_is_left(tx: &mut Tx<'_>, subscription: &str, batches: Batches) -> Result<HashSet<Uuid>, Error> {
    let opened: Vec<(Uuid, bool)> = batches.0.keys().map(|batch| (*batch, true)).collect();
    mark(tx, subscription, &opened, "ON CONFLICT DO NOTHING")?;
    let whole = statement("SELECT mark FROM inbox WHERE subscription = $1 AND mark = ANY ($2) AND NOT in_parts")
        .bind::<Text, _>(subscription)
        .bind::<Array<SqlUuid>, _>(batches.0.keys().collect::<Vec<_>>())
        .load::<Marked>(tx.conn())?;
    let whole: HashSet<Uuid> = whole.into_iter().map(|row| row.mark).collect();
    let mut left: Vec<(Uuid, bool)> = batches
        .0
        .into_iter()
        .filter(|(batch, _)| !whole.contains(batch))
        .flat_map(|(_, events)| events)
        .map(|event| (event, false))
        .collect();
    left.sort_unstable();
    mark(tx, subscription, &left, "ON CONFLICT DO NOTHING")
}

/// Writes marks, in their order, so that two who write the same ones wait for each other; answers the new ones.
fn mark(
    tx: &mut Tx<'_>,
    subscription: &str,
    marks: &[(Uuid, bool)],
    on_conflict: &'static str,
) -> Result<HashSet<Uuid>, Error> {
    let now = tx.now().utc();
    let text = format!(
        "INSERT INTO inbox (subscription, taken_at, mark, in_parts) SELECT $1, $2, * FROM unnest($3, $4) {on_conflict} \
         RETURNING mark"
    );
    let rows: Vec<Marked> = statement(text)
        .bind::<Text, _>(subscription)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(marks.iter().map(|(mark, _)| *mark).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(marks.iter().map(|(_, in_parts)| *in_parts).collect::<Vec<_>>())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.mark).collect())
}

/// Forgets up to `limit` marks made before `before`; says how many. A broker redelivers for minutes, not for days.
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<usize, Error> {
    Ok(diesel::sql_query(
        "DELETE FROM inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM inbox WHERE taken_at < $1 LIMIT $2))",
    )
    .bind::<Timestamptz, _>(before.utc())
    .bind::<diesel::sql_types::BigInt, _>(limit)
    .execute(tx.conn())?)
}
