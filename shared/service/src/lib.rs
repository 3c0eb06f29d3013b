//! What a service is made of: its routes, consumers, jobs and migrations, as plain data.
//!
//! The binary runs any set of these in one process; no service can tell which others run beside it.

mod answer;
mod job;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Tz;
use diesel_migrations::EmbeddedMigrations;
use kernel::{SharedClock, Timestamp};
use runtime::cache::Cache;
use runtime::lifecycle::Lifecycle;
use runtime::settings::Settings;
use store::Store;

pub use answer::Answer;
pub use job::{Job, Progress, housekeeping, run_job};
pub use write::{WriteError, key_of, write};

/// What a service is built from.
#[derive(Clone)]
pub struct Platform {
    /// The service's own database.
    pub store: Store,
    /// The process's clock.
    pub clock: SharedClock,
    /// The process's cache; it may forget anything at any time.
    pub cache: Cache,
    /// Where tasks are spawned.
    pub lifecycle: Lifecycle,
    /// The retailer's time zone, for calendar days and business periods.
    pub zone: Tz,
    /// Every setting; a service reads its own section.
    pub settings: Arc<Settings>,
    /// Where everything embedded lies.
    pub data_dir: PathBuf,
}

impl Platform {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A service: data that the binary runs.
pub struct Service {
    /// Its name, which is also its role and its schema.
    pub name: &'static str,
    /// What it answers over HTTP.
    pub routes: Vec<web::Route>,
    /// How its routes are described.
    pub openapi: utoipa::openapi::OpenApi,
    /// Which events it hears.
    pub consumers: Vec<bus::Subscription>,
    /// What it does by itself.
    pub jobs: Vec<Job>,
}

/// What is known of a service before it is built: enough to migrate it and to check its settings.
#[derive(Clone, Copy)]
pub struct Descriptor {
    /// Its name, which is also its role and its schema.
    pub name: &'static str,
    /// Its commented default settings, as TOML.
    pub defaults: &'static str,
    /// Its migrations, in the order they run.
    pub migrations: &'static [&'static EmbeddedMigrations],
    /// What it hears, whether or not it runs in this process: every process sets up every queue before it sends.
    pub hears: &'static [bus::Hearing],
    /// Checks its own settings.
    pub check: fn(&Settings) -> Result<(), runtime::settings::Faults>,
    /// Builds it; the settings' faults are all named at once.
    pub build: fn(&Platform) -> Result<Service, runtime::settings::Faults>,
}
