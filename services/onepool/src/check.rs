//! Checking the settings without starting anything.

use runtime::settings::{EMBEDDED, ExposeSecret, Faults, PlatformSettings, Settings};

use crate::loading::report;
use crate::roles::Selection;
use crate::terminal::say;

/// Checks everything that the chosen services would read, and says that it is fine or names every fault.
pub fn check(settings: &Settings, role: &Selection) -> anyhow::Result<()> {
    platform(settings, role).map_err(|faults| report(&faults))?;
    say("the settings are usable")
}

/// The platform's settings, once every section and every rule between them holds.
pub fn platform(settings: &Settings, role: &Selection) -> Result<PlatformSettings, Faults> {
    let mut faults = Faults::default();
    for descriptor in role.descriptors() {
        faults.take((descriptor.check)(settings));
        faults.take(settings.database(descriptor.name));
    }
    let platform = faults.take(settings.platform());
    if let Some(platform) = &platform {
        between(platform, role, &mut faults);
    }
    faults.into_result(platform)
}

/// Rules between settings, which no section can check alone.
fn between(platform: &PlatformSettings, role: &Selection, faults: &mut Faults) {
    if platform.bus.url.expose_secret() == EMBEDDED && !role.is_all() {
        faults.push(
            "bus.url",
            "",
            "\"embedded:\" hands events over inside one process, so it needs --role all; name a RabbitMQ as amqp://…",
        );
    }
    let http = &platform.http;
    if http.port != 0 && http.port == http.metrics_port {
        faults.push("http.metrics_port", "", "must differ from http.port");
    }
}
