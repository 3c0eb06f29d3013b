//! The life of a process: its tasks, how they are restarted, and how they end.
//!
//! Every task is spawned here, so that none outlives the process's wish to stop and none dies unnoticed.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The wait before a failed task's first restart.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest wait between restarts: short enough that a healed dependency is used again within half a minute.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A task that ran this long was healthy, so that its next failure starts again at the first delay.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// What tasks that were cut off get to drop what they hold.
const CUT_OFF_TIME: Duration = Duration::from_secs(1);

/// The tasks of a process and the wish to stop. A clone is the same lifecycle.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

struct Inner {
    token: CancellationToken,
    tracker: TaskTracker,
    handle: Option<Handle>,
    tasks: Mutex<BTreeMap<u64, Task>>,
    next_id: AtomicU64,
}

struct Task {
    name: String,
    abort: AbortHandle,
}

/// Tasks that did not end within the grace and were cut off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tasks did not stop in time: {}", .tasks.join(", "))]
pub struct Unfinished {
    /// Their names.
    pub tasks: Vec<String>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A lifecycle whose tasks run on the runtime this is called in, whichever thread spawns them later.
    pub fn new() -> Self {
        let inner = Inner {
            token: CancellationToken::new(),
            tracker: TaskTracker::new(),
            handle: Handle::try_current().ok(),
            tasks: Mutex::new(BTreeMap::new()),
            next_id: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Cancelled when the process is to stop; a task that waits must wait for this too.
    pub fn token(&self) -> CancellationToken {
        self.inner.token.clone()
    }

    /// Whether the process is to stop.
    pub fn is_stopping(&self) -> bool {
        self.inner.token.is_cancelled()
    }

    /// Runs a task to its end. It is waited for at shutdown; a panic in it is logged.
    pub fn spawn(&self, name: impl Into<String>, future: impl Future<Output = ()> + Send + 'static) {
        let name = name.into();
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let (abort, registration) = AbortHandle::new_pair();
        self.inner.tasks().insert(id, Task { name: name.clone(), abort });
        let leave = Leave { inner: Arc::clone(&self.inner), id };
        let task = async move {
            let _leave = leave;
            if let Err(panic) = AssertUnwindSafe(Abortable::new(future, registration)).catch_unwind().await {
                tracing::error!(task.name = %name, error = %panic_text(&*panic), "a task panicked");
            }
        };
        match &self.inner.handle {
            Some(handle) => self.inner.tracker.spawn_on(task, handle),
            None => self.inner.tracker.spawn(task),
        };
    }

    /// Runs a task and, after an error or a panic, runs it anew with growing, jittered waits, until it ends well or the
    /// process is to stop. The task itself watches [`Lifecycle::token`], so that it can finish what it has begun.
    pub fn spawn_supervised<F, W, E>(&self, name: impl Into<String>, make: F)
    where
        F: FnMut() -> W + Send + 'static,
        W: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let name = name.into();
        self.spawn(name.clone(), supervise(name, self.token(), make));
    }

    /// Asks every task to stop and waits for them, at most for the grace; what still runs then is cut off and named.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Unfinished> {
        self.inner.token.cancel();
        self.inner.tracker.close();
        if timeout(grace, self.inner.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let tasks = self.inner.cut_off();
        // Only a task that never awaits can still be there afterwards, and waiting for it would be forever.
        let _ = timeout(CUT_OFF_TIME, self.inner.tracker.wait()).await;
        if tasks.is_empty() { Ok(()) } else { Err(Unfinished { tasks }) }
    }

    /// Waits for SIGTERM or SIGINT, or until something else cancelled the token; says which it was.
    pub async fn run_until_signal(&self) -> io::Result<&'static str> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => Ok("SIGTERM"),
            _ = interrupt.recv() => Ok("SIGINT"),
            () = self.inner.token.cancelled() => Ok("stopped from within"),
        }
    }
}

impl Inner {
    fn tasks(&self) -> MutexGuard<'_, BTreeMap<u64, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut_off(&self) -> Vec<String> {
        let tasks = self.tasks();
        tasks.values().for_each(|task| task.abort.abort());
        tasks.values().map(|task| task.name.clone()).collect()
    }
}

/// Takes a task off the list however it ended.
struct Leave {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.inner.tasks().remove(&self.id);
    }
}

async fn supervise<F, W, E>(name: String, token: CancellationToken, mut make: F)
where
    F: FnMut() -> W,
    W: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut delays = restart_delays();
    loop {
        let started = Instant::now();
        let failure = match AssertUnwindSafe(async { make().await }).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_text(&*panic),
        };
        if token.is_cancelled() {
            return;
        }
        if started.elapsed() >= HEALTHY_AFTER {
            delays = restart_delays();
        }
        let delay = delays.next().unwrap_or(LONGEST_DELAY);
        let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(task.name = %name, error = %failure, wait_ms, "a task failed and is started anew");
        metrics::counter!("onepool_task_restarts_total", "task" => name.clone()).increment(1);
        tokio::select! {
            () = token.cancelled() => return,
            () = sleep(delay) => {}
        }
    }
}

fn restart_delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}
