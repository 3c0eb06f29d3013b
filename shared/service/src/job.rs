//! Jobs: reconcilers that take no input, do a bounded step, and may run again at any time.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use runtime::lifecycle::Lifecycle;
use store::{Error, Store, Tx, idempotency, inbox};
use tokio::sync::Notify;

/// Whether a job has more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left for now.
    Done,
    /// There is more; run again without waiting.
    More,
}

type Step = dyn Fn(&mut Tx<'_>) -> Result<Progress, Error> + Send + Sync;

/// One bounded step, woken by a signal and by a timer. Of all replicas one at a time runs it.
#[derive(Clone)]
pub struct Job {
    /// Its name within the service.
    pub name: &'static str,
    /// The longest pause between runs.
    pub every: Duration,
    /// Runs it before its time is up.
    pub wake: Option<Arc<Notify>>,
    /// How many times as long as a step took it rests after it, also when there is more to do.
    pub rest: u32,
    /// The step; idempotent.
    pub run: Arc<Step>,
}

impl Job {
    /// A job without a wake signal.
    pub fn new(
        name: &'static str,
        every: Duration,
        run: impl Fn(&mut Tx<'_>) -> Result<Progress, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { name, every, wake: None, rest: 0, run: Arc::new(run) }
    }

    /// Rests after each step so many times as long as the step took: what is checked in the background must not take the
    /// database from those who wait for it.
    #[must_use]
    pub fn resting(mut self, times: u32) -> Self {
        self.rest = times;
        self
    }

    /// Also runs when this is notified.
    #[must_use]
    pub fn woken_by(mut self, wake: Arc<Notify>) -> Self {
        self.wake = Some(wake);
        self
    }
}

/// Runs a job until the process drains.
pub fn run_job(store: &Store, job: Job, lifecycle: &Lifecycle) {
    let (store, token) = (store.clone(), lifecycle.token());
    lifecycle.spawn(job.name, async move {
        let wake = job.wake.clone().unwrap_or_default();
        while !token.is_cancelled() {
            let began = std::time::Instant::now();
            let progress = step(&store, &job).await;
            let rest = began.elapsed().saturating_mul(job.rest);
            if !rest.is_zero() {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(rest) => {}
                }
            }
            if progress == Progress::More {
                continue;
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(job.every) => {}
            }
        }
    });
}

#[derive(QueryableByName)]
struct Granted {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

/// One step under the job's lock; another replica that holds the lock is doing the same work already.
async fn step(store: &Store, job: &Job) -> Progress {
    let (run, lock) = (job.run.clone(), format!("onepool/{}/job/{}", store.schema(), job.name));
    let outcome: Result<Progress, Error> = store
        .transact(job.name, move |tx| {
            let row: Granted =
                diesel::sql_query("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS granted")
                    .bind::<Text, _>(lock)
                    .get_result(tx.conn())?;
            if row.granted { run(tx) } else { Ok(Progress::Done) }
        })
        .await;
    outcome.unwrap_or_else(|error| {
        metrics::counter!("onepool_job_failures_total", "name" => job.name).increment(1);
        tracing::warn!(job.name = job.name, error = %error, "a job failed; it runs again at its next time");
        Progress::Done
    })
}

/// How long answers to idempotency keys and marks of taken events are kept: a client that repeats a request later than
/// this, or a broker that redelivers later than this, is broken.
const KEPT_SECONDS: i64 = 7 * 24 * 3600;
/// Rows removed in one step, so that no step holds locks for long.
const REMOVED_PER_STEP: i64 = 10_000;

/// The job that every service has: it forgets old marks and answers.
pub fn housekeeping() -> Job {
    Job::new("housekeeping", Duration::from_secs(60), |tx| {
        let before = tx.now().plus_seconds(-KEPT_SECONDS);
        let removed =
            inbox::prune(tx, before, REMOVED_PER_STEP)?.max(idempotency::prune(tx, before, REMOVED_PER_STEP)?);
        let more = i64::try_from(removed).is_ok_and(|removed| removed >= REMOVED_PER_STEP);
        Ok(if more { Progress::More } else { Progress::Done })
    })
}
