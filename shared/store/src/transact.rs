//! Transactions: the one place that begins, commits and rolls back.

use std::borrow::Cow;
use std::time::Instant;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, PooledConnection};
use kernel::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{Error, Store, outbox};

type Pooled = PooledConnection<ConnectionManager<PgConnection>>;
type Manager = AnsiTransactionManager;

/// An open transaction. State, outbox, inbox and idempotency records written through one token commit together.
pub struct Tx<'c> {
    connection: &'c mut PgConnection,
    now: Timestamp,
    pub(crate) told: Vec<outbox::Told>,
    pub(crate) partitions: u16,
    pub(crate) service: &'c str,
    rows: Rows,
    begun_with: &'static str,
}

/// What a transaction expects of the rows it inserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// None of them is there, as nearly always: inserts are plain, which costs half. The caller runs the transaction again
    /// with [`Rows::MayBeThere`] when it fails.
    New,
    /// Some may be there, after a redelivery or a repeated request.
    MayBeThere,
}

impl Tx<'_> {
    /// The connection, for Diesel.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.connection
    }

    /// What it expects of the rows it inserts.
    pub const fn rows(&self) -> Rows {
        self.rows
    }

    /// The `ON CONFLICT` clause of an insert whose rows are new but for redeliveries and repeated requests: none as long as
    /// the transaction expects new rows.
    pub const fn on_conflict(&self, clause: &'static str) -> &'static str {
        match self.rows {
            Rows::New => "",
            Rows::MayBeThere => clause,
        }
    }

    /// Whether it began with this statement already: see [`Beginning`].
    pub fn began_with(&self, statement: &str) -> bool {
        self.begun_with == statement
    }

    /// The instant this transaction began; everything it writes carries this one.
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

/// How a transaction that writes begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// What it expects of the rows it inserts.
    pub rows: Rows,
    /// A statement without parameters that goes to the database together with BEGIN, in one round trip; empty for none.
    pub with: &'static str,
}

/// Whether a transaction may write, and how it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write(Beginning),
    Read,
}

impl Store {
    /// Runs `work` in a transaction: all of it is committed when it answers `Ok`, none of it otherwise.
    ///
    /// At most as many transactions as the pool has connections run at once; the others wait up to the acquire timeout.
    pub async fn transact<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.transact_rows(name, Rows::MayBeThere, work).await
    }

    /// As [`Store::transact`], for callers who can run the same work again: first with [`Rows::New`].
    pub async fn transact_rows<T, E>(
        &self,
        name: &'static str,
        rows: Rows,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run(Mode::Write(Beginning { rows, with: "" }), name, work).await
    }

    /// The right to one of the connections.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        timeout(self.options.acquire_timeout, self.permits.clone().acquire_owned())
            .await
            .map_err(|_| Error::Unavailable("every connection is busy".to_owned()))?
            .map_err(|_| Error::Unavailable("the store is closed".to_owned()))
    }

    /// Runs `work` on a thread that may block. Who has transactions waiting runs them all there, by
    /// [`Store::transact_here`]: each hand-over to another thread would wait for a core.
    #[expect(clippy::disallowed_methods, reason = "the one owner of blocking work: bounded by the permits")]
    pub(crate) fn thread<T: Send + 'static>(
        permit: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
    }

    /// Runs `work` in a transaction on the present thread, which is one that may block.
    pub(crate) fn transact_here<T, E>(
        &self,
        name: &'static str,
        beginning: Beginning,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let span = tracing::debug_span!("transaction", db.operation.name = name);
        span.in_scope(|| self.run_blocking(Mode::Write(beginning), name, work))
    }

    /// Runs `work` in a read-only transaction that sees one snapshot.
    pub async fn read<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.run(Mode::Read, name, work).await
    }

    async fn run<T, E>(
        &self,
        mode: Mode,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let permit = self.permit().await?;
        let store = self.clone();
        let span = tracing::debug_span!("transaction", db.operation.name = name);
        let outcome = Self::thread(permit, move || span.in_scope(|| store.run_blocking(mode, name, work)));
        // The blocking pool loses a task only by a panic inside it or at shutdown; both roll the transaction back.
        outcome.await.map_err(|lost| Error::Unavailable(format!("the transaction was lost: {lost}")))?
    }

    fn run_blocking<T, E>(
        &self,
        mode: Mode,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let started = Instant::now();
        let beginning = match mode {
            Mode::Write(beginning) => beginning,
            Mode::Read => Beginning { rows: Rows::MayBeThere, with: "" },
        };
        let mut connection = self.begin(mode)?;
        let mut tx = Tx {
            connection: &mut connection,
            now: self.clock.now(),
            told: Vec::new(),
            partitions: self.options.partitions,
            service: &self.options.schema,
            rows: beginning.rows,
            begun_with: beginning.with,
        };
        let outcome = work(&mut tx).and_then(|value| {
            let told = outbox::flush(&mut tx).map_err(E::from)?;
            Manager::commit_transaction(tx.connection).map_err(|error| E::from(Error::from(error)))?;
            Ok((value, told))
        });
        match outcome {
            Ok((value, told)) => {
                metrics::histogram!("onepool_transaction_seconds", "name" => name, "outcome" => "committed")
                    .record(started.elapsed());
                if told {
                    self.told.notify_one();
                }
                Ok(value)
            }
            Err(error) => {
                metrics::histogram!("onepool_transaction_seconds", "name" => name, "outcome" => "rolled_back")
                    .record(started.elapsed());
                // A failed rollback leaves the connection marked as broken, and the pool drops it.
                if let Err(rollback) = Manager::rollback_transaction(&mut *connection) {
                    tracing::debug!(error = %rollback, "rolling back failed; the connection is dropped");
                }
                Err(error)
            }
        }
    }

    /// Takes a connection and begins. A connection that went stale while idle fails here, before anything was done, so
    /// another one is taken; each failure drops one, so at most the whole pool is replaced.
    fn begin(&self, mode: Mode) -> Result<Pooled, Error> {
        let statements = match mode {
            Mode::Write(Beginning { with: "", .. }) => Cow::Borrowed("BEGIN"),
            Mode::Write(beginning) => Cow::Owned(format!("BEGIN; {}", beginning.with)),
            Mode::Read => Cow::Borrowed("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        };
        let mut last = None;
        for _ in 0..=self.options.pool_size {
            let mut connection = self.pool.get().map_err(|error| Error::Unavailable(error.to_string()))?;
            match Manager::begin_transaction_sql(&mut *connection, &statements).map_err(Error::from) {
                Ok(()) => return Ok(connection),
                // A connection that still answers has begun; what came with it was refused.
                Err(error) if connection.batch_execute("ROLLBACK").is_ok() => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::Unavailable("no connection could begin".to_owned())))
    }
}
