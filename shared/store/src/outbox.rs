//! The outbox: events that commit with the state they tell of, and what the relay needs to send them.
//!
//! One row carries all events of one kind and partition that a transaction told, as the JSON array that one message will
//! carry. Nothing is sent from here.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use contracts::event_id::Place;
use contracts::{Cause, Event, Payload};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz};
use kernel::id::uuid_at;
use serde::Serializer;
use serde_json::value::{RawValue, to_raw_value};

use crate::{Error, Tx, statement};

/// The most events one row, and so one message, carries.
const MAX_EVENTS_PER_ROW: u16 = 500;
/// The most bytes after which a row takes no further event: well under the broker's own limits.
const MAX_BYTES_PER_ROW: usize = 256 * 1024;
/// What an event takes beside its payload, with a trace context and a cause: enough to make room for it at once.
const ENVELOPE_BYTES: usize = 420;

/// An event that waits in its transaction.
pub(crate) struct Told {
    kind: &'static str,
    version: u16,
    partition: i16,
    subject: String,
    cause: Cause,
    data: Box<RawValue>,
}

/// Tells an event: it will be sent if, and only if, the transaction commits.
pub fn append<P: Payload>(tx: &mut Tx<'_>, payload: &P, cause: &Cause) -> Result<(), Error> {
    let subject = payload.subject();
    let partition = partition_of(&subject, tx.partitions);
    let (cause, data) = (cause.clone(), to_raw_value(payload)?);
    tx.told.push(Told { kind: P::KIND, version: P::VERSION, partition, subject, cause, data });
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
    if tx.told.is_empty() {
        return Ok(false);
    }
    let mut rows = Rows::default();
    for told in std::mem::take(&mut tx.told) {
        rows.add(told);
    }
    let mut rows = rows.rows;
    let events: Vec<i32> = rows.iter().map(|row| i32::from(row.count())).collect();
    let bodies = rows.iter_mut().map(|row| row.take_body(tx)).collect::<Result<Vec<String>, Error>>()?;
    let now = tx.now().utc();
    statement(
        "INSERT INTO outbox (kind, partition, events, body, told_at) \
         SELECT kind, partition, events, body, $1 FROM unnest($2, $3, $4, $5) AS told (kind, partition, events, body)",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(rows.iter().map(|row| row.partition).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(events)
    .bind::<Array<Text>, _>(bodies)
    .execute(tx.conn())?;
    Ok(true)
}

/// Outbox rows in the making.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    /// The newest row of a kind and partition.
    open: HashMap<(&'static str, i16), usize>,
    /// The row with a subject's newest event: its next one must not go into an earlier row.
    newest: HashMap<String, usize>,
}

/// The events of one row.
struct Row {
    kind: &'static str,
    partition: i16,
    told: Vec<Told>,
    bytes: usize,
}

impl Rows {
    fn add(&mut self, told: Told) {
        let key = (told.kind, told.partition);
        let earliest = self.newest.get(&told.subject).copied().unwrap_or(0);
        let open = self.open.get(&key).copied().filter(|index| *index >= earliest);
        let open = open.filter(|index| self.rows.get(*index).is_some_and(Row::has_room));
        let index = open.unwrap_or(self.rows.len());
        if open.is_none() {
            self.rows.push(Row { kind: told.kind, partition: told.partition, told: Vec::new(), bytes: 0 });
            self.open.insert(key, index);
        }
        self.newest.insert(told.subject.clone(), index);
        if let Some(row) = self.rows.get_mut(index) {
            row.bytes = row.bytes.saturating_add(told.data.get().len()).saturating_add(ENVELOPE_BYTES);
            row.told.push(told);
        }
    }
}

impl Row {
    fn has_room(&self) -> bool {
        self.bytes < MAX_BYTES_PER_ROW && self.count() < MAX_EVENTS_PER_ROW
    }

    fn count(&self) -> u16 {
        u16::try_from(self.told.len()).unwrap_or(u16::MAX)
    }

    /// The events as one JSON array; their ids say that they were told together.
    fn take_body(&mut self, tx: &Tx<'_>) -> Result<String, Error> {
        let (base, count, source) = (uuid_at(tx.now()), self.count(), format!("onepool/{}", tx.service));
        let event = |(number, told): (u16, Told)| Event {
            specversion: contracts::envelope::SpecVersion::V1,
            id: Place::id(base, count, number),
            source: source.clone(),
            kind: told.kind.to_owned(),
            version: told.version,
            subject: told.subject,
            time: tx.now(),
            traceparent: told.cause.traceparent,
            causationid: told.cause.event,
            data: told.data,
        };
        let mut body = Vec::with_capacity(self.bytes);
        let mut json = serde_json::Serializer::new(&mut body);
        json.collect_seq((1..).zip(std::mem::take(&mut self.told)).map(event))?;
        String::from_utf8(body).map_err(|_| Error::Broken("JSON is UTF-8"))
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
