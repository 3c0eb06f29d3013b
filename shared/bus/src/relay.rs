//! The relay: one per service, it sends what lies in the outbox and deletes what the broker has confirmed.
//!
//! It publishes a row as soon as it is committed, many at a time, and deletes in batches. It never asks for rows "after"
//! an id, because transactions commit out of order; it asks for those it does not already have in flight. Rows are
//! published in the order of their ids. When the broker refuses one, nothing more is sent until all that is in flight is
//! settled, so that the order is lost for that moment only, and only among what was in flight.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use store::outbox::{self, Unsent};
use store::{Leadership, Store};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::delay::{Delay, Stopped};
use crate::observe::RelayMeters;
use crate::transport::{Error, Message, Publisher, Settled, Transport};

/// Rows read at once: one round trip serves many, and the first of them does not wait long for the last.
const READ_ROWS: usize = 256;
/// Messages in flight: the broker confirms in bulk, and beyond some thousands the client's bookkeeping costs more.
const MAX_IN_FLIGHT: usize = 2048;
/// Bytes in flight, because a message may be large.
const MAX_BYTES_IN_FLIGHT: usize = 64 << 20;
/// Confirmed rows that are deleted at once; fewer are deleted with the next look for new ones.
const DELETE_ROWS: usize = 128;
/// Between two checks that this process still leads, and between two counts of the backlog.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Between two tries to lead: a standby takes over within this after a leader's connection has ended.
const ELECT_EVERY: Duration = Duration::from_secs(1);

/// Sends a service's events.
#[derive(Clone)]
pub(crate) struct Relay {
    pub store: Store,
    pub transport: Arc<dyn Transport>,
    /// Between two looks when nothing in this process told anything: what another replica tells waits at most so long.
    pub poll: Duration,
    pub meters: RelayMeters,
    pub token: CancellationToken,
}

/// Why a link to the broker, or the leadership, is not used any further.
enum Ended {
    Stopped,
    NotLeading(store::Error),
    Broken(Error),
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Relay {
    /// Leads whenever no other process does, until the process is to stop.
    pub async fn run(self) {
        let mut delay = Delay::new(self.token.clone());
        while !self.token.is_cancelled() {
            self.meters.leads.set(0);
            let outcome = match self.store.lead("relay").await {
                Ok(Some(leadership)) => {
                    delay.reset();
                    self.lead(leadership).await
                }
                Ok(None) => self.stand_by().await,
                Err(error) => {
                    tracing::warn!(service = self.store.schema(), %error, "the relay could not be elected; it tries again");
                    delay.wait().await
                }
            };
            if outcome.is_err() {
                break;
            }
        }
        self.meters.leads.set(0);
    }

    async fn stand_by(&self) -> Result<(), Stopped> {
        tokio::select! {
            () = self.token.cancelled() => Err(Stopped),
            () = tokio::time::sleep(ELECT_EVERY) => Ok(()),
        }
    }

    async fn lead(&self, leadership: Leadership) -> Result<(), Stopped> {
        let service = self.store.schema();
        tracing::info!(service, "this process relays the service's events");
        self.meters.leads.set(1);
        let mut lead = Lead { relay: self, leadership: Some(leadership), check_at: Instant::now() };
        let mut delay = Delay::new(self.token.clone());
        loop {
            match lead.send(&mut delay).await {
                Ended::Stopped => return Err(Stopped),
                Ended::NotLeading(error) => {
                    tracing::warn!(service, %error, "the relay's leadership is lost; it is sought again");
                    return Ok(());
                }
                Ended::Broken(error) => {
                    tracing::warn!(service, %error, "sending events was interrupted; unconfirmed ones are sent again");
                    delay.wait().await?;
                }
            }
            lead.check().await.or_else(|ended| if matches!(ended, Ended::Stopped) { Err(Stopped) } else { Ok(()) })?;
            if lead.leadership.is_none() {
                return Ok(());
            }
        }
    }
}

/// The relay while it leads.
struct Lead<'r> {
    relay: &'r Relay,
    leadership: Option<Leadership>,
    check_at: Instant,
}

impl Lead<'_> {
    /// Sends over one link until that, or the leadership, or the process ends.
    async fn send(&mut self, delay: &mut Delay) -> Ended {
        let opened = tokio::select! {
            () = self.relay.token.cancelled() => return Ended::Stopped,
            opened = self.relay.transport.publisher(self.relay.store.schema()) => opened,
        };
        let mut sending = match opened {
            Ok(publisher) => Sending::new(self.relay, publisher),
            Err(error) => return Ended::Broken(error),
        };
        let ended = loop {
            if let Err(ended) = self.turn(&mut sending, delay).await {
                break ended;
            }
        };
        sending.tidy().await;
        ended
    }

    async fn turn(&mut self, sending: &mut Sending<'_>, delay: &mut Delay) -> Result<(), Ended> {
        if sending.refused && sending.flights.is_empty() {
            delay.wait().await?;
            sending.refused = false;
            sending.look = true;
        }
        if Instant::now() >= self.check_at {
            self.check().await?;
        }
        if sending.look && sending.has_room() {
            match sending.exchange().await {
                Ok(rows) => sending.publish(rows).await?,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read; it is tried again");
                    delay.wait().await?;
                    self.check().await?;
                }
            }
        }
        if sending.look && sending.has_room() {
            return Ok(());
        }
        if sending.wait().await? {
            delay.reset();
        }
        Ok(())
    }

    /// Makes sure that this process still leads, and counts what waits.
    async fn check(&mut self) -> Result<(), Ended> {
        self.check_at = Instant::now().checked_add(CHECK_EVERY).unwrap_or(self.check_at);
        let Some(leadership) = self.leadership.take() else {
            return Err(Ended::NotLeading(store::Error::Unavailable("leadership was lost before".to_owned())));
        };
        self.leadership = Some(self.relay.store.still_leads(leadership).await.map_err(Ended::NotLeading)?);
        let backlog = self.relay.store.read("outbox_backlog", outbox::backlog).await.map_err(Ended::NotLeading)?;
        let now = self.relay.store.now().unix_micros();
        let oldest = backlog.oldest.map_or(0, |told| now.saturating_sub(told.timestamp_micros()));
        self.relay.meters.backlog_events.set(u32::try_from(backlog.events).unwrap_or(u32::MAX));
        self.relay.meters.backlog_seconds.set(Duration::from_micros(u64::try_from(oldest).unwrap_or(0)));
        Ok(())
    }
}

/// A row in flight.
struct Flight {
    since: Instant,
    bytes: usize,
    events: u64,
}

/// What goes over one link.
struct Sending<'r> {
    relay: &'r Relay,
    publisher: Box<dyn Publisher>,
    flights: HashMap<i64, Flight>,
    bytes: usize,
    confirmed: Vec<i64>,
    /// There may be rows that were not read yet.
    look: bool,
    /// The broker refused a message; nothing more is sent until the others are settled.
    refused: bool,
    poll_at: Instant,
}

impl<'r> Sending<'r> {
    fn new(relay: &'r Relay, publisher: Box<dyn Publisher>) -> Self {
        Self {
            relay,
            publisher,
            flights: HashMap::new(),
            bytes: 0,
            confirmed: Vec::new(),
            look: true,
            refused: false,
            poll_at: Instant::now(),
        }
    }

    fn has_room(&self) -> bool {
        !self.refused && self.flights.len() < MAX_IN_FLIGHT && self.bytes < MAX_BYTES_IN_FLIGHT
    }

    /// Deletes what is confirmed, if it is enough to be worth it, and reads what is to be sent.
    async fn exchange(&mut self) -> Result<Vec<Unsent>, store::Error> {
        let room = MAX_IN_FLIGHT.saturating_sub(self.flights.len()).min(READ_ROWS);
        let limit = i64::try_from(room).unwrap_or(1);
        // Rows that are confirmed and not deleted yet are still there, and are not to be sent again.
        let mut known: Vec<i64> = self.flights.keys().copied().collect();
        let rows = if self.confirmed.len() >= DELETE_ROWS || Instant::now() >= self.poll_at {
            let confirmed = self.confirmed.clone();
            let exchange = self.relay.store.transact("relay_exchange", move |tx| {
                if !confirmed.is_empty() {
                    outbox::confirmed(tx, &confirmed)?;
                }
                outbox::unsent(tx, limit, &known)
            });
            let rows = exchange.await?;
            self.confirmed.clear();
            self.poll_at = Instant::now().checked_add(self.relay.poll).unwrap_or_else(Instant::now);
            rows
        } else {
            known.extend(&self.confirmed);
            self.relay.store.read("relay_read", move |tx| outbox::unsent(tx, limit, &known)).await?
        };
        self.look = rows.len() == room;
        Ok(rows)
    }

    async fn publish(&mut self, rows: Vec<Unsent>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let events: i64 = rows.iter().map(|row| i64::from(row.events)).sum();
        let service = self.relay.store.schema();
        let span = tracing::info_span!("relay events", service, messages = rows.len(), events);
        async {
            for row in rows {
                let (since, bytes) = (Instant::now(), row.body.len());
                let events = u64::try_from(row.events).unwrap_or(0);
                self.flights.insert(row.id, Flight { since, bytes, events });
                self.bytes = self.bytes.saturating_add(bytes);
                let message =
                    Message { id: row.id, kind: row.kind, partition: row.partition, body: row.body.into() };
                self.publisher.publish(message).await?;
            }
            Ok(())
        }
        .instrument(span)
        .await
    }

    /// Waits for something to do; true when the broker has confirmed something.
    async fn wait(&mut self) -> Result<bool, Ended> {
        let relay = self.relay;
        let mut took = false;
        tokio::select! {
            biased;
            () = relay.token.cancelled() => return Err(Ended::Stopped),
            settled = self.publisher.settled(), if !self.flights.is_empty() => took = self.settle(&settled?),
            () = relay.store.told().notified() => self.look = true,
            () = sleep_until(self.poll_at) => self.look = true,
        }
        self.relay.meters.in_flight.set(u32::try_from(self.flights.len()).unwrap_or(u32::MAX));
        Ok(took)
    }

    fn settle(&mut self, settled: &[Settled]) -> bool {
        let mut took = false;
        for message in settled {
            let Some(flight) = self.flights.remove(&message.id) else { continue };
            self.bytes = self.bytes.saturating_sub(flight.bytes);
            if message.taken {
                took = true;
                self.confirmed.push(message.id);
                self.relay.meters.confirmed_events.increment(flight.events);
                self.relay.meters.confirm_seconds.record(flight.since.elapsed());
            } else {
                self.refused = true;
                self.relay.meters.refused.increment(1);
            }
        }
        if self.refused {
            let service = self.relay.store.schema();
            tracing::warn!(service, "the broker refused events; they are sent again when the others are settled");
        }
        took
    }

    /// Deletes what is confirmed before this link is given up; what fails here is only sent twice.
    async fn tidy(&mut self) {
        let confirmed = std::mem::take(&mut self.confirmed);
        if confirmed.is_empty() {
            return;
        }
        let deleted = self.relay.store.transact("relay_tidy", move |tx| outbox::confirmed(tx, &confirmed)).await;
        if let Err(error) = deleted {
            tracing::debug!(%error, "confirmed events stay in the outbox and are sent again");
        }
    }
}
