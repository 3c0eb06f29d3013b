//! Bringing databases up to date.

use std::sync::Arc;

use runtime::SystemClock;
use runtime::settings::Settings;

use crate::database::Databases;
use crate::loading::report;
use crate::roles::Selection;
use crate::terminal::say;

/// Runs every migration that has not run yet, service by service.
pub async fn migrate(settings: &Settings, role: &Selection) -> anyhow::Result<()> {
    let root = settings.root().map_err(|faults| report(&faults))?;
    let databases = Databases::open(settings, role.descriptors(), &root.data_dir, Arc::new(SystemClock))?;
    for descriptor in role.descriptors() {
        let (store, _) = databases.store(descriptor.name)?;
        let ran = store.migrate(descriptor.migrations.to_vec()).await?;
        let done = if ran.is_empty() { "is up to date".to_owned() } else { format!("ran {}", ran.join(", ")) };
        say(&format!("{}: {done}", descriptor.name))?;
    }
    databases.leave();
    Ok(())
}
