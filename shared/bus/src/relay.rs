//! The relay: one per service, it sends what lies in the outbox and deletes what the broker has confirmed.
//!
//! It publishes a row as soon as it is committed, many at a time, and deletes in batches. It never asks for rows "after"
//! an id, because transactions commit out of order; it asks for those it does not already have in flight. Rows are
//! published in the order of their ids. When the broker refuses one, nothing more is sent until all that is in flight is
//! settled, so that the order is lost for that moment only, and only among what was in flight.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use store::outbox::{self, Unsent};
use store::{Leadership, Store};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::delay::{Delay, Stopped};
use crate::observe::RelayMeters;
use crate::parcel::{Parcel, parcels};
use crate::precedence::{Crowd, Precedence};
use crate::transport::{Error, Message, Publisher, Settled, Transport};

/// Rows read at once: one round trip serves many, and the first of them does not wait long for the last.
const READ_ROWS: usize = 256;
/// Rows in flight: the broker confirms in bulk, and beyond some thousands the client's bookkeeping costs more.
const MAX_IN_FLIGHT: usize = 2048;
/// Bytes in flight, because a message may be large.
const MAX_BYTES_IN_FLIGHT: usize = 64 << 20;
/// Confirmed rows that are deleted at once; fewer are deleted with the next look for new ones.
const DELETE_ROWS: usize = 128;
/// After a look that found all there was: under load this gathers what many transactions told into one look, while a
/// row told at rest is read at once.
const REST: Duration = Duration::from_millis(20);
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
    pub precedence: Precedence,
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
            if lead.check().await.is_err() {
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
        if sending.looks_now() {
            match sending.exchange().await {
                Ok(rows) => sending.publish(rows).await?,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read; it is tried again");
                    delay.wait().await?;
                    self.check().await?;
                }
            }
        }
        if !sending.looks_now() && sending.wait().await? {
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
        match self.relay.store.read("outbox_backlog", outbox::backlog).await {
            Ok(backlog) => self.relay.meters.backlog(&backlog, self.relay.store.now()),
            Err(error) => tracing::debug!(%error, "the outbox could not be counted"),
        }
        Ok(())
    }
}

/// A message in flight.
struct Flight {
    since: Instant,
    bytes: usize,
    events: u64,
    rows: Vec<i64>,
}

/// What goes over one link.
struct Sending<'r> {
    relay: &'r Relay,
    publisher: Box<dyn Publisher>,
    flights: HashMap<i64, Flight>,
    /// The rows of all of them.
    in_flight: HashSet<i64>,
    bytes: usize,
    confirmed: Vec<i64>,
    /// There may be rows that were not read yet.
    look: bool,
    /// The broker refused a message; nothing more is sent until the others are settled.
    refused: bool,
    rest_until: Instant,
    poll_at: Instant,
    tidy_now: bool,
    /// In process, a message is settled when it is booked too: at the bound the books must not give way any more.
    crowd: Option<Crowd>,
}

impl<'r> Sending<'r> {
    fn new(relay: &'r Relay, publisher: Box<dyn Publisher>) -> Self {
        let now = Instant::now();
        Self {
            relay,
            publisher,
            flights: HashMap::new(),
            in_flight: HashSet::new(),
            bytes: 0,
            confirmed: Vec::new(),
            look: true,
            refused: false,
            rest_until: now,
            poll_at: now,
            tidy_now: false,
            crowd: None,
        }
    }

    fn is_full(&self) -> bool {
        self.in_flight.len() >= MAX_IN_FLIGHT || self.bytes >= MAX_BYTES_IN_FLIGHT
    }

    fn may_look(&self) -> bool {
        self.look && !self.refused && !self.is_full()
    }

    fn looks_now(&self) -> bool {
        self.may_look() && Instant::now() >= self.rest_until
    }

    /// Deletes what is confirmed, if that is worth it, and reads what is to be sent.
    async fn exchange(&mut self) -> Result<Vec<Unsent>, store::Error> {
        let room = MAX_IN_FLIGHT.saturating_sub(self.in_flight.len()).min(READ_ROWS);
        let limit = i64::try_from(room).unwrap_or(1);
        let mut known: Vec<i64> = self.in_flight.iter().copied().collect();
        let deletes = self.confirmed.len() >= DELETE_ROWS || (self.tidy_now && !self.confirmed.is_empty());
        let rows = if deletes {
            let confirmed = self.confirmed.clone();
            let exchange = self.relay.store.transact("relay_exchange", move |tx| {
                outbox::confirmed(tx, &confirmed)?;
                outbox::unsent(tx, limit, &known)
            });
            let rows = exchange.await?;
            self.confirmed.clear();
            rows
        } else {
            // Rows that are confirmed and not deleted yet are still there, and are not to be sent again.
            known.extend(&self.confirmed);
            self.relay.store.read("relay_read", move |tx| outbox::unsent(tx, limit, &known)).await?
        };
        self.tidy_now = false;
        self.look = rows.len() == room;
        let rest = if self.look { Duration::ZERO } else { REST };
        self.rest_until = Instant::now().checked_add(rest).unwrap_or(self.rest_until);
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
            for parcel in parcels(rows) {
                let (since, bytes) = (Instant::now(), parcel.body.len());
                self.in_flight.extend(&parcel.rows);
                self.flights.insert(parcel.id, Flight { since, bytes, events: parcel.events, rows: parcel.rows });
                self.bytes = self.bytes.saturating_add(bytes);
                let Parcel { id, kind, partition, body, .. } = parcel;
                self.publisher.publish(Message { id, kind, partition, body: body.into() }).await?;
            }
            Ok(())
        }
        .instrument(span)
        .await
    }

    /// Waits for something to do; true when the broker has confirmed something.
    async fn wait(&mut self) -> Result<bool, Ended> {
        let relay = self.relay;
        if !self.is_full() {
            self.crowd = None;
        } else if self.crowd.is_none() {
            self.crowd = Some(relay.precedence.crowd());
        }
        let until = if self.may_look() { self.rest_until.min(self.poll_at) } else { self.poll_at };
        let mut took = false;
        tokio::select! {
            biased;
            () = relay.token.cancelled() => return Err(Ended::Stopped),
            settled = self.publisher.settled(), if !self.flights.is_empty() => took = self.settle(&settled?),
            () = relay.store.told().notified() => self.look = true,
            () = sleep_until(until) => self.tick(),
        }
        self.relay.meters.in_flight.set(u32::try_from(self.flights.len()).unwrap_or(u32::MAX));
        Ok(took)
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if now >= self.poll_at {
            self.poll_at = now.checked_add(self.relay.poll).unwrap_or(now);
            (self.look, self.tidy_now) = (true, true);
        }
    }

    fn settle(&mut self, settled: &[Settled]) -> bool {
        let mut taken = 0_usize;
        for message in settled {
            let Some(flight) = self.flights.remove(&message.id) else { continue };
            self.bytes = self.bytes.saturating_sub(flight.bytes);
            for row in &flight.rows {
                self.in_flight.remove(row);
            }
            if message.taken {
                taken = taken.saturating_add(1);
                self.confirmed.extend(flight.rows);
                self.relay.meters.confirmed_events.increment(flight.events);
                self.relay.meters.confirm_seconds.record(flight.since.elapsed());
            }
        }
        let refused = settled.len().saturating_sub(taken);
        if refused > 0 {
            self.refused = true;
            self.relay.meters.refused.increment(u64::try_from(refused).unwrap_or(u64::MAX));
            let service = self.relay.store.schema();
            tracing::warn!(
                service,
                refused,
                "the broker refused messages; they are sent again when the others are settled"
            );
        }
        taken > 0
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
