//! Revoked access: up to which instant the tokens of a client are refused before they expire.
//!
//! It lives in the cache, which may forget: then a token is believed until it expires, as without it.

use std::time::Duration;

use bytes::Bytes;
use kernel::Timestamp;
use moka::future::Cache as Memory;
use runtime::Cache;

/// How long an answer is remembered, so that the cache is not asked with every request.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// Clients whose answers are remembered.
const REMEMBERED_CLIENTS: u64 = 10_000;

/// The revocations that all processes over one cache share. A clone is the same.
#[derive(Clone)]
pub struct Revocations {
    cache: Cache,
    remembered: Memory<String, Option<i64>>,
}

impl Revocations {
    /// The revocations in a cache.
    pub fn new(cache: &Cache) -> Self {
        let remembered = Memory::builder().max_capacity(REMEMBERED_CLIENTS).time_to_live(REMEMBERED_FOR).build();
        Self { cache: cache.scoped("revoked"), remembered }
    }

    /// Refuses the client's tokens issued up to this instant's second. It is kept for `lifetime`, after which none of
    /// them is valid any more.
    pub async fn revoke(&self, client_id: &str, at: Timestamp, lifetime: Duration) {
        let second = at.unix_micros().div_euclid(1_000_000);
        self.cache.put(client_id, Bytes::from(second.to_string()), lifetime).await;
        self.remembered.invalidate(client_id).await;
    }

    /// The second up to which the client's tokens are refused, as the cache knows it now.
    pub async fn of(&self, client_id: &str) -> Option<i64> {
        let found = self.cache.get(client_id).await?;
        std::str::from_utf8(&found).ok()?.parse().ok()
    }

    /// Whether a token of the client, issued in this second, is revoked, as it was known a second ago.
    pub(crate) async fn cover(&self, client_id: &str, issued: i64) -> bool {
        let until = match self.remembered.get(client_id).await {
            Some(until) => until,
            // Of many requests at once one asks, and the others get its answer.
            None => self.remembered.get_with(client_id.to_owned(), self.of(client_id)).await,
        };
        until.is_some_and(|until| issued <= until)
    }
}
