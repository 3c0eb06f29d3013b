//! Looking at the outboxes.

use std::sync::Arc;

use kernel::Timestamp;
use runtime::SystemClock;
use runtime::settings::Settings;
use store::outbox;

use crate::arguments::OutboxCommand;
use crate::database::Databases;
use crate::loading::report;
use crate::roles;
use crate::terminal::say;

/// Says what waits in each service's outbox and since when.
pub async fn run(settings: &Settings, command: &OutboxCommand) -> anyhow::Result<()> {
    let OutboxCommand::Status = command;
    let root = settings.root().map_err(|faults| report(&faults))?;
    let databases = Databases::open(settings, roles::ALL.iter(), &root.data_dir, Arc::new(SystemClock))?;
    for descriptor in &roles::ALL {
        let (store, _) = databases.store(descriptor.name)?;
        let backlog = store.read("outbox_status", outbox::backlog).await?;
        let since = backlog.oldest.map(|at| format!(", the oldest since {}", Timestamp::new(at))).unwrap_or_default();
        say(&format!("{}: {} events in {} messages wait{since}", descriptor.name, backlog.events, backlog.rows))?;
    }
    databases.leave();
    Ok(())
}
