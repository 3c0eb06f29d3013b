//! How long to wait before something is tried again: growing, bounded, and spread so that not all try at once.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The first wait after a broker or database went away.
const FIRST: Duration = Duration::from_millis(50);
/// The longest: short enough that work goes on within seconds after a long outage.
const LONGEST: Duration = Duration::from_secs(5);

/// The process is to stop; what was being tried is left as it is.
#[derive(Debug)]
pub(crate) struct Stopped;

/// The waits of one thing that is tried until it works.
pub(crate) struct Delay {
    waits: ExponentialBackoff,
    token: CancellationToken,
}

impl Delay {
    pub fn new(token: CancellationToken) -> Self {
        Self { waits: waits(), token }
    }

    /// Waits before the next try, unless the process is to stop.
    pub async fn wait(&mut self) -> Result<(), Stopped> {
        let wait = self.waits.next().unwrap_or(LONGEST);
        tokio::select! {
            () = self.token.cancelled() => Err(Stopped),
            () = sleep(wait) => Ok(()),
        }
    }

    /// It worked: the next failure starts with the first wait again.
    pub fn reset(&mut self) {
        self.waits = waits();
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).with_jitter().without_max_times().build()
}

/// When an event that failed is tried again: each wait twice the one before, up to the longest, less up to a half.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How often an event is tried before it is parked.
    pub attempts: u32,
}

impl Schedule {
    /// The wait after so many tries; none when there is to be no further one. `chance` lies between 0 and 255.
    pub fn wait(&self, attempts_made: u32, chance: u8) -> Option<Duration> {
        if attempts_made >= self.attempts {
            return None;
        }
        let doublings = attempts_made.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1_u32 << doublings).min(self.longest);
        let less = whole.checked_div(2 * 255).unwrap_or_default().saturating_mul(u32::from(chance));
        Some(whole.saturating_sub(less))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_last_attempt() {
        let schedule = Schedule { first: Duration::from_millis(200), longest: Duration::from_secs(60), attempts: 12 };
        let millis = |attempts| schedule.wait(attempts, 0).map(|wait| wait.as_millis());
        assert_eq!([1, 2, 3, 9, 10, 11].map(millis), [200, 400, 800, 51_200, 60_000, 60_000].map(Some));
        assert_eq!(schedule.wait(12, 0), None);
    }

    #[test]
    fn chance_takes_off_at_most_a_half() {
        let schedule = Schedule { first: Duration::from_millis(510), longest: Duration::from_secs(60), attempts: 12 };
        assert_eq!(schedule.wait(1, 255), Some(Duration::from_millis(255)));
    }
}
