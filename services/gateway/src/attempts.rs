//! Wrong secrets: how many a client id, and an address, may try in a minute. Each process counts for itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contracts::{Problem, ProblemCode};
use kernel::SharedClock;
use moka::ops::compute::Op;
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::GatewaySettings;

/// The time over which wrong secrets are counted, from the first on.
const WINDOW_MICROS: i64 = 60_000_000;
/// After this a count is of no use any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Client ids and addresses that are counted: far more than can be tried in a minute.
const COUNTED: u64 = 100_000;
/// The most characters of a client id that are told apart: no client has a longer one.
const LONGEST_ID: usize = 64;
/// Secrets hashed at once: each takes 19 MiB and a processor, and no more guesses than this slip past a full count.
const HASHED_AT_ONCE: usize = 8;

/// The counts of this process; a clone is the same.
#[derive(Clone)]
pub struct Attempts {
    limits: GatewaySettings,
    clock: SharedClock,
    counts: Cache<Tried, Count>,
    turns: Arc<Semaphore>,
}

/// What wrong secrets are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Tried {
    Client(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    since_micros: i64,
    failures: u32,
}

impl Count {
    /// For how long nothing may be tried at this instant, in microseconds; none where something may.
    fn wait(self, now_micros: i64, limit: u32) -> Option<i64> {
        let left = self.since_micros.saturating_add(WINDOW_MICROS).saturating_sub(now_micros);
        (limit > 0 && self.failures >= limit && left > 0).then_some(left)
    }

    /// With one more failure at this instant.
    fn after_failure(earlier: Option<Self>, now_micros: i64) -> Self {
        let begun = earlier.filter(|count| now_micros < count.since_micros.saturating_add(WINDOW_MICROS));
        let count = begun.unwrap_or(Self { since_micros: now_micros, failures: 0 });
        Self { failures: count.failures.saturating_add(1), ..count }
    }
}

impl Attempts {
    /// Nothing was tried yet.
    pub fn new(limits: GatewaySettings, clock: SharedClock) -> Self {
        let counts = Cache::builder().max_capacity(COUNTED).time_to_live(FORGOTTEN_AFTER).build();
        Self { limits, clock, counts, turns: Arc::new(Semaphore::new(HASHED_AT_ONCE)) }
    }

    /// Waits for this attempt's turn, or refuses it where too many have failed.
    pub async fn begin(&self, client_id: &str, address: Option<IpAddr>) -> Result<Attempt, Problem> {
        let client = Tried::Client(client_id.chars().take(LONGEST_ID).collect());
        let address = address.map(Tried::Address);
        self.check(&client, address.as_ref())?;
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|_| Problem::new(ProblemCode::Unavailable))?;
        // Those that were before it in the queue may have failed.
        self.check(&client, address.as_ref())?;
        Ok(Attempt { attempts: self.clone(), client, address, _turn: turn })
    }

    fn check(&self, client: &Tried, address: Option<&Tried>) -> Result<(), Problem> {
        let now = self.clock.now().unix_micros();
        let wait = |tried: &Tried, limit: u32| self.counts.get(tried).and_then(|count| count.wait(now, limit));
        let by_client = wait(client, self.limits.token_failures_per_client);
        let by_address = address.and_then(|address| wait(address, self.limits.token_failures_per_address));
        let Some(micros) = by_client.max(by_address) else { return Ok(()) };
        let seconds = u32::try_from(micros.saturating_add(999_999).div_euclid(1_000_000)).unwrap_or(u32::MAX);
        Err(Problem::new(ProblemCode::RateLimited).detail("too many wrong secrets were sent").retry_after(seconds))
    }

    fn count(&self, tried: Tried, limit: u32) {
        let now = self.clock.now().unix_micros();
        let counted = self
            .counts
            .entry(tried)
            .and_compute_with(|earlier| Op::Put(Count::after_failure(earlier.map(moka::Entry::into_value), now)));
        if counted.into_entry().is_some_and(|entry| entry.into_value().failures == limit) {
            tracing::warn!("too many wrong secrets were sent; the client id or address is refused for a minute");
        }
    }
}

/// A secret that is being checked.
pub struct Attempt {
    attempts: Attempts,
    client: Tried,
    address: Option<Tried>,
    _turn: OwnedSemaphorePermit,
}

impl Attempt {
    /// The secret was right.
    pub fn succeeded(self) {
        self.attempts.counts.invalidate(&self.client);
    }

    /// The secret was wrong.
    pub fn failed(self) {
        self.attempts.count(self.client, self.attempts.limits.token_failures_per_client);
        if let Some(address) = self.address {
            self.attempts.count(address, self.attempts.limits.token_failures_per_address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_begins_with_its_first_failure() {
        let first = Count::after_failure(None, 5);
        let second = Count::after_failure(Some(first), 59_999_999);
        assert_eq!(second, Count { since_micros: 5, failures: 2 });
        assert_eq!(second.wait(60_000_000, 2), Some(5));
        assert_eq!(second.wait(60_000_005, 2), None);
        assert_eq!(Count::after_failure(Some(second), 60_000_005), Count { since_micros: 60_000_005, failures: 1 });
    }

    #[test]
    fn below_the_limit_and_without_one_nothing_is_refused() {
        let count = Count { since_micros: 0, failures: 9 };
        assert_eq!([10, 9, 0].map(|limit| count.wait(0, limit)), [None, Some(60_000_000), None]);
    }
}
