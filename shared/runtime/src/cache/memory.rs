//! The cache in this process's memory, bounded by bytes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::sync::Cache;

/// What an entry costs beside its key and value.
const ENTRY_OVERHEAD_BYTES: usize = 128;

#[derive(Clone)]
pub(super) struct Memory(Cache<String, Entry>);

#[derive(Clone)]
struct Entry {
    value: Bytes,
    ttl: Duration,
}

struct OwnTtl;

impl Expiry<String, Entry> for OwnTtl {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &String, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl Memory {
    pub fn new(bytes: u64) -> Self {
        let weight = |key: &String, entry: &Entry| {
            let bytes = key.len().saturating_add(entry.value.len()).saturating_add(ENTRY_OVERHEAD_BYTES);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weight).expire_after(OwnTtl).build())
    }

    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.0.get(key).map(|entry| entry.value)
    }

    pub fn put(&self, key: String, value: Bytes, ttl: Duration) {
        self.0.insert(key, Entry { value, ttl });
    }

    pub fn remove(&self, key: &str) {
        self.0.invalidate(key);
    }
}
