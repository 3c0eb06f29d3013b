//! The limits on requests, and the allowance of each client.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Limits on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest JSON body in bytes. 1 MiB holds an order of some thousand lines.
    pub body_bytes: usize,
    /// The longest line of an ndjson or csv body in bytes; the body itself may be of any length, since it is never held.
    /// 256 KiB is one item, however large.
    pub line_bytes: usize,
    /// How long a body may stand still before it is given up. 30 seconds outlast a lost packet, not a stalled client.
    pub body_pause: Duration,
    /// Requests worked on at once by the process; more are answered 503. 4,096 fill every queue behind them.
    pub in_flight: usize,
    /// Requests a second that one client may make in the long run.
    pub client_requests_per_second: NonZeroU32,
    /// Requests that one client may make at once after a rest.
    pub client_request_burst: NonZeroU32,
    /// The longest that `Prefer: wait` holds an answer back. 30 seconds stay below what proxies cut.
    pub wait_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            line_bytes: 256 << 10,
            body_pause: Duration::from_secs(30),
            in_flight: 4_096,
            client_requests_per_second: at_least_one(5_000),
            client_request_burst: at_least_one(10_000),
            wait_seconds: 30,
        }
    }
}

/// A number that a quota can be made of.
pub(crate) fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl Limits {
    /// The limits in force for a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.app_data::<Self>().copied().unwrap_or_default()
    }
}

/// Who an allowance belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A client with a verified token.
    Client(String),
    /// Somebody without one, by the address of the connection; behind an ingress that is the ingress, which has to
    /// ration by the addresses that it sees.
    Address(Option<IpAddr>),
}

/// After so many checks the allowances that are full again are forgotten, so that memory follows the present callers.
const CHECKS_BETWEEN_SWEEPS: u32 = 100_000;

/// The allowance of each caller, counted in this process.
pub(crate) struct Allowance {
    limiter: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl Allowance {
    pub(crate) fn new(limits: &Limits) -> Self {
        let quota = Quota::per_second(limits.client_requests_per_second).allow_burst(limits.client_request_burst);
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), checks: AtomicU32::new(0) }
    }

    /// Takes one request from the caller's allowance, or tells how long to wait for the next.
    pub(crate) fn take(&self, caller: &Caller) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_BETWEEN_SWEEPS == CHECKS_BETWEEN_SWEEPS - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(caller).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}
