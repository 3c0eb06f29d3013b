//! Where each service's data lies: a server's URL, or the embedded cluster, started when first needed.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use kernel::SharedClock;
use runtime::settings::{DatabaseSettings, EMBEDDED, ExposeSecret, Settings};
use service::Descriptor;
use store::embedded::Cluster;
use store::{Store, StoreOptions};

use crate::loading::report;

/// The databases of this process's services.
pub struct Databases {
    settings: Settings,
    clock: SharedClock,
    cluster: Option<Cluster>,
}

impl Databases {
    /// Starts the embedded cluster if one of the services needs it.
    pub fn open<'a>(
        settings: &Settings,
        services: impl Iterator<Item = &'a Descriptor>,
        data_dir: &Path,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let mut cluster = None;
        for descriptor in services {
            let database = settings.database(descriptor.name).map_err(|faults| report(&faults))?;
            if is_embedded(&database) && cluster.is_none() {
                let started = Cluster::start(data_dir, &database.binaries, database.embedded_port);
                cluster = Some(started.context("the embedded database did not start")?);
            }
        }
        Ok(Self { settings: settings.clone(), clock, cluster })
    }

    /// A service's store, and whether it lies in the embedded cluster.
    pub fn store(&self, name: &str) -> anyhow::Result<(Store, bool)> {
        let database = self.settings.database(name).map_err(|faults| report(&faults))?;
        let embedded = is_embedded(&database);
        let url = match (&self.cluster, embedded) {
            (Some(cluster), true) => cluster.url().to_owned(),
            _ => database.url.expose_secret().to_owned(),
        };
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        let options = StoreOptions {
            pool_size: database.pool_size,
            acquire_timeout: millis(database.connection_timeout_ms),
            statement_timeout: millis(database.statement_timeout_ms),
            lock_timeout: millis(database.lock_timeout_ms),
            ..StoreOptions::new(url, name)
        };
        Ok((Store::connect(options, self.clock.clone())?, embedded))
    }

    /// Stops the embedded cluster, unless it ran before: then a server is using it.
    pub fn leave(&self) {
        if !self.cluster.as_ref().is_some_and(Cluster::was_running) {
            self.close();
        }
    }

    /// Stops the embedded cluster, if there is one.
    pub fn close(&self) {
        if let Some(Err(error)) = self.cluster.as_ref().map(Cluster::stop) {
            tracing::warn!(error = %error, "the embedded database did not stop; the next start goes on with it");
        }
    }
}

fn is_embedded(database: &DatabaseSettings) -> bool {
    database.url.expose_secret() == EMBEDDED
}
