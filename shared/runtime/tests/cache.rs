//! The cache over the process's memory and over a real Redis, also one that is dead, silent or comes back.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in what its tests share")]

use std::env;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use runtime::settings::{CacheSettings, ExposeSecret};
use runtime::{Cache, Lifecycle, Settings, telemetry};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(60);

fn settings(url: &str) -> CacheSettings {
    let environment = [("ONEPOOL__CACHE__URL".to_owned(), url.to_owned())];
    Settings::load(&[], None, environment).unwrap().section("cache").unwrap()
}

fn redis_url() -> String {
    env::var("ONEPOOL_TEST_REDIS").expect("ONEPOOL_TEST_REDIS names the Redis of the tests; `make test` sets it")
}

/// A part of the cache that no other run of the tests uses.
fn own_part(cache: &Cache) -> Cache {
    let folder = tempfile::tempdir().unwrap();
    cache.scoped(&folder.path().display().to_string())
}

async fn eventually<W: Future<Output = bool>>(mut condition: impl FnMut() -> W) {
    let mut ticks = interval(Duration::from_millis(5));
    let met = async {
        while !condition().await {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), met).await.expect("the condition was not met in time");
}

async fn keeps_forgets_and_expires(cache: &Cache) {
    assert_eq!(cache.get("a").await, None);
    cache.put("a", Bytes::from_static(b"\x00one\xff"), LONG).await;
    assert_eq!(cache.get("a").await, Some(Bytes::from_static(b"\x00one\xff")));
    cache.put("a", Bytes::from_static(b"two"), LONG).await;
    assert_eq!(cache.get("a").await, Some(Bytes::from_static(b"two")));
    assert_eq!(cache.scoped("other").get("a").await, None);
    cache.remove("a").await;
    assert_eq!(cache.get("a").await, None);
    cache.put("short", Bytes::from_static(b"lived"), Duration::from_millis(20)).await;
    eventually(|| async { cache.get("short").await.is_none() }).await;
}

#[tokio::test]
async fn memory_keeps_forgets_and_expires() {
    keeps_forgets_and_expires(&Cache::connect(&settings("embedded:")).unwrap()).await;
}

#[tokio::test]
async fn redis_keeps_forgets_and_expires() {
    keeps_forgets_and_expires(&own_part(&Cache::connect(&settings(&redis_url())).unwrap())).await;
}

#[tokio::test]
async fn two_processes_share_redis_and_two_parts_of_it_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().display().to_string();
    let one = Cache::connect(&settings(&redis_url())).unwrap().scoped(&part);
    one.put("shared", Bytes::from_static(b"value"), LONG).await;
    let two = Cache::connect(&settings(&redis_url())).unwrap();
    assert_eq!(two.scoped(&part).get("shared").await, Some(Bytes::from_static(b"value")));
    assert_eq!(two.get("shared").await, None);
}

#[tokio::test]
async fn memory_stays_within_its_bytes() {
    let cache = Cache::connect(&CacheSettings { memory_bytes: 10_000, ..settings("embedded:") }).unwrap();
    cache.put("huge", Bytes::from(vec![0; 20_000]), LONG).await;
    eventually(|| async { cache.get("huge").await.is_none() }).await;
    cache.put("small", Bytes::from_static(b"fits"), LONG).await;
    assert_eq!(cache.get("small").await, Some(Bytes::from_static(b"fits")));
}

#[tokio::test]
async fn a_silent_redis_costs_a_few_timeouts_and_then_nothing() {
    telemetry::metrics_text();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let cache = Cache::connect(&settings(&url)).unwrap();
    let started = Instant::now();
    for _ in 0..2_000 {
        assert_eq!(cache.get("a").await, None);
    }
    // Waiting 50 ms each time would take 100 seconds; the breaker lets three through, and then one a second.
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
    assert!(telemetry::metrics_text().contains("outcome=\"failed\""));
    assert!(telemetry::metrics_text().contains("outcome=\"skipped\""));
}

#[tokio::test]
async fn a_redis_that_comes_up_late_is_used_from_then_on() {
    let lifecycle = Lifecycle::new();
    let (link, url) = Link::new(&lifecycle).await;
    let cache = own_part(&Cache::connect(&CacheSettings { breaker_open_ms: 50, ..settings(&url) }).unwrap());
    cache.put("a", Bytes::from_static(b"lost"), LONG).await;
    for _ in 0..10 {
        assert_eq!(cache.get("a").await, None, "more failures than the breaker lets pass");
    }
    link.set(true);
    is_used(&cache).await;
    lifecycle.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_dies_is_passed_by_and_used_again_when_it_is_back() {
    let lifecycle = Lifecycle::new();
    let (link, url) = Link::new(&lifecycle).await;
    link.set(true);
    let cache = own_part(&Cache::connect(&settings(&url)).unwrap());
    is_used(&cache).await;
    link.set(false);
    eventually(|| async { cache.get("a").await.is_none() }).await;
    link.set(true);
    is_used(&cache).await;
    lifecycle.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_and_not_a_miss() {
    assert!(Cache::connect(&settings("redis://:not a port:")).is_err());
    assert_eq!(settings("redis://:pass@host").url.expose_secret(), "redis://:pass@host");
}

async fn is_used(cache: &Cache) {
    eventually(|| async {
        cache.put("a", Bytes::from_static(b"there"), LONG).await;
        cache.get("a").await.is_some()
    })
    .await;
}

/// A way to the real Redis that is closed at first, and can be opened and cut.
struct Link(watch::Sender<bool>);

impl Link {
    async fn new(lifecycle: &Lifecycle) -> (Self, String) {
        let target = redis_url().trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (open, is_open) = watch::channel(false);
        let (token, connections) = (lifecycle.token(), lifecycle.clone());
        lifecycle.spawn("link", async move {
            while let Some(Ok((near, _))) = token.run_until_cancelled(listener.accept()).await {
                connections.spawn("link's connection", pass(near, target.clone(), is_open.clone(), token.clone()));
            }
        });
        (Self(open), url)
    }

    fn set(&self, open: bool) {
        self.0.send_replace(open);
    }
}

async fn pass(mut near: TcpStream, target: String, mut is_open: watch::Receiver<bool>, stop: CancellationToken) {
    if !*is_open.borrow() {
        return;
    }
    let mut far = TcpStream::connect(target).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = is_open.wait_for(|open| !open) => {}
        () = stop.cancelled() => {}
    }
}
