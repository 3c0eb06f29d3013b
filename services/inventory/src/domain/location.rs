//! Locations: warehouses, stores and dealers.

use std::collections::BTreeSet;

use chrono::Timelike;
use chrono_tz::Tz;
use contracts::events::LocationKind;
use contracts::requests::Address;
use kernel::{GeoPoint, LocationCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::atlas::{Place, Site};
use super::hours::Schedule;

/// The priority of a location that names none; lower goes first.
pub const DEFAULT_PRIORITY: i32 = 100;

/// What a location can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Ship to an address.
    Ship,
    /// Hand over to buyers who collect.
    Pickup,
    /// Take returns.
    Return,
    /// Take in what other locations send for buyers who collect here.
    ShipToStore,
}

/// Whether a location takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocationStatus {
    /// It does.
    #[default]
    Active,
    /// It does not, for the time being.
    Inactive,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A time of day in the location's time zone, `HH:MM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "21:30")]
pub struct TimeOfDay(String);

impl TimeOfDay {
    /// Minutes after midnight.
    pub fn minutes(&self) -> i64 {
        let time = chrono::NaiveTime::parse_from_str(&self.0, "%H:%M").unwrap_or_default();
        i64::from(time.num_seconds_from_midnight()).checked_div(60).unwrap_or(0)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        chrono::NaiveTime::parse_from_str(&text, "%H:%M")
            .ok()
            .filter(|_| text.len() == 5)
            .map(|_| Self(text))
            .ok_or("a time of day is written HH:MM")
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.0
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "Asia/Shanghai")]
pub struct TimeZone(pub Tz);

impl TryFrom<String> for TimeZone {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| "a time zone is an IANA name, such as Asia/Shanghai")
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> Self {
        zone.0.name().to_owned()
    }
}

/// When a location is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningHours {
    /// On these days,
    pub days: BTreeSet<Day>,
    /// from this time
    pub opens: TimeOfDay,
    /// until that time.
    pub closes: TimeOfDay,
}

/// What is kept of a location and no statement asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// When it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<OpeningHours>>,
    /// Orders after this time ship the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<TimeOfDay>,
    /// How long it takes to make an order ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling_minutes: Option<i32>,
    /// How many orders it can ship on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_capacity: Option<i32>,
    /// Its time zone; the retailer's, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// Tags that sourcing rules may ask for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
}

/// A location.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// Its code.
    pub code: LocationCode,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LocationKind,
    /// Who owns it, when it is not headquarters.
    pub owner: Option<String>,
    /// Where it is.
    pub point: GeoPoint,
    /// What it can do.
    pub capabilities: BTreeSet<Capability>,
    /// Lower goes first where distance cannot decide.
    pub priority: i32,
    /// Whether it takes part.
    pub status: LocationStatus,
    /// Everything else.
    pub details: Details,
}

impl Location {
    /// As sourcing sees it.
    pub fn site(&self) -> Site {
        Site {
            code: self.code.clone(),
            point: self.point,
            priority: self.priority,
            ships: self.capabilities.contains(&Capability::Ship),
            hands_over: self.capabilities.contains(&Capability::Pickup),
            takes_in: self.capabilities.contains(&Capability::ShipToStore),
            active: self.status == LocationStatus::Active,
            kind: self.kind,
            franchised: self.owner.is_some(),
            place: Place::of(self.details.address.as_ref()),
            groups: self.details.groups.clone(),
            schedule: self.schedule(),
            daily_capacity: self.details.daily_capacity,
        }
    }

    fn schedule(&self) -> Schedule {
        let Details { hours, cutoff, handling_minutes, time_zone, .. } = &self.details;
        let handling = handling_minutes.unwrap_or(0);
        Schedule::new(time_zone.map(|zone| zone.0), hours.as_deref(), cutoff.as_ref(), handling)
    }
}
