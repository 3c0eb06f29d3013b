//! The pool: one per service, each connection bound to the service's own schema.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use kernel::{SharedClock, Timestamp};
use tokio::sync::{Notify, Semaphore};

use crate::Error;

/// How to reach a service's database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// The service's schema: the only one its SQL can name.
    pub schema: String,
    /// Connections in the pool; as many transactions run at once, the others wait.
    pub pool_size: u32,
    /// How long a transaction waits for a connection before it is refused.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// Into how many partitions the events of different subjects are spread.
    pub partitions: u16,
}

impl StoreOptions {
    /// Options with the documented defaults.
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: schema.into(),
            pool_size: 8,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(3),
            partitions: 1,
        }
    }
}

/// A service's database. Cloning shares the pool.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: Pool<ConnectionManager<PgConnection>>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) clock: SharedClock,
    pub(crate) options: Arc<StoreOptions>,
    pub(crate) told: Arc<Notify>,
}

/// Binds every new connection to the service's schema and bounds what a statement may take.
#[derive(Debug)]
struct Bind {
    statements: String,
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Bind {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(&self.statements).map_err(diesel::r2d2::Error::QueryError)
    }
}

impl Store {
    /// A store that connects when it is first used, so that a process can start before its database.
    pub fn connect(options: StoreOptions, clock: SharedClock) -> Result<Self, Error> {
        if options.schema.is_empty() || !options.schema.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            return Err(Error::Broken("a schema's name has lower-case letters only"));
        }
        // Keys are looked up by the hundred and lie in memory: at the stock page cost, made for spinning disks, the planner
        // would read whole tables of up to some ten thousand rows instead.
        let statements = format!(
            "SET search_path TO \"{schema}\", public; SET jit = off; SET random_page_cost = 1.1; SET lc_messages = 'C'; \
             SET timezone = 'UTC'; \
             SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
             SET idle_in_transaction_session_timeout = 60000; SET application_name = 'onepool-{schema}'",
            schema = options.schema,
            statement = options.statement_timeout.as_millis(),
            lock = options.lock_timeout.as_millis(),
        );
        let pool = Pool::builder()
            .max_size(options.pool_size)
            .min_idle(Some(1))
            .connection_timeout(options.acquire_timeout)
            // A stale connection fails at BEGIN, where nothing has happened yet and another one is taken.
            .test_on_check_out(false)
            .connection_customizer(Box::new(Bind { statements }))
            .build_unchecked(ConnectionManager::new(&options.url));
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(usize::try_from(options.pool_size).unwrap_or(1))),
            clock,
            options: Arc::new(options),
            told: Arc::new(Notify::new()),
        })
    }

    /// The present instant, by the process's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The service's schema, which is also its name.
    pub fn schema(&self) -> &str {
        &self.options.schema
    }

    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.options.url
    }

    /// Signalled whenever a transaction that told events has committed in this process.
    pub fn told(&self) -> &Arc<Notify> {
        &self.told
    }
}
