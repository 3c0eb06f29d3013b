//! Creates and replaces locations, and tells of those that changed.

use std::collections::BTreeMap;

use contracts::events::LocationChanged;
use contracts::{Cause, Problem, ProblemCode};
use kernel::LocationCode;
use store::{Error, Tx, outbox};

use crate::domain::{Capability, Location, LocationStatus};
use crate::store::{backorders, changes, locations, locks, stock, telling};

/// A location that was not saved.
#[derive(Debug)]
pub enum Refusal {
    /// It has changed since the caller read it.
    Changed {
        /// Its version now; none when it does not exist.
        version: Option<i64>,
    },
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Changed { version: Some(version) } => {
                Self::new(ProblemCode::PreconditionFailed).detail(format!("the location is at version {version}"))
            }
            Refusal::Changed { version: None } => {
                Self::new(ProblemCode::PreconditionFailed).detail("the location does not exist")
            }
            Refusal::Store(error) => error.into(),
        }
    }
}

/// A saved location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its version.
    pub version: i64,
    /// Whether it is new.
    pub created: bool,
}

/// Saves one location, if it is still at the version the caller names.
pub fn save_location(
    tx: &mut Tx<'_>,
    location: &Location,
    if_match: Option<i64>,
    cause: &Cause,
) -> Result<Saved, Refusal> {
    locks::pool(tx)?;
    if let Some(expected) = if_match {
        let version = locations::get(tx, location.code.as_str())?.map(|(_, version)| version);
        if version != Some(expected) {
            return Err(Refusal::Changed { version });
        }
    }
    let saved = save_locations(tx, std::slice::from_ref(location), cause)?;
    saved.get(&location.code).copied().ok_or(Refusal::Store(Error::Broken("a saved location is answered")))
}

/// Saves locations; of a code that stands more than once the last one counts. What is already so is left alone.
pub fn save_locations(
    tx: &mut Tx<'_>,
    wanted: &[Location],
    cause: &Cause,
) -> Result<BTreeMap<LocationCode, Saved>, Error> {
    locks::pool(tx)?;
    let wanted: BTreeMap<&LocationCode, &Location> = wanted.iter().map(|it| (&it.code, it)).collect();
    let codes: Vec<&str> = wanted.keys().map(|code| code.as_str()).collect();
    let mut saved: BTreeMap<LocationCode, Saved> = BTreeMap::new();
    let mut same = Vec::new();
    let mut turned = Vec::new();
    for (known, version) in locations::of_codes(tx, &codes)? {
        let sells = wanted.get(&known.code).map(|it| it.site().sells());
        turned.extend(sells.filter(|sells| *sells != known.site().sells()).map(|sells| (known.code.clone(), sells)));
        if wanted.get(&known.code).is_some_and(|it| **it == known) {
            same.push(known.code.clone());
        }
        saved.insert(known.code, Saved { version, created: false });
    }
    let changed: Vec<Location> =
        wanted.values().filter(|it| !same.contains(&it.code)).map(|it| Location::clone(it)).collect();
    if changed.is_empty() {
        return Ok(saved);
    }
    let versions: BTreeMap<String, i64> = locations::put(tx, &changed)?.into_iter().collect();
    if !turned.is_empty() {
        stock::set_selling(tx, &turned.iter().map(|(code, sells)| (code.as_str(), *sells)).collect::<Vec<_>>())?;
        telling::tell_again(tx)?;
    }
    changes::locations_changed(tx)?;
    backorders::wake_all(tx)?;
    for location in changed {
        let version = versions.get(location.code.as_str()).copied().unwrap_or(1);
        let created = !saved.contains_key(&location.code);
        saved.insert(location.code.clone(), Saved { version, created });
        outbox::append(tx, &changed_event(location, version), cause)?;
    }
    Ok(saved)
}

fn changed_event(location: Location, version: i64) -> LocationChanged {
    LocationChanged {
        takes_returns: Some(location.capabilities.contains(&Capability::Return)),
        location: location.code,
        name: location.name,
        kind: location.kind,
        owner: location.owner,
        point: location.point,
        active: location.status == LocationStatus::Active,
        version,
    }
}
