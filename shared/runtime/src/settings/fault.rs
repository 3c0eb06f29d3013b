//! What is wrong with the settings: all of it at once, so that one start tells everything there is to mend.

use std::fmt;

/// One thing that is wrong with one setting. It never shows a value: that may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The setting, as `section.name`.
    pub key: String,
    /// Where the value came from: an environment variable's name or a file's path; empty for a default.
    pub origin: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), self.origin.as_str()) {
            (key, "") => write!(f, "{key}: {}", self.problem),
            ("", origin) => write!(f, "{origin}: {}", self.problem),
            (key, origin) => write!(f, "{key} (from {origin}): {}", self.problem),
        }
    }
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A single fault, for a rule between settings that no type can say.
    pub fn one(key: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.push(key, "", problem);
        faults
    }

    /// Adds a fault.
    pub fn push(&mut self, key: impl Into<String>, origin: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Fault { key: key.into(), origin: origin.into(), problem: problem.into() });
    }

    /// Keeps the faults of a failed section and goes on, so that the next section is looked at too.
    pub fn take<T>(&mut self, section: Result<T, Self>) -> Option<T> {
        section.map_err(|faults| self.0.extend(faults.0)).ok()
    }

    /// `Ok` when nothing is wrong and there is a value.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each fault.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}
