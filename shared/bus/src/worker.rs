//! Settling a batch: every event of it has its effect, or waits as a dead letter, or the batch is not settled at all.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use contracts::Event;
use store::dead_letters::{self, DeadLetter, Failure};
use store::{Rows, Store, Tx};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::batch::{apply, in_rounds};
use crate::delay::{Delay, Schedule, Stopped};
use crate::observe::Meters;
use crate::{ConsumeError, Subscription};

/// One subscription at work. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct Worker {
    pub store: Store,
    pub subscription: Subscription,
    pub schedule: Schedule,
    pub meters: Meters,
    pub token: CancellationToken,
}

/// Where a batch comes from.
#[derive(Clone)]
pub(crate) enum From {
    /// From the subscription's queue.
    Queue,
    /// From its dead letters; how often each was tried.
    DeadLetters(Arc<HashMap<Uuid, u32>>),
}

impl Worker {
    /// Settles a batch. A batch that fails is halved until only those events fail alone that are at fault; these become
    /// dead letters. While the database is not available nothing is settled: the batch waits.
    pub async fn settle(&self, events: Vec<Event>, from: From) -> Result<(), Stopped> {
        let events = Arc::new(in_rounds(events, self.subscription.events));
        if events.is_empty() {
            return Ok(());
        }
        let span = self.meters.span(&events);
        let took = std::time::Instant::now();
        self.settle_in_order(&events, &from).instrument(span).await?;
        self.meters.settled(&events, self.store.now(), took.elapsed());
        Ok(())
    }

    async fn settle_in_order(&self, events: &Arc<Vec<Event>>, from: &From) -> Result<(), Stopped> {
        let mut delay = Delay::new(self.token.clone());
        let mut rows = Rows::New;
        // The last range is the next one in order.
        let mut open: Vec<Range<usize>> = vec![Range { start: 0, end: events.len() }];
        while let Some(range) = open.pop() {
            let Err(error) = self.attempt(events, range.clone(), from, rows).await else {
                delay.reset();
                continue;
            };
            let middle = range.start.midpoint(range.end);
            let before = std::mem::replace(&mut rows, Rows::MayBeThere);
            match (error, range.len()) {
                (error, _) if before == Rows::New => {
                    tracing::debug!(%error, "a batch of events failed and is looked at more carefully");
                    open.push(range);
                }
                (ConsumeError::Store(error), _) if error.is_transient() => {
                    tracing::warn!(%error, "the database did not take a batch of events; it is tried again");
                    open.push(range);
                    delay.wait().await?;
                }
                (error, 2..) => {
                    tracing::debug!(%error, "a batch of events failed and is halved");
                    open.push(middle..range.end);
                    open.push(range.start..middle);
                }
                (error, _) => self.set_aside(events.get(range.start), error, from).await?,
            }
        }
        Ok(())
    }

    async fn attempt(
        &self,
        events: &Arc<Vec<Event>>,
        range: Range<usize>,
        from: &From,
        rows: Rows,
    ) -> Result<(), ConsumeError> {
        let (events, subscription, from) = (events.clone(), self.subscription.clone(), from.clone());
        self.store
            .transact_rows(self.subscription.name, rows, move |tx| {
                let events = events.get(range).unwrap_or_default();
                match from {
                    From::Queue => apply(tx, &subscription, events),
                    From::DeadLetters(_) => apply_again(tx, &subscription, events),
                }
            })
            .await
    }

    /// Makes a dead letter of an event that failed alone.
    async fn set_aside(&self, event: Option<&Event>, error: ConsumeError, from: &From) -> Result<(), Stopped> {
        let Some(event) = event else { return Ok(()) };
        let attempts = match from {
            From::Queue => 1,
            From::DeadLetters(attempts) => attempts.get(&event.id).map_or(1, |made| made.saturating_add(1)),
        };
        let wait = match &error {
            ConsumeError::Park(_) => None,
            // What the database refuses for good may still be mended by the next release, within the bounded tries.
            ConsumeError::Retry(_) | ConsumeError::Store(_) => {
                let chance = event.id.as_bytes().last().copied().unwrap_or(0);
                self.schedule.wait(attempts, chance)
            }
        };
        let parked = wait.is_none();
        if parked {
            tracing::error!(event.id = %event.id, event.kind = event.kind, %error, attempts, "an event is parked");
        } else {
            tracing::info!(event.id = %event.id, event.kind = event.kind, %error, attempts, "an event is tried again later");
        }
        let failure = match Failure::of(event, error.to_string()) {
            Ok(failure) => failure,
            Err(error) => return self.keep_trying(error).await,
        };
        self.keep(failure, wait, matches!(from, From::Queue)).await?;
        self.meters.set_aside(parked);
        Ok(())
    }

    /// An event that was parsed serialises again, so this only ever waits for the process to stop.
    async fn keep_trying(&self, error: store::Error) -> Result<(), Stopped> {
        tracing::error!(%error, "an event that was read cannot be written");
        self.token.cancelled().await;
        Err(Stopped)
    }

    /// Parks what is no event.
    pub async fn park(&self, broken: Vec<Failure>) -> Result<(), Stopped> {
        for failure in broken {
            tracing::error!(
                event.kind = failure.kind,
                reason = failure.reason,
                "a message that holds no event is parked"
            );
            self.keep(failure, None, true).await?;
            self.meters.set_aside(true);
        }
        Ok(())
    }

    /// Parks a dead letter that cannot be tried any more.
    pub async fn park_again(&self, letter: &DeadLetter, reason: String) -> Result<(), Stopped> {
        let (kind, subject, text) = (letter.kind.clone(), letter.subject.clone(), letter.event.clone());
        self.keep(Failure { event: letter.event_id, kind, subject, text, reason }, None, false).await?;
        self.meters.set_aside(true);
        Ok(())
    }

    /// Writes a dead letter, however long the database takes to come back.
    async fn keep(&self, failure: Failure, wait: Option<std::time::Duration>, first: bool) -> Result<(), Stopped> {
        let mut delay = Delay::new(self.token.clone());
        loop {
            let (failure, name) = (failure.clone(), self.subscription.name);
            let kept = self.store.transact("dead_letter", move |tx| {
                let next = wait.map(|wait| {
                    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
                    kernel::Timestamp::from_unix_micros(tx.now().unix_micros().saturating_add(micros))
                });
                if first {
                    dead_letters::record(tx, name, &failure, next)
                } else {
                    dead_letters::postpone(tx, name, &failure, next)
                }
            });
            let Err(error) = kept.await else { return Ok(()) };
            tracing::warn!(%error, "a dead letter could not be written; it is tried again");
            delay.wait().await?;
        }
    }
}

/// As from the queue, for those events whose dead letters are due and in nobody else's hands; these go with it.
fn apply_again(tx: &mut Tx<'_>, subscription: &Subscription, events: &[Event]) -> Result<(), ConsumeError> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let claimed = dead_letters::claim(tx, subscription.name, &ids)?;
    let events: Vec<Event> = events.iter().filter(|event| claimed.contains(&event.id)).cloned().collect();
    apply(tx, subscription, &events)?;
    let ids: Vec<Uuid> = claimed.into_iter().collect();
    Ok(dead_letters::remove(tx, subscription.name, &ids)?)
}
