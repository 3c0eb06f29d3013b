//! Dead letters: events that a subscription could not take, tried again later or parked for a person.
//!
//! A row with a next attempt is taken up by the bus when that is due; one without is parked. There is at most one row
//! per subscription and event, and it goes when the event has had its effect.

use std::collections::HashSet;

use contracts::Event;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use kernel::page::PageError;
use kernel::{Page, PageRequest, Timestamp};
use uuid::Uuid;

use crate::{Error, Tx};

/// An event as far as it could be read, and why it was not taken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The event's id; for what is no event, an id made from its text.
    pub event: Uuid,
    /// The event's kind.
    pub kind: String,
    /// The event's subject; empty for what is no event.
    pub subject: String,
    /// The event's JSON, or the text that is none.
    pub text: String,
    /// Why it was not taken.
    pub reason: String,
}

impl Failure {
    /// A failure of an event.
    pub fn of(event: &Event, reason: impl Into<String>) -> Result<Self, Error> {
        Ok(Self {
            event: event.id,
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            text: serde_json::to_string(event)?,
            reason: reason.into(),
        })
    }
}

/// A dead letter.
#[derive(Clone, Debug, QueryableByName)]
pub struct DeadLetter {
    /// Grows with every first failure.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The subscription that could not take the event.
    #[diesel(sql_type = Text)]
    pub subscription: String,
    /// The event's id.
    #[diesel(sql_type = SqlUuid)]
    pub event_id: Uuid,
    /// The event's kind.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The event's subject.
    #[diesel(sql_type = Text)]
    pub subject: String,
    /// The event's JSON.
    #[diesel(sql_type = Text)]
    pub event: String,
    /// Why it was not taken the last time.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// How often it was tried.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// When it was first tried.
    #[diesel(sql_type = Timestamptz)]
    pub first_failed_at: chrono::DateTime<chrono::Utc>,
    /// When it was last tried.
    #[diesel(sql_type = Timestamptz)]
    pub last_failed_at: chrono::DateTime<chrono::Utc>,
    /// When it is tried again; none when it is parked.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub next_attempt_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Keeps an event that failed for the first time: to be tried again at `next`, or parked. An event that is here
/// already, because it was delivered again, keeps its row and its schedule.
pub fn record(tx: &mut Tx<'_>, subscription: &str, failure: &Failure, next: Option<Timestamp>) -> Result<(), Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "INSERT INTO dead_letters (subscription, event_id, kind, subject, event, reason, attempts, first_failed_at, \
         last_failed_at, next_attempt_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(subscription)
    .bind::<SqlUuid, _>(failure.event)
    .bind::<Text, _>(storable(&failure.kind))
    .bind::<Text, _>(storable(&failure.subject))
    .bind::<Text, _>(storable(&failure.text))
    .bind::<Text, _>(storable(&failure.reason))
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Timestamptz>, _>(next.map(Timestamp::utc))
    .execute(tx.conn())?;
    Ok(())
}

/// PostgreSQL's text holds every character but NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The rows of these subscriptions that are due, oldest first. Nothing is locked: see [`claim`].
pub fn due(tx: &mut Tx<'_>, subscriptions: &[&str], limit: i64) -> Result<Vec<DeadLetter>, Error> {
    let now = tx.now().utc();
    Ok(diesel::sql_query(
        "SELECT * FROM dead_letters WHERE next_attempt_at <= $1 AND subscription = ANY ($2) ORDER BY id LIMIT $3",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Array<Text>, _>(subscriptions)
    .bind::<BigInt, _>(limit)
    .load(tx.conn())?)
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
}

/// Locks those of the events' rows that are still due and in nobody else's hands, and answers which they are.
pub fn claim(tx: &mut Tx<'_>, subscription: &str, events: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    let now = tx.now().utc();
    let rows: Vec<Claimed> = diesel::sql_query(
        "SELECT event_id FROM dead_letters WHERE subscription = $1 AND event_id = ANY ($2) AND next_attempt_at <= $3 \
         ORDER BY id FOR UPDATE SKIP LOCKED",
    )
    .bind::<Text, _>(subscription)
    .bind::<Array<SqlUuid>, _>(events)
    .bind::<Timestamptz, _>(now)
    .load(tx.conn())?;
    Ok(rows.into_iter().map(|row| row.event_id).collect())
}

/// Removes the rows of events that have had their effect.
pub fn remove(tx: &mut Tx<'_>, subscription: &str, events: &[Uuid]) -> Result<(), Error> {
    diesel::sql_query("DELETE FROM dead_letters WHERE subscription = $1 AND event_id = ANY ($2)")
        .bind::<Text, _>(subscription)
        .bind::<Array<SqlUuid>, _>(events)
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that an event failed again: to be tried again at `next`, or parked.
pub fn postpone(tx: &mut Tx<'_>, subscription: &str, failure: &Failure, next: Option<Timestamp>) -> Result<(), Error> {
    let now = tx.now().utc();
    diesel::sql_query(
        "UPDATE dead_letters SET attempts = attempts + 1, reason = $3, last_failed_at = $4, next_attempt_at = $5 \
         WHERE subscription = $1 AND event_id = $2",
    )
    .bind::<Text, _>(subscription)
    .bind::<SqlUuid, _>(failure.event)
    .bind::<Text, _>(storable(&failure.reason))
    .bind::<Timestamptz, _>(now)
    .bind::<Nullable<Timestamptz>, _>(next.map(Timestamp::utc))
    .execute(tx.conn())?;
    Ok(())
}

/// Why a list of dead letters cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The page is not one of this list.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A page of dead letters, newest first: all of them, or only those that are parked.
pub fn list(tx: &mut Tx<'_>, parked_only: bool, page: &PageRequest) -> Result<Page<DeadLetter>, ListError> {
    let limit = page.limit()?;
    let before: Option<i64> = page.after()?;
    let rows: Vec<DeadLetter> = diesel::sql_query(
        "SELECT * FROM dead_letters WHERE ($1 IS NULL OR id < $1) AND (NOT $2 OR next_attempt_at IS NULL) \
         ORDER BY id DESC LIMIT $3",
    )
    .bind::<Nullable<BigInt>, _>(before)
    .bind::<Bool, _>(parked_only)
    .bind::<BigInt, _>(limit.saturating_add(1))
    .load(tx.conn())
    .map_err(Error::from)?;
    Ok(Page::from_rows(rows, limit, |row| row.id))
}

/// Makes a dead letter due now; false when it is not there.
pub fn replay(tx: &mut Tx<'_>, id: i64) -> Result<bool, Error> {
    let now = tx.now().utc();
    let changed = diesel::sql_query("UPDATE dead_letters SET next_attempt_at = $2 WHERE id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Timestamptz, _>(now)
        .execute(tx.conn())?;
    Ok(changed > 0)
}

/// Gives a dead letter up for good; answers what it was, for the record of who did it.
pub fn discard(tx: &mut Tx<'_>, id: i64) -> Result<Option<DeadLetter>, Error> {
    Ok(diesel::sql_query("DELETE FROM dead_letters WHERE id = $1 RETURNING *")
        .bind::<BigInt, _>(id)
        .get_result(tx.conn())
        .optional()?)
}

/// How many dead letters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Count {
    /// To be tried again.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Parked for a person.
    #[diesel(sql_type = BigInt)]
    pub parked: i64,
}

/// Counts dead letters.
pub fn count(tx: &mut Tx<'_>) -> Result<Count, Error> {
    Ok(diesel::sql_query(
        "SELECT count(next_attempt_at) AS waiting, count(*) - count(next_attempt_at) AS parked FROM dead_letters",
    )
    .get_result(tx.conn())?)
}
