//! The one way to wait: for a condition, up to a deadline. Tests never sleep for a fixed time.

use std::time::{Duration, Instant};

/// How long a condition may take before the test fails: long enough for a crashed server to come back on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks: short against what people notice, long against what a look costs.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until there is an answer, and gives it; fails the test, saying `what` was awaited, when the deadline has passed.
///
/// ```text
/// let order = eventually("the order is sourced", || async { get(id).await.filter(|order| order.status == "sourced") }).await;
/// ```
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, look).await
}

/// [`eventually`] with a deadline of its own.
pub async fn eventually_within<T>(deadline: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(started.elapsed() < deadline, "waited {} s in vain: {what}", deadline.as_secs());
        tokio::time::sleep(INTERVAL).await;
    }
}
