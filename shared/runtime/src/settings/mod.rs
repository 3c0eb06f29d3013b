//! Settings: embedded, commented defaults, then an optional file, then the environment.
//!
//! A default is also a setting's type and its documentation. There is no setting without a default, a key that has
//! none is a fault, and every fault is reported at once.

mod document;
mod fault;
mod layer;
mod platform;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use document::document;
pub use fault::{Fault, Faults};
use layer::{ENVIRONMENT_PREFIX, Layers, find, find_mut, syntax_problem};
pub use platform::{
    AuthSettings, BootstrapSettings, BusSettings, CacheSettings, DatabaseSettings, EMBEDDED, HttpSettings,
    LimitSettings, LogFormat, PlatformSettings, Root, TelemetrySettings,
};
pub use secrecy::ExposeSecret;

/// The defaults of everything that is not one service's own.
pub const DEFAULTS: &str = include_str!("../defaults.toml");

/// Every service section gets this part by itself and reads it through [`Settings::database`].
const OWN_DATABASE: &str = "database";

/// The settings in force. They are read by section, into types.
#[derive(Clone)]
pub struct Settings {
    defaults: Table,
    values: Table,
    origins: BTreeMap<String, String>,
    services: BTreeSet<String>,
}

impl Settings {
    /// The platform's defaults and the services' `defaults` (TOML texts, each with the service's own section), under an
    /// optional file, under the environment's `ONEPOOL__SECTION__NAME` variables.
    pub fn load(
        defaults: &[&str],
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let (defaults, services) = defaults_of(defaults)?;
        let mut layers = Layers::new(defaults);
        if let Some(path) = file {
            let origin = path.display().to_string();
            match fs::read_to_string(path) {
                Ok(text) => layers.file(&origin, &text),
                Err(error) => layers.faults.push("", origin, format!("cannot be read: {error}")),
            }
        }
        layers.environment(environment);
        let Layers { defaults, values, origins, faults } = layers;
        faults.into_result(Some(Self { defaults, values, origins, services }))
    }

    /// A section as its type: `"http"`, `"auth.bootstrap"`. All values that the type refuses are reported at once.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, Faults> {
        let path: Vec<&str> = name.split('.').collect();
        match find(&self.values, &path) {
            Some(Value::Table(table)) => {
                let mut table = table.clone();
                if self.services.contains(name) {
                    table.remove(OWN_DATABASE);
                }
                self.typed(table, name)
            }
            _ => Err(Faults::one(name, "has no defaults, so it cannot be read")),
        }
    }

    /// The settings that stand above all sections.
    pub fn root(&self) -> Result<Root, Faults> {
        let mut table = self.values.clone();
        table.retain(|_, value| !value.is_table());
        self.typed(table, "")
    }

    /// Where a service keeps its data: the common `[database]`, at the service's own URL where it has one.
    pub fn database(&self, service: &str) -> Result<DatabaseSettings, Faults> {
        let mut settings: DatabaseSettings = self.section("database")?;
        let own = find(&self.values, &[service, OWN_DATABASE, "url"]).and_then(Value::as_str).unwrap_or_default();
        if !own.is_empty() {
            let key = format!("{service}.{OWN_DATABASE}.url");
            settings.url = platform::database_url_of(own).map_err(|problem| {
                let mut faults = Faults::default();
                faults.push(key.as_str(), self.origins.get(&key).map_or("", String::as_str), problem);
                faults
            })?;
        }
        Ok(settings)
    }

    /// Every section that is not one service's own.
    pub fn platform(&self) -> Result<PlatformSettings, Faults> {
        PlatformSettings::from(self)
    }

    /// Reads a table into its type. Serde stops at the first value it refuses; that one is put back to its default,
    /// which is known to be good, and the reading goes on, so that all of them are found.
    fn typed<T: DeserializeOwned>(&self, mut table: Table, name: &str) -> Result<T, Faults> {
        let mut faults = Faults::default();
        loop {
            let error = match serde_path_to_error::deserialize(Value::Table(table.clone())) {
                Ok(value) => return faults.into_result(Some(value)),
                Err(error) => error,
            };
            let inside = error.path().to_string();
            let key = match (name, inside.as_str()) {
                (name, ".") => name.to_owned(),
                ("", inside) => inside.to_owned(),
                (name, inside) => format!("{name}.{inside}"),
            };
            let origin = self.origins.get(&key).cloned().unwrap_or_default();
            faults.push(key.clone(), origin, error.into_inner().message());
            let key_path: Vec<&str> = key.split('.').collect();
            let inside_path: Vec<&str> = inside.split('.').collect();
            match (find_mut(&mut table, &inside_path), find(&self.defaults, &key_path)) {
                (Some(slot), Some(default)) if slot != default => *slot = default.clone(),
                _ => return Err(faults),
            }
        }
    }
}

/// This process's environment, as far as it is meant for the settings.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, text)| (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
}

/// All defaults in one table, and which sections are a service's own.
fn defaults_of(texts: &[&str]) -> Result<(Table, BTreeSet<String>), Faults> {
    let mut all = parse_defaults(DEFAULTS)?;
    let mut services = BTreeSet::new();
    for text in texts.iter().filter(|text| **text != DEFAULTS) {
        for (section, value) in parse_defaults(text)? {
            let Value::Table(mut table) = value else {
                return Err(Faults::one(section, "a service's defaults stand in a section of its own"));
            };
            table.insert(OWN_DATABASE.to_owned(), Value::Table(Table::from_iter([("url".to_owned(), "".into())])));
            services.insert(section.clone());
            if all.insert(section.clone(), Value::Table(table)).is_some() {
                return Err(Faults::one(section, "has its defaults in two places"));
            }
        }
    }
    Ok((all, services))
}

fn parse_defaults(text: &str) -> Result<Table, Faults> {
    text.parse().map_err(|_| Faults::one("defaults", syntax_problem(text, config::FileFormat::Toml)))
}
