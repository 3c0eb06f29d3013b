//! The platform's own sections as types. What each setting means is said once, in `defaults.toml`.

use std::path::PathBuf;

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tracing_subscriber::EnvFilter;

use super::{Faults, Settings};

/// The URL that means: no server of its own, the process brings it along.
pub const EMBEDDED: &str = "embedded:";

/// Every section that is not one service's own.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    /// Above all sections.
    pub root: Root,
    /// `[http]`
    pub http: HttpSettings,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[bus]`
    pub bus: BusSettings,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[auth]`
    pub auth: AuthSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
    /// `[limits]`
    pub limits: LimitSettings,
}

impl PlatformSettings {
    pub(super) fn from(settings: &Settings) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let root = faults.take(settings.root());
        let http = faults.take(settings.section("http"));
        let database = faults.take(settings.section("database"));
        let bus = faults.take(settings.section("bus"));
        let cache = faults.take(settings.section("cache"));
        let auth = faults.take(settings.section("auth"));
        let telemetry = faults.take(settings.section("telemetry"));
        let limits = faults.take(settings.section("limits"));
        let all = || {
            let (root, http, database, bus) = (root?, http?, database?, bus?);
            Some(Self { root, http, database, bus, cache: cache?, auth: auth?, telemetry: telemetry?, limits: limits? })
        };
        faults.into_result(all())
    }
}

/// The settings above all sections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct Root {
    pub data_dir: PathBuf,
    #[serde(deserialize_with = "time_zone")]
    pub time_zone: Tz,
    #[serde(deserialize_with = "log_filter")]
    pub log: String,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct HttpSettings {
    pub host: String,
    pub port: u16,
    pub metrics_port: u16,
    pub workers: u16,
    #[serde(deserialize_with = "positive")]
    pub max_connections: u32,
    #[serde(deserialize_with = "positive")]
    pub max_requests_in_flight: u32,
    #[serde(deserialize_with = "positive")]
    pub max_body_bytes: u32,
    #[serde(deserialize_with = "positive")]
    pub max_bulk_line_bytes: u32,
    #[serde(deserialize_with = "positive")]
    pub request_timeout_seconds: u32,
    #[serde(deserialize_with = "positive")]
    pub keep_alive_seconds: u32,
    pub drain_seconds: u32,
    pub cors_origins: Vec<String>,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct DatabaseSettings {
    #[serde(deserialize_with = "database_url")]
    pub url: SecretString,
    #[serde(deserialize_with = "positive")]
    pub pool_size: u32,
    #[serde(deserialize_with = "positive")]
    pub connection_timeout_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub statement_timeout_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub lock_timeout_ms: u32,
    pub binaries: PathBuf,
    pub embedded_port: u16,
}

/// `[bus]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct BusSettings {
    #[serde(deserialize_with = "bus_url")]
    pub url: SecretString,
    #[serde(deserialize_with = "positive")]
    pub batch_events: u32,
    #[serde(deserialize_with = "positive")]
    pub prefetch: u16,
    pub give_way_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub confirm_timeout_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub poll_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub max_queue_messages: u32,
    #[serde(deserialize_with = "positive")]
    pub retry_attempts: u32,
    #[serde(deserialize_with = "positive")]
    pub retry_first_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub retry_longest_ms: u32,
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct CacheSettings {
    #[serde(deserialize_with = "cache_url")]
    pub url: SecretString,
    #[serde(deserialize_with = "positive")]
    pub timeout_ms: u32,
    #[serde(deserialize_with = "positive")]
    pub breaker_failures: u32,
    #[serde(deserialize_with = "positive")]
    pub breaker_open_ms: u32,
    pub memory_bytes: u32,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct AuthSettings {
    pub issuer: String,
    pub audience: String,
    #[serde(deserialize_with = "positive")]
    pub token_ttl_seconds: u32,
    pub clock_skew_seconds: u32,
    pub signing_key_file: PathBuf,
    pub jwks_url: String,
    pub bootstrap: BootstrapSettings,
}

/// `[auth.bootstrap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct BootstrapSettings {
    pub client_id: String,
    pub client_secret: SecretString,
}

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct TelemetrySettings {
    pub log_format: LogFormat,
    pub otlp_endpoint: String,
    #[serde(deserialize_with = "ratio")]
    pub sample_ratio: f64,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Coloured text, for people.
    Pretty,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "defaults.toml is the manual")]
pub struct LimitSettings {
    #[serde(deserialize_with = "positive")]
    pub client_requests_per_second: u32,
    #[serde(deserialize_with = "positive")]
    pub client_request_burst: u32,
    pub wait_seconds: u32,
}

fn time_zone<'de, D: Deserializer<'de>>(value: D) -> Result<Tz, D::Error> {
    String::deserialize(value)?.parse().map_err(|_| D::Error::custom("expects a time zone such as Asia/Shanghai"))
}

fn log_filter<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let filter = String::deserialize(value)?;
    match EnvFilter::builder().parse(&filter) {
        Ok(_) => Ok(filter),
        Err(_) => Err(D::Error::custom("expects a level, or levels per target such as info,store=debug")),
    }
}

fn positive<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default + PartialOrd>(value: D) -> Result<T, D::Error> {
    let number = T::deserialize(value)?;
    if number > T::default() { Ok(number) } else { Err(D::Error::custom("must be at least 1")) }
}

fn ratio<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(value)?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err(D::Error::custom("expects a number from 0 to 1")) }
}

fn database_url<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    database_url_of(&String::deserialize(value)?).map_err(D::Error::custom)
}

/// The URL of a database, wherever it was given.
pub(super) fn database_url_of(text: &str) -> Result<SecretString, String> {
    url(text, &[EMBEDDED, "postgres://", "postgresql://"])
}

fn bus_url<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    url(&String::deserialize(value)?, &[EMBEDDED, "amqp://"]).map_err(D::Error::custom)
}

fn cache_url<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    url(&String::deserialize(value)?, &[EMBEDDED, "redis://"]).map_err(D::Error::custom)
}

/// A URL may carry a password, so it is kept as a secret and no message shows it.
fn url(text: &str, schemes: &[&str]) -> Result<SecretString, String> {
    if schemes.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.into());
    }
    Err(format!("expects a URL that begins with one of {}", schemes.join(" ")))
}
