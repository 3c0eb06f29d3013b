//! Tasks are restarted when they fail, waited for when the process stops, and named when they do not stop.

use std::future::pending;
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use runtime::lifecycle::Unfinished;
use runtime::{Lifecycle, telemetry};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_task_that_fails_or_panics_is_started_anew_until_it_ends_well() {
    telemetry::metrics_text();
    let lifecycle = Lifecycle::new();
    let (ended, end) = oneshot::channel();
    let (runs, mut ended) = (Arc::new(AtomicU32::new(0)), Some(ended));
    let counted = Arc::clone(&runs);
    lifecycle.spawn_supervised("relay", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        let ended = if run == 2 { ended.take() } else { None };
        async move {
            match run {
                0 => Err("the broker is away"),
                1 => panic!("a defect"),
                _ => {
                    ended.unwrap().send(()).unwrap();
                    Ok(())
                }
            }
        }
    });
    end.await.unwrap();
    assert_eq!(lifecycle.shutdown(GRACE).await, Ok(()));
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert!(telemetry::metrics_text().contains("onepool_task_restarts_total{task=\"relay\"} 2"));
}

#[tokio::test]
async fn a_task_that_waits_for_its_restart_does_not_hold_up_the_end() {
    let lifecycle = Lifecycle::new();
    let (failed, mut failures) = mpsc::unbounded_channel();
    lifecycle.spawn_supervised("consumer", move || {
        let failed = failed.clone();
        async move {
            failed.send(()).unwrap();
            Err::<(), _>("no connection")
        }
    });
    failures.recv().await.unwrap();
    assert_eq!(lifecycle.shutdown(GRACE).await, Ok(()));
    while failures.recv().await.is_some() {}
}

#[tokio::test]
async fn stopping_waits_for_what_has_begun() {
    let lifecycle = Lifecycle::new();
    let (finished, mut work) = mpsc::unbounded_channel();
    let token = lifecycle.token();
    lifecycle.spawn("batch", async move {
        token.cancelled().await;
        tokio::task::yield_now().await;
        finished.send("committed").unwrap();
    });
    assert!(!lifecycle.is_stopping());
    assert_eq!(lifecycle.shutdown(GRACE).await, Ok(()));
    assert!(lifecycle.is_stopping());
    assert_eq!(work.recv().await, Some("committed"));
}

#[tokio::test]
async fn a_task_that_does_not_stop_is_cut_off_and_named() {
    let lifecycle = Lifecycle::new();
    let (held, dropped) = oneshot::channel::<()>();
    lifecycle.spawn("well behaved", async {});
    lifecycle.spawn("stubborn", async move {
        let _held = held;
        pending::<()>().await;
    });
    let unfinished = lifecycle.shutdown(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(unfinished, Unfinished { tasks: vec!["stubborn".to_owned()] });
    assert_eq!(unfinished.to_string(), "tasks did not stop in time: stubborn");
    assert!(dropped.await.is_err(), "what the task held was dropped");
}

#[tokio::test]
async fn a_panic_in_a_plain_task_harms_no_one_else() {
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("defective", async { panic!("a defect") });
    assert_eq!(lifecycle.shutdown(GRACE).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_outlive_the_runtime_of_the_thread_that_spawned_them() {
    let lifecycle = Lifecycle::new();
    let (started, start) = oneshot::channel();
    let token = lifecycle.token();
    thread::scope(|scope| {
        scope.spawn(|| {
            let worker = Builder::new_current_thread().build().unwrap();
            worker.block_on(async {
                lifecycle.spawn("from a worker", async move {
                    token.cancelled().await;
                    started.send(()).unwrap();
                });
            });
        });
    });
    assert_eq!(lifecycle.shutdown(GRACE).await, Ok(()));
    start.await.unwrap();
}

#[tokio::test]
async fn sigterm_asks_the_process_to_stop() {
    let lifecycle = Lifecycle::new();
    let raise = async {
        let status = Command::new("kill").args(["-TERM", &process::id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    let (stopped, ()) = tokio::join!(lifecycle.run_until_signal(), raise);
    assert_eq!(stopped.unwrap(), "SIGTERM");
}

#[tokio::test]
async fn the_process_may_also_stop_by_itself() {
    let lifecycle = Lifecycle::new();
    let (stopped, ()) = tokio::join!(lifecycle.run_until_signal(), async { lifecycle.token().cancel() });
    assert_eq!(stopped.unwrap(), "stopped from within");
}
