//! Ends the tokens of a client before they expire, in every process that shares the cache.

use std::time::Duration;

use kernel::SharedClock;
use runtime::Cache;
use runtime::settings::AuthSettings;
use web::keys::Revocations;

/// Revokes tokens, and issues none that look revoked.
#[derive(Clone)]
pub struct Revoker {
    revocations: Revocations,
    clock: SharedClock,
    lifetime: Duration,
}

impl Revoker {
    /// Over the gateway's own part of the cache.
    pub fn new(cache: &Cache, clock: SharedClock, auth: &AuthSettings) -> Self {
        let seconds = u64::from(auth.token_ttl_seconds).saturating_add(u64::from(auth.clock_skew_seconds));
        Self { revocations: Revocations::new(cache), clock, lifetime: Duration::from_secs(seconds) }
    }

    /// Ends the tokens that the client has now; called when what they came from is gone.
    pub async fn revoke(&self, client_id: &str) {
        self.revocations.revoke(client_id, self.clock.now(), self.lifetime).await;
    }

    /// The second that a token is issued in; asked before the client is read, so that a token of a client that is removed
    /// meanwhile is revoked with the others. A token of a client made anew in the second of a revocation is of the next.
    pub async fn issue_second(&self, client_id: &str) -> i64 {
        let revoked = self.revocations.of(client_id).await;
        let now = self.clock.now().unix_micros().div_euclid(1_000_000);
        revoked.map_or(now, |until| now.max(until.saturating_add(1)))
    }
}
