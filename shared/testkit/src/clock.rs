//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use kernel::{Clock, Timestamp};

/// A clock that tests set and move. It starts on the first second of 11 November 2026 in Shanghai.
#[derive(Debug)]
pub struct ManualClock {
    unix_micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows the usual start of a test.
    pub fn new() -> Arc<Self> {
        Self::at("2026-11-11T00:00:00+08:00")
    }

    /// A clock that shows the given instant (RFC 3339).
    pub fn at(instant: &str) -> Arc<Self> {
        let start: Timestamp = instant.parse().expect("an RFC 3339 instant with an offset");
        Arc::new(Self { unix_micros: AtomicI64::new(start.unix_micros()) })
    }

    /// Sets the clock to the given instant (RFC 3339).
    pub fn set(&self, instant: &str) {
        let at: Timestamp = instant.parse().expect("an RFC 3339 instant with an offset");
        self.unix_micros.store(at.unix_micros(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("less than 290,000 years");
        self.unix_micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.unix_micros.load(Ordering::SeqCst))
    }
}
