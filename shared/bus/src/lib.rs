//! Events between services: topology, relay, consumers, retry and dead letters, over RabbitMQ or in process.
//!
//! What is told in a transaction lies in the outbox until every subscription that hears it has it safe; a subscription
//! takes each event once, in the transaction of its effect; what it cannot take is tried again or parked, and never in
//! the way of the others. The events of one subject arrive in the order they were told, with one exception: an event
//! that failed does not hold up its successors, so a handler answers [`ConsumeError::Retry`] when a fact it needs is missing.

mod batch;
mod consumer;
mod delay;
mod embedded;
mod observe;
mod parcel;
mod precedence;
mod rabbit;
mod relay;
mod retry;
mod subscription;
mod topology;
pub mod transport;
mod worker;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use runtime::lifecycle::Lifecycle;
use runtime::secrets::ExposeSecret;
use runtime::settings::{BusSettings, EMBEDDED};
use store::Store;

pub use batch::take;
pub use subscription::{ConsumeError, Handler, Subscription};
pub use topology::{Hearing, Topology};
pub use transport::{Error, Transport};

use consumer::Consumer;
use delay::Schedule;
use observe::{Meters, RelayMeters};
use precedence::Precedence;
use relay::Relay;
use retry::Retry;
use worker::Worker;

/// A process's side of the bus. Cloning shares it.
#[derive(Clone)]
pub struct Bus {
    transport: Arc<dyn Transport>,
    settings: BusSettings,
    precedence: Precedence,
}

impl Bus {
    /// The bus over the transport that the settings name. It connects when it is first used, so that a process can start
    /// before its broker. The topology is that of the whole product; with the embedded transport, that of all who run in
    /// this process.
    pub fn connect(settings: &BusSettings, topology: Topology) -> Result<Self, Error> {
        let url = settings.url.expose_secret();
        let transport: Arc<dyn Transport> = if url == EMBEDDED {
            Arc::new(embedded::Embedded::new(&topology))
        } else {
            let options = rabbit::Options {
                confirm_timeout: millis(settings.confirm_timeout_ms),
                prefetch: settings.prefetch,
                max_queue_messages: settings.max_queue_messages,
            };
            Arc::new(rabbit::RabbitMq::new(url, topology, options)?)
        };
        Ok(Self { transport, settings: settings.clone(), precedence: Precedence::default() })
    }

    /// What carries the messages.
    pub fn transport(&self) -> &dyn Transport {
        self.transport.as_ref()
    }

    /// Runs a service's side of the bus until the process is to stop: its relay, its consumers, and the further tries of
    /// what failed. At the end every consumer settles and acknowledges the batch it is in.
    pub fn run(&self, store: &Store, subscriptions: Vec<Subscription>, lifecycle: &Lifecycle) {
        let (service, settings, token) = (store.schema().to_owned(), &self.settings, lifecycle.token());
        let relay = Relay {
            store: store.clone(),
            transport: self.transport.clone(),
            poll: millis(settings.poll_ms),
            meters: RelayMeters::new(&service),
            precedence: self.precedence.clone(),
            token: token.clone(),
        };
        supervise(lifecycle, format!("relay of {service}"), move || relay.clone().run());
        let schedule = Schedule {
            first: millis(settings.retry_first_ms),
            longest: millis(settings.retry_longest_ms),
            attempts: settings.retry_attempts,
        };
        let worker = |subscription: Subscription| Worker {
            store: store.clone(),
            meters: Meters::new(&service, subscription.name),
            subscription,
            schedule,
            token: token.clone(),
        };
        let workers: Arc<[Worker]> = subscriptions.into_iter().map(worker).collect();
        for worker in workers.iter() {
            for partition in 0..worker.subscription.partitions.max(1) {
                let consumer = self.consumer(worker.clone(), partition);
                let name = format!("consumer {service}.{}.{partition}", worker.subscription.name);
                supervise(lifecycle, name, move || consumer.clone().run());
            }
        }
        if !workers.is_empty() {
            let retry = Retry { store: store.clone(), workers, token };
            supervise(lifecycle, format!("further tries of {service}"), move || retry.clone().run());
        }
    }

    fn consumer(&self, worker: Worker, partition: u16) -> Consumer {
        Consumer {
            worker,
            transport: self.transport.clone(),
            partition,
            batch_events: usize::try_from(self.settings.batch_events).unwrap_or(usize::MAX),
            precedence: self.precedence.clone(),
            patience: millis(self.settings.give_way_ms),
        }
    }
}

fn supervise<W>(lifecycle: &Lifecycle, name: String, mut run: impl FnMut() -> W + Send + 'static)
where
    W: Future<Output = ()> + Send + 'static,
{
    lifecycle.spawn_supervised(name, move || {
        let task = run();
        async move {
            task.await;
            Ok::<(), Infallible>(())
        }
    });
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}
