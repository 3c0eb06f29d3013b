//! The embedded transport: messages are handed over inside the process, and the outbox is what keeps them.
//!
//! A message is settled when every subscription that hears it has acknowledged it; until then its outbox row stays, so a
//! crash at any point only sends it again. Every subscription has queues of its own, so a slow one holds up none of the
//! others; what it has not yet read is bounded by what the relays keep in flight.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::Topology;
use crate::topology::Hearing;
use crate::transport::{Delivery, Error, Message, Publisher, Reader, Settled, Transport};

/// Messages handed over inside the process.
pub(crate) struct Embedded {
    subscriptions: Vec<(Hearing, Vec<Arc<Queue>>)>,
}

/// What waits for one reader.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Arc<Flight>>>,
    arrived: Notify,
    reader: Arc<tokio::sync::Mutex<()>>,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Flight>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message whose publisher is still there; a later publisher sends the others again.
    fn pop(&self) -> Option<Arc<Flight>> {
        let mut waiting = self.waiting();
        std::iter::from_fn(|| waiting.pop_front()).find(|flight| !flight.publisher.gone.load(Ordering::Acquire))
    }
}

/// A message on its way to every subscription that hears it.
struct Flight {
    message: Message,
    /// How many subscriptions have not acknowledged it.
    left: AtomicUsize,
    publisher: Arc<Origin>,
}

impl Flight {
    fn acknowledge(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.publisher.settle(self.message.id);
        }
    }
}

/// Where a publisher hears what became of its messages.
#[derive(Default)]
struct Origin {
    settled: Mutex<Vec<Settled>>,
    news: Notify,
    gone: AtomicBool,
}

impl Origin {
    fn settled(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, id: i64) {
        self.settled().push(Settled { id, taken: true });
        self.news.notify_one();
    }
}

impl Embedded {
    pub(crate) fn new(topology: &Topology) -> Self {
        let queues = |hearing: &Hearing| hearing.queues().iter().map(|_| Arc::new(Queue::default())).collect();
        let subscriptions = topology.hearings().iter().map(|hearing| (*hearing, queues(hearing))).collect();
        Self { subscriptions }
    }

    fn queue(&self, service: &str, subscription: &str, partition: u16) -> Result<Arc<Queue>, Error> {
        self.subscriptions
            .iter()
            .find(|(hearing, _)| hearing.service == service && hearing.subscription == subscription)
            .and_then(|(_, queues)| queues.get(usize::from(partition)).cloned())
            .ok_or_else(|| Error::Unknown(format!("{service}.{subscription}, partition {partition}")))
    }

    /// For every kind the queues of each subscription that hears it.
    fn routes(&self) -> HashMap<&'static str, Vec<Vec<Arc<Queue>>>> {
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for (hearing, queues) in &self.subscriptions {
            for kind in hearing.events {
                routes.entry(*kind).or_default().push(queues.clone());
            }
        }
        routes
    }
}

impl Transport for Embedded {
    fn publisher<'a>(&'a self, _service: &'a str) -> BoxFuture<'a, Result<Box<dyn Publisher>, Error>> {
        let publisher = EmbeddedPublisher { routes: self.routes(), origin: Arc::default() };
        Box::pin(async move { Ok::<Box<dyn Publisher>, Error>(Box::new(publisher)) })
    }

    fn reader<'a>(
        &'a self,
        service: &'a str,
        subscription: &'a str,
        partition: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Reader>, Error>> {
        Box::pin(async move {
            let queue = self.queue(service, subscription, partition)?;
            let alone = queue.reader.clone().lock_owned().await;
            let reader = EmbeddedReader { queue, handed_out: VecDeque::new(), last: 0, _alone: alone };
            Ok::<Box<dyn Reader>, Error>(Box::new(reader))
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

struct EmbeddedPublisher {
    routes: HashMap<&'static str, Vec<Vec<Arc<Queue>>>>,
    origin: Arc<Origin>,
}

impl EmbeddedPublisher {
    fn hand_over(&self, message: Message) {
        let partition = usize::try_from(message.partition).unwrap_or(0);
        let hearers = self.routes.get(message.kind.as_str()).map_or(&[][..], Vec::as_slice);
        let queues: Vec<&Arc<Queue>> =
            hearers.iter().filter_map(|queues| queues.get(partition.checked_rem(queues.len()).unwrap_or(0))).collect();
        if queues.is_empty() {
            self.origin.settle(message.id);
            return;
        }
        let left = AtomicUsize::new(queues.len());
        let flight = Arc::new(Flight { message, left, publisher: self.origin.clone() });
        for queue in queues {
            queue.waiting().push_back(flight.clone());
            queue.arrived.notify_one();
        }
    }
}

impl Publisher for EmbeddedPublisher {
    fn publish(&mut self, message: Message) -> BoxFuture<'_, Result<(), Error>> {
        self.hand_over(message);
        Box::pin(async { Ok(()) })
    }

    fn settled(&mut self) -> BoxFuture<'_, Result<Vec<Settled>, Error>> {
        Box::pin(async {
            loop {
                let settled = std::mem::take(&mut *self.origin.settled());
                if !settled.is_empty() {
                    return Ok(settled);
                }
                self.origin.news.notified().await;
            }
        })
    }
}

impl Drop for EmbeddedPublisher {
    fn drop(&mut self) {
        self.origin.gone.store(true, Ordering::Release);
    }
}

struct EmbeddedReader {
    queue: Arc<Queue>,
    handed_out: VecDeque<(u64, Arc<Flight>)>,
    last: u64,
    _alone: OwnedMutexGuard<()>,
}

impl EmbeddedReader {
    fn take(&mut self) -> Option<Delivery> {
        let flight = self.queue.pop()?;
        self.last = self.last.saturating_add(1);
        let Message { kind, body, .. } = &flight.message;
        let delivery = Delivery { tag: self.last, kind: kind.clone(), body: body.clone() };
        self.handed_out.push_back((self.last, flight));
        Some(delivery)
    }
}

impl Reader for EmbeddedReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async {
            loop {
                if let Some(delivery) = self.take() {
                    return Ok(delivery);
                }
                self.queue.arrived.notified().await;
            }
        })
    }

    fn ready(&mut self) -> Result<Option<Delivery>, Error> {
        Ok(self.take())
    }

    fn acknowledge(&mut self, through: u64) -> BoxFuture<'_, Result<(), Error>> {
        while let Some((_, flight)) = self.handed_out.pop_front_if(|(tag, _)| *tag <= through) {
            flight.acknowledge();
        }
        Box::pin(async { Ok(()) })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

impl Drop for EmbeddedReader {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        for (_, flight) in self.handed_out.drain(..).rev() {
            waiting.push_front(flight);
        }
        drop(waiting);
        self.queue.arrived.notify_one();
    }
}
