//! A breaker: after some failures in a row nothing is asked for a while, then one request tries.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) struct Breaker {
    failures_allowed: u32,
    open_ms: u64,
    born: Instant,
    failures: AtomicU32,
    closed_again_ms: AtomicU64,
}

impl Breaker {
    pub fn new(failures_allowed: u32, open: Duration) -> Self {
        Self {
            failures_allowed,
            open_ms: u64::try_from(open.as_millis()).unwrap_or(u64::MAX),
            born: Instant::now(),
            failures: AtomicU32::new(0),
            closed_again_ms: AtomicU64::new(0),
        }
    }

    /// Whether this request may go out. While the breaker is open, one request per interval may: whoever moves the
    /// end of the interval on.
    pub fn allows(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < self.failures_allowed {
            return true;
        }
        let (now, until) = (self.now_ms(), self.closed_again_ms.load(Ordering::Relaxed));
        let next = now.saturating_add(self.open_ms);
        let moved = || self.closed_again_ms.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        now >= until && moved().is_ok()
    }

    pub fn succeeded(&self) {
        // Read first: a store from every request would make the processors fight over the line.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a failure; true when it is the one that opened the breaker.
    pub fn failed(&self) -> bool {
        self.closed_again_ms.store(self.now_ms().saturating_add(self.open_ms), Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) == self.failures_allowed
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
