//! The cache: Redis, or this process's memory. It is never the truth: whatever fails here is a miss.

mod breaker;
mod memory;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret;

use crate::settings::{CacheSettings, EMBEDDED};

/// A cache; a clone is the same cache.
#[derive(Clone)]
pub struct Cache {
    backend: Backend,
    prefix: Arc<str>,
}

#[derive(Clone)]
enum Backend {
    Memory(memory::Memory),
    Remote(remote::Remote),
}

/// A cache that cannot be set up. A Redis that is not there is no such error: its answers are misses.
#[derive(Debug, thiserror::Error)]
#[error("cache.url cannot be used: {0}")]
pub struct Error(#[from] redis::RedisError);

impl Cache {
    /// The cache that the settings name. It connects when it is first asked, on the async runtime this is called in.
    pub fn connect(settings: &CacheSettings) -> Result<Self, Error> {
        let backend = match settings.url.expose_secret() {
            EMBEDDED => Backend::Memory(memory::Memory::new(u64::from(settings.memory_bytes))),
            _ => Backend::Remote(remote::Remote::connect(settings)?),
        };
        Ok(Self { backend, prefix: "onepool:".into() })
    }

    /// The same cache with `name:` before every key, so that two users of it cannot meet.
    pub fn scoped(&self, name: &str) -> Self {
        Self { backend: self.backend.clone(), prefix: format!("{}{name}:", self.prefix).into() }
    }

    /// What is stored under the key, unless it has expired, was dropped, or cannot be had in time.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let key = self.key(key);
        let found = match &self.backend {
            Backend::Memory(memory) => memory.get(&key),
            Backend::Remote(remote) => remote.get(&key).await,
        };
        count("get", if found.is_some() { "hit" } else { "miss" });
        found
    }

    /// Stores a value for at most `ttl`, if it can.
    pub async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        let key = self.key(key);
        match &self.backend {
            Backend::Memory(memory) => memory.put(key, value, ttl),
            Backend::Remote(remote) => remote.put(&key, &value, ttl).await,
        }
    }

    /// Forgets a value, if it can; if it cannot, the value lives until its `ttl` is over.
    pub async fn remove(&self, key: &str) {
        let key = self.key(key);
        match &self.backend {
            Backend::Memory(memory) => memory.remove(&key),
            Backend::Remote(remote) => remote.remove(&key).await,
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

fn count(operation: &'static str, outcome: &'static str) {
    metrics::counter!("onepool_cache_total", "operation" => operation, "outcome" => outcome).increment(1);
}
