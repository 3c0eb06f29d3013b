//! The batcher: commands that arrive while a transaction commits run together in the next one.
//!
//! An idle batcher runs a single command at once; a busy one grows its batches by itself, and may rest between them to
//! gather more.

use std::sync::Arc;
use std::time::Duration;

use runtime::lifecycle::Lifecycle;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Beginning, Error, Rows, Store, Tx};

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
type With<C> = dyn Fn(&[C]) -> &'static str + Send + Sync;

type Answer<O, E> = oneshot::Sender<Result<O, E>>;

struct Waiting<C, O, E> {
    command: C,
    answer: Answer<O, E>,
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
    with: Arc<With<C>>,
    run: Arc<Run<C, O, E>>,
}

type Batch<C, O, E> = Vec<Waiting<C, O, E>>;

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
        Self::beginning(store, options, lifecycle, |_| "", run)
    }

    /// The same, with transactions that begin with a statement: see [`Beginning::with`].
    pub fn beginning(
        store: &Store,
        options: BatchOptions,
        lifecycle: &Lifecycle,
        with: impl Fn(&[C]) -> &'static str + Send + Sync + 'static,
        run: impl Fn(&mut Tx<'_>, &[C]) -> Result<Vec<Result<O, E>>, Error> + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(options.queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let with: Arc<With<C>> = Arc::new(with);
        let run: Arc<Run<C, O, E>> = Arc::new(run);
        for _ in 0..options.lanes.max(1) {
            let (store, queue, with, run) = (store.clone(), receiver.clone(), with.clone(), run.clone());
            let lane = Lane { store, draining: lifecycle.token(), options, queue, with, run };
            lifecycle.spawn(options.name, Arc::new(lane).work());
        }
        Self { queue: sender }
    }

    /// Runs a command in the next transaction and answers when it has committed.
    pub async fn submit(&self, command: C) -> Result<O, E> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Waiting { command, answer })
            .map_err(|_| Error::Unavailable("too many commands wait".to_owned()))?;
        answered.await.map_err(|_| Error::Unavailable(LOST.to_owned()))?
    }
}

impl<C, O, E> Lane<C, O, E>
where
    C: Send + Sync + 'static,
    O: Send + 'static,
    E: From<Error> + Send + 'static,
{
    /// Ends when the process drains and what was accepted until then is finished.
    async fn work(self: Arc<Self>) {
        loop {
            let mut batch = Vec::new();
            let taken = self.gather(&mut batch).await;
            if taken == 0 {
                return;
            }
            self.clone().run_batches(batch).await;
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

    /// Runs a batch and, unless the lane is to rest, what has come in meanwhile, until nothing has.
    async fn run_batches(self: Arc<Self>, batch: Batch<C, O, E>) {
        let permit = match self.store.permit().await {
            Ok(permit) => permit,
            Err(error) => return refuse(batch.into_iter().map(|waiting| waiting.answer), &error.to_string()),
        };
        let running = Store::thread(permit, move || {
            let mut batch = batch;
            while !batch.is_empty() {
                self.run_batch(batch);
                batch = if self.options.rest.is_zero() { self.waiting() } else { Vec::new() };
            }
        });
        // A panic costs the batch it is in: its commands are answered as lost.
        drop(running.await);
    }

    /// What waits by now, unless another lane is about to take it.
    fn waiting(&self) -> Batch<C, O, E> {
        let Ok(mut queue) = self.queue.try_lock() else { return Vec::new() };
        std::iter::from_fn(|| queue.try_recv().ok()).take(self.options.max_batch).collect()
    }

    fn run_batch(&self, batch: Batch<C, O, E>) {
        metrics::histogram!("onepool_batch_commands", "name" => self.options.name)
            .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        let (commands, answers): (Vec<C>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.command, waiting.answer)).unzip();
        let mut outcome = self.attempt(&commands, Rows::New);
        if let Err(Error::Conflict(_) | Error::Database(_)) = outcome {
            outcome = self.attempt(&commands, Rows::MayBeThere);
        }
        match outcome {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // Whoever asked may have gone; the command has had its effect all the same.
                    let _gone = answer.send(result);
                }
            }
            Err(Error::Unavailable(reason)) => refuse(answers, &reason),
            Err(error) => self.run_alone(&commands, answers, &error),
        }
    }

    /// Finds the command at fault: every command in a transaction of its own.
    fn run_alone(&self, commands: &[C], answers: Vec<Answer<O, E>>, cause: &Error) {
        tracing::warn!(batch.name = self.options.name, error = %cause, "a batch failed; its commands run one by one");
        for (command, answer) in commands.iter().zip(answers) {
            let result = match self.attempt(std::slice::from_ref(command), Rows::MayBeThere) {
                Ok(results) => results.into_iter().next().unwrap_or_else(|| Err(COUNT.into())),
                Err(error) => Err(error.into()),
            };
            let _gone = answer.send(result);
        }
    }

    fn attempt(&self, commands: &[C], rows: Rows) -> Result<Vec<Result<O, E>>, Error> {
        let beginning = Beginning { rows, with: (self.with)(commands) };
        self.store.transact_here(self.options.name, beginning, |tx| {
            let results = (self.run)(tx, commands)?;
            if results.len() == commands.len() { Ok(results) } else { Err(COUNT) }
        })
    }
}

fn refuse<O, E: From<Error>>(answers: impl IntoIterator<Item = Answer<O, E>>, reason: &str) {
    for answer in answers {
        let _gone = answer.send(Err(Error::Unavailable(reason.to_owned()).into()));
    }
}

const COUNT: Error = Error::Broken("a batch command answers once per command");
const LOST: &str = "the command was lost: the process is draining, or its batch failed";
