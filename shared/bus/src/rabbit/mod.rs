//! RabbitMQ.
//!
//! A durable topic exchange takes every event by its kind. Each subscription has one quorum queue, or, if it is
//! partitioned, a consistent-hash exchange that spreads the events by their `partition` header over several. Every queue
//! has a single active consumer, so that replicas stand by for each other and never overtake each other.
//!
//! Links are made anew after any failure, by whoever needs them next, instead of being recovered by the client: an
//! unsettled message then is unsettled, never a confirm that hangs. Publishing and reading have a connection each, because the
//! broker stops reading from a connection that publishes too fast.

mod declare;
mod publisher;
mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::Topology;
use crate::transport::{Error, Publisher, Reader, Transport};
use publisher::RabbitPublisher;
use reader::RabbitReader;

/// A broker that does not complete a handshake, or open a channel, in this time is as good as down.
const LINK_TIMEOUT: Duration = Duration::from_secs(5);
/// Declaring everything takes milliseconds, but an overloaded cluster elects a leader for each new queue first.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(60);
/// A peer that is silent for two of these is gone; the broker's own default of 60 would hide a dead link for minutes.
const HEARTBEAT_SECONDS: u16 = 10;

impl From<lapin::Error> for Error {
    fn from(error: lapin::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What this transport is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How long the broker may take to confirm a message.
    pub confirm_timeout: Duration,
    /// How many messages are on their way to one reader.
    pub prefetch: u16,
    /// How many messages a queue holds before it refuses more.
    pub max_queue_messages: u32,
}

/// Messages by way of a RabbitMQ.
pub(crate) struct RabbitMq {
    publishing: Arc<Link>,
    reading: Arc<Link>,
    options: Options,
}

impl RabbitMq {
    pub(crate) fn new(url: &str, topology: Topology, options: Options) -> Result<Self, Error> {
        let mut uri: AMQPUri = url.parse().map_err(Error::Url)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let topology = Arc::new(topology);
        let link = |name| {
            let (uri, topology, up, stale) = (uri.clone(), topology.clone(), Mutex::new(None), AtomicBool::new(false));
            Arc::new(Link { uri, name, topology, max_queue_messages: options.max_queue_messages, up, stale })
        };
        Ok(Self { publishing: link("onepool publishes"), reading: link("onepool reads"), options })
    }
}

impl Transport for RabbitMq {
    fn publisher<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<Box<dyn Publisher>, Error>> {
        Box::pin(async move {
            let publisher =
                RabbitPublisher::open(self.publishing.clone(), service, self.options.confirm_timeout).await?;
            Ok::<Box<dyn Publisher>, Error>(Box::new(publisher))
        })
    }

    fn reader<'a>(
        &'a self,
        service: &'a str,
        subscription: &'a str,
        partition: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Reader>, Error>> {
        Box::pin(async move {
            let queue = self
                .reading
                .topology
                .find(service, subscription)
                .and_then(|hearing| hearing.queues().into_iter().nth(usize::from(partition)))
                .ok_or_else(|| Error::Unknown(format!("{service}.{subscription}, partition {partition}")))?;
            let reader = RabbitReader::open(&self.reading, &queue, self.options.prefetch).await?;
            Ok::<Box<dyn Reader>, Error>(Box::new(reader))
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let both = async {
                self.publishing.connection().await?;
                self.reading.connection().await?;
                Ok(())
            };
            timeout(LINK_TIMEOUT, both).await.map_err(|_| Error::Timeout("connecting"))?
        })
    }
}

/// One connection to the broker, made when it is first needed and again whenever it is lost.
pub(crate) struct Link {
    uri: AMQPUri,
    name: &'static str,
    topology: Arc<Topology>,
    max_queue_messages: u32,
    up: Mutex<Option<Arc<Connection>>>,
    /// Somebody has removed a queue, so that everything is to be declared again.
    stale: AtomicBool,
}

impl Link {
    /// A channel on the connection, after everything is declared.
    async fn channel(&self) -> Result<Channel, Error> {
        let connection = self.connection().await?;
        let opened = open_channel(&connection).await;
        if opened.is_err() {
            // A connection that says it is up but opens nothing is no use to anybody.
            self.up.lock().await.take_if(|up| Arc::ptr_eq(up, &connection));
        }
        opened
    }

    /// The connection that is up, or a new one. To give up waiting for it leaves everything as it was.
    async fn connection(&self) -> Result<Arc<Connection>, Error> {
        let mut up = self.up.lock().await;
        let Some(connection) = up.as_ref().filter(|connection| connection.status().connected()) else {
            let connection = Arc::new(self.connect().await?);
            *up = Some(connection.clone());
            return Ok(connection);
        };
        if self.stale() {
            declare::topology(connection, &self.topology, self.max_queue_messages).await?;
            self.stale.store(false, Ordering::Release);
        }
        Ok(connection.clone())
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let properties = ConnectionProperties::default().with_connection_name(self.name.into());
        let connection = timeout(LINK_TIMEOUT, Connection::connect_uri(self.uri.clone(), properties))
            .await
            .map_err(|_| Error::Timeout("connecting"))??;
        declare::topology(&connection, &self.topology, self.max_queue_messages).await?;
        tracing::info!(link = self.name, "the broker is connected and the topology declared");
        Ok(connection)
    }

    fn stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// A queue that should be there is not: whoever uses the link next declares everything again.
    fn make_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }
}

async fn open_channel(connection: &Connection) -> Result<Channel, Error> {
    Ok(timeout(LINK_TIMEOUT, connection.create_channel()).await.map_err(|_| Error::Timeout("opening a channel"))??)
}
