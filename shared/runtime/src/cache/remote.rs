//! The cache in Redis, behind a timeout and a breaker, so that a dead or slow Redis costs next to nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::breaker::Breaker;
use super::count;
use crate::settings::CacheSettings;

/// How long one attempt to connect may take; no request waits for it longer than for any answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Remote {
    connection: ConnectionManager,
    timeout: Duration,
    breaker: Arc<Breaker>,
}

impl Remote {
    pub fn connect(settings: &CacheSettings) -> Result<Self, redis::RedisError> {
        let wait = Duration::from_millis(u64::from(settings.timeout_ms));
        let open = Duration::from_millis(u64::from(settings.breaker_open_ms));
        // The breaker decides when to try again, so the manager itself need not.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(wait));
        let client = Client::open(settings.url.expose_secret())?;
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(Self { connection, timeout: wait, breaker: Arc::new(Breaker::new(settings.breaker_failures, open)) })
    }

    pub async fn get(&self, key: &str) -> Option<Bytes> {
        self.ask::<Option<Vec<u8>>>("get", redis::cmd("GET").arg(key)).await.flatten().map(Bytes::from)
    }

    pub async fn put(&self, key: &str, value: &[u8], ttl: Duration) {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        self.ask::<()>("put", redis::cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms)).await;
    }

    pub async fn remove(&self, key: &str) {
        self.ask::<()>("remove", redis::cmd("UNLINK").arg(key)).await;
    }

    async fn ask<T: FromRedisValue>(&self, operation: &'static str, command: &Cmd) -> Option<T> {
        if !self.breaker.allows() {
            count(operation, "skipped");
            return None;
        }
        let mut connection = self.connection.clone();
        let problem = match timeout(self.timeout, command.query_async(&mut connection)).await {
            Ok(Ok(value)) => {
                self.breaker.succeeded();
                return Some(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        count(operation, "failed");
        if self.breaker.failed() {
            tracing::warn!(error = %problem, "Redis does not answer; the cache is passed by until it does");
        }
        None
    }
}
