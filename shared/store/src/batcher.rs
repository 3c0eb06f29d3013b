//! The batcher: commands that arrive while a transaction commits run together in the next one.
//!
//! An idle batcher runs a single command at once; a busy one grows its batches by itself, and may rest between them to
//! gather more.

use std::sync::Arc;
use std::time::Duration;

use runtime::lifecycle::Lifecycle;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Error, Rows, Store, Tx};

/// How a batcher works.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions {
    /// For spans and metrics.
    pub name: &'static str,
    /// The most commands in one transaction.
    pub max_batch: usize,
    /// How many transactions run at once.
    pub lanes: usize,
    /// How long a lane gathers after a transaction with several commands; never after one with a single command.
    pub rest: Duration,
    /// How many commands may wait before further ones are refused as unavailable.
    pub queue: usize,
}

type Run<C, O, E> = dyn Fn(&mut Tx<'_>, &[C]) -> Result<Vec<Result<O, E>>, Error> + Send + Sync;

struct Waiting<C, O, E> {
    command: C,
    answer: oneshot::Sender<Result<O, E>>,
}

/// Gathers commands into transactions. Cloning shares the queue.
pub struct Batcher<C, O, E> {
    queue: mpsc::Sender<Waiting<C, O, E>>,
}

impl<C, O, E> Clone for Batcher<C, O, E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

struct Lane<C, O, E> {
    store: Store,
    draining: CancellationToken,
    options: BatchOptions,
    queue: Arc<Mutex<mpsc::Receiver<Waiting<C, O, E>>>>,
    run: Arc<Run<C, O, E>>,
}

impl<C, O, E> Batcher<C, O, E>
where
    C: Send + Sync + 'static,
    O: Send + 'static,
    E: From<Error> + Send + 'static,
{
    /// A batcher whose lanes live until the process drains.
    ///
    /// `run` answers one result per command, in order; a refused command must leave nothing behind. When it fails as a
    /// whole, each command is run again alone, so that only the one at fault fails.
    pub fn new(
        store: &Store,
        options: BatchOptions,
        lifecycle: &Lifecycle,
        run: impl Fn(&mut Tx<'_>, &[C]) -> Result<Vec<Result<O, E>>, Error> + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(options.queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let run: Arc<Run<C, O, E>> = Arc::new(run);
        for _ in 0..options.lanes.max(1) {
            let (store, queue, run) = (store.clone(), receiver.clone(), run.clone());
            let lane = Lane { store, draining: lifecycle.token(), options, queue, run };
            lifecycle.spawn(options.name, lane.work());
        }
        Self { queue: sender }
    }

    /// Runs a command in the next transaction and answers when it has committed.
    pub async fn submit(&self, command: C) -> Result<O, E> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Waiting { command, answer })
            .map_err(|_| Error::Unavailable("too many commands wait".to_owned()))?;
        answered.await.map_err(|_| Error::Unavailable("the process is draining".to_owned()))?
    }
}

impl<C, O, E> Lane<C, O, E>
where
    C: Send + Sync + 'static,
    O: Send + 'static,
    E: From<Error> + Send + 'static,
{
    /// Ends when the process drains and what was accepted until then is finished.
    async fn work(self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.gather(&mut batch).await;
            if taken == 0 {
                return;
            }
            metrics::histogram!("onepool_batch_commands", "name" => self.options.name)
                .record(u32::try_from(taken).unwrap_or(u32::MAX));
            let (commands, answers): (Vec<C>, Vec<_>) =
                batch.drain(..).map(|waiting| (waiting.command, waiting.answer)).unzip();
            self.run_batch(commands, answers).await;
            // Even a sleep of no time lasts until the timer's next tick, a millisecond away.
            if taken > 1 && !self.options.rest.is_zero() {
                tokio::select! {
                    () = self.draining.cancelled() => {}
                    () = tokio::time::sleep(self.options.rest) => {}
                }
            }
        }
    }

    /// Waits for a command and takes what else is there; 0 once nothing can come any more.
    async fn gather(&self, batch: &mut Vec<Waiting<C, O, E>>) -> usize {
        let mut queue = self.queue.lock().await;
        tokio::select! {
            biased;
            taken = queue.recv_many(batch, self.options.max_batch) => taken,
            () = self.draining.cancelled() => {
                queue.close();
                queue.recv_many(batch, self.options.max_batch).await
            }
        }
    }

    async fn run_batch(&self, commands: Vec<C>, answers: Vec<oneshot::Sender<Result<O, E>>>) {
        let commands = Arc::new(commands);
        let whole = 0..commands.len();
        let mut outcome = self.attempt(&commands, whole.clone(), Rows::New).await;
        if let Err(Error::Conflict(_) | Error::Database(_)) = outcome {
            outcome = self.attempt(&commands, whole, Rows::MayBeThere).await;
        }
        match outcome {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // Whoever asked may have gone; the command has had its effect all the same.
                    let _gone = answer.send(result);
                }
            }
            Err(Error::Unavailable(reason)) => {
                for answer in answers {
                    let _gone = answer.send(Err(Error::Unavailable(reason.clone()).into()));
                }
            }
            Err(error) => self.run_alone(&commands, answers, error).await,
        }
    }

    /// Finds the command at fault: every command in a transaction of its own.
    async fn run_alone(&self, commands: &Arc<Vec<C>>, answers: Vec<oneshot::Sender<Result<O, E>>>, cause: Error) {
        tracing::warn!(batch.name = self.options.name, error = %cause, "a batch failed; its commands run one by one");
        for (index, answer) in answers.into_iter().enumerate() {
            let result = match self.attempt(commands, index..index.saturating_add(1), Rows::MayBeThere).await {
                Ok(results) => results.into_iter().next().unwrap_or_else(|| Err(COUNT.into())),
                Err(error) => Err(error.into()),
            };
            let _gone = answer.send(result);
        }
    }

    async fn attempt(
        &self,
        commands: &Arc<Vec<C>>,
        range: std::ops::Range<usize>,
        rows: Rows,
    ) -> Result<Vec<Result<O, E>>, Error> {
        let (commands, run) = (commands.clone(), self.run.clone());
        self.store
            .transact_rows(self.options.name, rows, move |tx| {
                let commands = commands.get(range).unwrap_or_default();
                let results = run(tx, commands)?;
                if results.len() == commands.len() { Ok(results) } else { Err(COUNT) }
            })
            .await
    }
}

const COUNT: Error = Error::Broken("a batch command answers once per command");
