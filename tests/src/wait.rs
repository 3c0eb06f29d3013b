//! Waiting for a condition, with the last thing seen in the message when it does not come.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a condition may take before the test fails: long enough for a crashed broker to come back on a machine that
/// compiles meanwhile.
const DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks, at first: short against what people notice.
const SHORTEST: Duration = Duration::from_millis(20);
/// Between two looks, later: who waits for a server must not take the processor from it.
const LONGEST: Duration = Duration::from_millis(250);

/// Something that is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    what: String,
    started: Instant,
}

impl Wait {
    /// Begins to wait.
    pub fn until(what: &str) -> Self {
        Self { what: what.to_owned(), started: Instant::now() }
    }

    /// Pauses before the next look; fails the test with what was seen last when the deadline has passed.
    pub async fn pause(&self, seen: impl Display) {
        let waited = self.started.elapsed();
        assert!(waited < DEADLINE, "waited {} s in vain: {}; seen last: {seen}", waited.as_secs(), self.what);
        tokio::time::sleep((waited / 8).clamp(SHORTEST, LONGEST)).await;
    }
}

/// Looks until there is an answer, and gives it.
pub async fn until<T, S: Display>(what: &str, mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let wait = Wait::until(what);
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(seen) => wait.pause(seen).await,
        }
    }
}
