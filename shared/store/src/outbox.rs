//! The outbox: events that commit with the state they tell of, and what the relay needs to send them.
//!
//! One row carries all events of one kind and partition that a transaction told, as the JSON array that one message will
//! carry. Nothing is sent from here.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use contracts::{Cause, Event, Payload};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz};
use kernel::id::uuid_at;
use serde_json::value::to_raw_value;

use crate::{Error, Tx, statement};

/// The most events one row, and so one message, carries.
const MAX_EVENTS_PER_ROW: i32 = 500;
/// The most bytes after which a row takes no further event: well under the broker's own limits.
const MAX_BYTES_PER_ROW: usize = 256 * 1024;

/// An event that waits in its transaction.
pub(crate) struct Told {
    kind: &'static str,
    partition: i16,
    subject: String,
    json: String,
}

/// Tells an event: it will be sent if, and only if, the transaction commits.
pub fn append<P: Payload>(tx: &mut Tx<'_>, payload: &P, cause: &Cause) -> Result<(), Error> {
    let subject = payload.subject();
    let partition = partition_of(&subject, tx.partitions);
    let event = Event {
        specversion: contracts::envelope::SpecVersion::V1,
        id: uuid_at(tx.now()),
        source: format!("onepool/{}", tx.service),
        kind: P::KIND.to_owned(),
        version: P::VERSION,
        subject: subject.clone(),
        time: tx.now(),
        traceparent: cause.traceparent.clone(),
        causationid: cause.event,
        data: to_raw_value(payload)?,
    };
    let json = serde_json::to_string(&event)?;
    tx.told.push(Told { kind: P::KIND, partition, subject, json });
    Ok(())
}

/// The partition of a subject: the same for all its events, so that they stay in order.
fn partition_of(subject: &str, partitions: u16) -> i16 {
    // DefaultHasher::new() has fixed keys, so every process and every version of a row agrees.
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let partition = hasher.finish().checked_rem(u64::from(partitions)).unwrap_or(0);
    i16::try_from(partition).unwrap_or(0)
}

/// Writes what the transaction told, in one statement; says whether there was anything.
pub(crate) fn flush(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let mut rows = Rows::default();
    for told in std::mem::take(&mut tx.told) {
        rows.add(told)?;
    }
    if rows.kinds.is_empty() {
        return Ok(false);
    }
    for body in &mut rows.bodies {
        body.push(']');
    }
    let now = tx.now().utc();
    statement(
        "INSERT INTO outbox (kind, partition, events, body, told_at) \
         SELECT kind, partition, events, body, $1 FROM unnest($2, $3, $4, $5) AS told (kind, partition, events, body)",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(&rows.kinds)
    .bind::<Array<SmallInt>, _>(&rows.partitions)
    .bind::<Array<Integer>, _>(&rows.events)
    .bind::<Array<Text>, _>(&rows.bodies)
    .execute(tx.conn())?;
    Ok(true)
}

/// Outbox rows in the making, column by column.
#[derive(Default)]
struct Rows {
    kinds: Vec<&'static str>,
    partitions: Vec<i16>,
    events: Vec<i32>,
    bodies: Vec<String>,
    /// The newest row of a kind and partition.
    open: HashMap<(&'static str, i16), usize>,
    /// The row with a subject's newest event: its next one must not go into an earlier row.
    newest: HashMap<String, usize>,
}

impl Rows {
    fn add(&mut self, told: Told) -> Result<(), Error> {
        let earliest = self.newest.get(&told.subject).copied().unwrap_or(0);
        let open = self.open.get(&(told.kind, told.partition)).copied().filter(|index| *index >= earliest);
        let row = match open {
            Some(index) if self.join(index, &told.json)? => index,
            _ => self.start(&told),
        };
        self.newest.insert(told.subject, row);
        Ok(())
    }

    /// Adds an event to a row, if it has room.
    fn join(&mut self, index: usize, json: &str) -> Result<bool, Error> {
        let (Some(body), Some(events)) = (self.bodies.get_mut(index), self.events.get_mut(index)) else {
            return Ok(false);
        };
        if body.len() >= MAX_BYTES_PER_ROW || *events >= MAX_EVENTS_PER_ROW {
            return Ok(false);
        }
        body.push(',');
        body.push_str(json);
        *events = events.checked_add(1).ok_or(Error::Broken("an outbox row holds at most 500 events"))?;
        Ok(true)
    }

    fn start(&mut self, told: &Told) -> usize {
        let index = self.kinds.len();
        self.kinds.push(told.kind);
        self.partitions.push(told.partition);
        self.events.push(1);
        self.bodies.push(format!("[{}", told.json));
        self.open.insert((told.kind, told.partition), index);
        index
    }
}

/// A row that waits to be sent: one message.
#[derive(Clone, Debug, QueryableByName)]
pub struct Unsent {
    /// Grows with every telling; later rows of one subject have greater ids.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The events' kind.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The subjects' partition.
    #[diesel(sql_type = SmallInt)]
    pub partition: i16,
    /// How many events the body holds.
    #[diesel(sql_type = Integer)]
    pub events: i32,
    /// A JSON array of CloudEvents.
    #[diesel(sql_type = Text)]
    pub body: String,
}

/// The first rows that are neither sent nor among `in_flight`, in order. It asks for what is there, never for what is
/// beyond an id: transactions commit out of order.
pub fn unsent(tx: &mut Tx<'_>, limit: i64, in_flight: &[i64]) -> Result<Vec<Unsent>, Error> {
    Ok(statement("SELECT id, kind, partition, events, body FROM outbox WHERE NOT id = ANY ($1) ORDER BY id LIMIT $2")
        .bind::<Array<BigInt>, _>(in_flight)
        .bind::<BigInt, _>(limit)
        .load(tx.conn())?)
}

/// Removes rows whose messages the broker has confirmed.
pub fn confirmed(tx: &mut Tx<'_>, ids: &[i64]) -> Result<(), Error> {
    // A removal that is lost in a crash only sends the row again, and consumers take an event once.
    diesel::sql_query("SET LOCAL synchronous_commit = off").execute(tx.conn())?;
    diesel::sql_query("DELETE FROM outbox WHERE id = ANY ($1)").bind::<Array<BigInt>, _>(ids).execute(tx.conn())?;
    Ok(())
}

/// What waits in the outbox.
#[derive(Clone, Debug, QueryableByName)]
pub struct Backlog {
    /// Rows.
    #[diesel(sql_type = BigInt)]
    pub rows: i64,
    /// Events in them.
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    /// When the oldest was told.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest: Option<chrono::DateTime<chrono::Utc>>,
}

/// Counts what waits in the outbox.
pub fn backlog(tx: &mut Tx<'_>) -> Result<Backlog, Error> {
    Ok(diesel::sql_query(
        "SELECT count(*) AS rows, coalesce(sum(events), 0)::bigint AS events, min(told_at) AS oldest FROM outbox",
    )
    .get_result(tx.conn())?)
}
