//! Locations.

use std::collections::BTreeSet;

use actix_web::Responder;
use contracts::events::LocationKind;
use contracts::requests::Address;
use contracts::{Problem, ProblemCode};
use kernel::{GeoPoint, LocationCode, Page};
use serde::{Deserialize, Serialize};
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::ndjson::{self, Incoming, LineAnswer};
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::{State, check_text};
use crate::app::save_locations::{Refusal, save_location, save_locations};
use crate::domain::location::{DEFAULT_PRIORITY, Details, OpeningHours, TimeOfDay, TimeZone};
use crate::domain::{Capability, Location, LocationStatus};
use crate::store::locations;

/// The longest name of a location or an owner, in characters.
const MAX_NAME: usize = 200;
/// Tags of a location: as many as a person will keep in order.
const MAX_GROUPS: usize = 20;
/// The longest tag, in characters, as in a ruleset.
const MAX_GROUP: usize = 64;
/// Locations saved in one transaction of an import.
const CHUNK: usize = 500;

/// A location as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocationBody {
    /// Its name, at most 200 characters.
    #[schema(example = "Nanjing Road store")]
    name: String,
    /// What it is.
    kind: LocationKind,
    /// Who owns it, when it is not headquarters.
    owner: Option<String>,
    /// Degrees north, −90 to 90.
    latitude: f64,
    /// Degrees east, −180 to 180.
    longitude: f64,
    /// Its address.
    address: Option<Address>,
    /// What it can do; `ship`, `pickup` and `return`, when left out.
    capabilities: Option<BTreeSet<Capability>>,
    /// When it is open, in its own time zone; always, when left out.
    hours: Option<Vec<OpeningHours>>,
    /// Orders after this time ship the next day.
    cutoff: Option<TimeOfDay>,
    /// How long it takes to make an order ready.
    handling_minutes: Option<i32>,
    /// How many orders it can ship on a day; any number, when left out.
    daily_capacity: Option<i32>,
    /// Its time zone; the retailer's, when left out.
    time_zone: Option<TimeZone>,
    /// Tags that sourcing rules may ask for, at most 20 of at most 64 characters.
    #[serde(default)]
    groups: BTreeSet<String>,
    /// Lower goes first where distance cannot decide (default 100).
    priority: Option<i32>,
    /// Whether it takes part.
    #[serde(default)]
    status: LocationStatus,
}

impl LocationBody {
    fn with_code(self, code: LocationCode) -> Result<Location, Problem> {
        let point = GeoPoint::new(self.latitude, self.longitude).map_err(|error| {
            let field = match error {
                kernel::geo::GeoError::Latitude => "latitude",
                kernel::geo::GeoError::Longitude => "longitude",
            };
            Problem::invalid(field, error.to_string())
        })?;
        check_text("name", &self.name, MAX_NAME)?;
        if let Some(owner) = &self.owner {
            check_text("owner", owner, MAX_NAME)?;
        }
        for (field, number) in [("handling_minutes", self.handling_minutes), ("daily_capacity", self.daily_capacity)] {
            if number.is_some_and(|number| number < 0) {
                return Err(Problem::invalid(field, "is not below 0"));
            }
        }
        check_hours(self.hours.as_deref().unwrap_or_default())?;
        if self.groups.len() > MAX_GROUPS {
            return Err(Problem::invalid("groups", format!("there are at most {MAX_GROUPS}")));
        }
        self.groups.iter().try_for_each(|group| check_text("groups", group, MAX_GROUP))?;
        let every = || BTreeSet::from([Capability::Ship, Capability::Pickup, Capability::Return]);
        Ok(Location {
            code,
            name: self.name,
            kind: self.kind,
            owner: self.owner,
            point,
            capabilities: self.capabilities.unwrap_or_else(every),
            priority: self.priority.unwrap_or(DEFAULT_PRIORITY),
            status: self.status,
            details: Details {
                address: self.address,
                hours: self.hours,
                cutoff: self.cutoff,
                handling_minutes: self.handling_minutes,
                daily_capacity: self.daily_capacity,
                time_zone: self.time_zone,
                groups: self.groups,
            },
        })
    }
}

/// Refuses hours that no clock shows.
fn check_hours(hours: &[OpeningHours]) -> Result<(), Problem> {
    for (index, entry) in hours.iter().enumerate() {
        if entry.days.is_empty() {
            return Err(Problem::invalid(format!("hours[{index}].days"), "names one day or more"));
        }
        if entry.closes.minutes() <= entry.opens.minutes() {
            let message = "is later than opens; hours over midnight are two entries";
            return Err(Problem::invalid(format!("hours[{index}].closes"), message));
        }
    }
    Ok(())
}

/// A location as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LocationView {
    /// Its code.
    code: LocationCode,
    /// Its name.
    name: String,
    /// What it is.
    kind: LocationKind,
    /// Who owns it, when it is not headquarters.
    owner: Option<String>,
    /// Degrees north.
    latitude: f64,
    /// Degrees east.
    longitude: f64,
    /// Its address.
    address: Option<Address>,
    /// What it can do.
    capabilities: BTreeSet<Capability>,
    /// When it is open.
    hours: Option<Vec<OpeningHours>>,
    /// Orders after this time ship the next day.
    cutoff: Option<TimeOfDay>,
    /// How long it takes to make an order ready.
    handling_minutes: Option<i32>,
    /// How many orders it can ship on a day.
    daily_capacity: Option<i32>,
    /// Its time zone; the retailer's, when there is none.
    time_zone: Option<TimeZone>,
    /// Its tags.
    groups: BTreeSet<String>,
    /// Lower goes first where distance cannot decide.
    priority: i32,
    /// Whether it takes part.
    status: LocationStatus,
    /// How far it is from the point a list was asked to be near to.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_metres: Option<i64>,
    /// How often it was written; also the ETag.
    version: i64,
}

impl LocationView {
    fn new(location: Location, version: i64) -> Self {
        let degrees = kernel::geo::Degrees::from(location.point);
        let Details { address, hours, cutoff, handling_minutes, daily_capacity, time_zone, groups } = location.details;
        Self {
            code: location.code,
            name: location.name,
            kind: location.kind,
            owner: location.owner,
            latitude: degrees.latitude,
            longitude: degrees.longitude,
            address,
            capabilities: location.capabilities,
            hours,
            cutoff,
            handling_minutes,
            daily_capacity,
            time_zone,
            groups,
            priority: location.priority,
            status: location.status,
            distance_metres: None,
            version,
        }
    }
}

/// Create or replace a location
///
/// Tells `location.changed` when anything is different. With `If-Match`, only that version is replaced.
#[utoipa::path(put, path = "/v1/locations/{code}", tag = "inventory",
    params(("code" = String, Path, description = "The location's code")), request_body = LocationBody,
    responses((status = 200, body = LocationView), (status = 201, body = LocationView), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub async fn put(
    state: Data<State>,
    path: Path<LocationCode>,
    meta: Meta,
    body: Json<LocationBody>,
) -> Result<impl Responder, Failure> {
    let code = path.into_inner();
    meta.principal.require_location(&code)?;
    let location = body.into_inner().with_code(code)?;
    let (cause, if_match) = (meta.cause.clone(), meta.if_match);
    write(&meta, &state.store, "save_location", move |tx| -> Result<service::Answer, Refusal> {
        let saved = save_location(tx, &location, if_match, &cause)?;
        let resource = format!("/v1/locations/{}", location.code);
        let view = LocationView::new(location, saved.version);
        Ok(if saved.created {
            service::Answer::created(&view, saved.version, resource)?
        } else {
            service::Answer::ok(&view, saved.version)?
        })
    })
    .await
}

/// Read a location
#[utoipa::path(get, path = "/v1/locations/{code}", tag = "inventory",
    params(("code" = String, Path, description = "The location's code")),
    responses((status = 200, body = LocationView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<LocationCode>) -> Answer {
    let code = path.into_inner();
    principal.require_location(&code)?;
    let wanted = code.to_string();
    let found = state.store.read("get_location", move |tx| locations::get(tx, &wanted)).await?;
    let (location, version) = found.ok_or_else(|| Problem::not_found("location", &code))?;
    Ok(answer::versioned(&LocationView::new(location, version), version))
}

/// Which locations to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// What they are.
    kind: Option<LocationKind>,
    /// Nearest to this point first, `latitude,longitude` in degrees; at most `limit` of them, without further pages.
    near: Option<String>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List locations in the order of their codes, or nearest first
#[utoipa::path(get, path = "/v1/locations", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Page<LocationView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page::<LocationCode>(query.limit, query.cursor)?;
    let within = principal.location_filter();
    let Some(near) = query.near else {
        let rows = state.store.read("list_locations", move |tx| {
            locations::list(
                tx,
                query.kind,
                within.as_deref(),
                after.as_ref().map(LocationCode::as_str),
                limit.saturating_add(1),
            )
        });
        let views = rows.await?.into_iter().map(|(location, version)| LocationView::new(location, version)).collect();
        return Ok(answer::ok(&Page::from_rows(views, limit, |view: &LocationView| view.code.to_string())));
    };
    let point = point(&near)?;
    // There are some thousands of locations: measuring each takes a millisecond.
    let all = state
        .store
        .read("list_locations", move |tx| locations::list(tx, query.kind, within.as_deref(), None, i64::MAX))
        .await?;
    let mut measured: Vec<(i64, Location, i64)> =
        all.into_iter().map(|(location, version)| (point.distance_metres(location.point), location, version)).collect();
    measured.sort_by(|a, b| (a.0, &a.1.code).cmp(&(b.0, &b.1.code)));
    let nearest = measured.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    let views = nearest.map(|(metres, location, version)| LocationView {
        distance_metres: Some(metres),
        ..LocationView::new(location, version)
    });
    Ok(answer::ok(&Page { items: views.collect(), next_cursor: None }))
}

fn point(near: &str) -> Result<GeoPoint, Problem> {
    let malformed = |detail: String| Problem::new(ProblemCode::Malformed).field("near", detail);
    let degrees = near.split_once(',').and_then(|(latitude, longitude)| {
        Some((latitude.trim().parse::<f64>().ok()?, longitude.trim().parse::<f64>().ok()?))
    });
    let (latitude, longitude) = degrees.ok_or_else(|| malformed("is written latitude,longitude".to_owned()))?;
    GeoPoint::new(latitude, longitude).map_err(|error| malformed(error.to_string()))
}

/// One line of an import: a location with its code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocationLine {
    /// Its code.
    code: LocationCode,
    /// Its name, at most 200 characters.
    name: String,
    /// What it is.
    kind: LocationKind,
    /// Who owns it, when it is not headquarters.
    owner: Option<String>,
    /// Degrees north, −90 to 90.
    latitude: f64,
    /// Degrees east, −180 to 180.
    longitude: f64,
    /// Its address.
    address: Option<Address>,
    /// What it can do; `ship`, `pickup` and `return`, when left out.
    capabilities: Option<BTreeSet<Capability>>,
    /// When it is open, in its own time zone; always, when left out.
    hours: Option<Vec<OpeningHours>>,
    /// Orders after this time ship the next day.
    cutoff: Option<TimeOfDay>,
    /// How long it takes to make an order ready.
    handling_minutes: Option<i32>,
    /// How many orders it can ship on a day; any number, when left out.
    daily_capacity: Option<i32>,
    /// Its time zone; the retailer's, when left out.
    time_zone: Option<TimeZone>,
    /// Tags that sourcing rules may ask for, at most 20 of at most 64 characters.
    #[serde(default)]
    groups: BTreeSet<String>,
    /// Lower goes first where distance cannot decide (default 100).
    priority: Option<i32>,
    /// Whether it takes part; `active` when left out.
    status: Option<LocationStatus>,
}

impl LocationLine {
    fn location(self) -> Result<Location, Problem> {
        let body = LocationBody {
            name: self.name,
            kind: self.kind,
            owner: self.owner,
            latitude: self.latitude,
            longitude: self.longitude,
            address: self.address,
            capabilities: self.capabilities,
            hours: self.hours,
            cutoff: self.cutoff,
            handling_minutes: self.handling_minutes,
            daily_capacity: self.daily_capacity,
            time_zone: self.time_zone,
            groups: self.groups,
            priority: self.priority,
            status: self.status.unwrap_or_default(),
        };
        body.with_code(self.code)
    }
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SavedLocation {
    /// The location.
    code: LocationCode,
    /// Its version.
    version: i64,
    /// Whether it is new.
    created: bool,
}

/// Import locations
///
/// Takes `application/x-ndjson` of any length and answers a result line per input line. Lines are saved in chunks of 500;
/// a refused line does not hold up its neighbours.
#[utoipa::path(post, path = "/v1/locations/import", tag = "inventory",
    request_body(content = LocationLine, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer<SavedLocation>, content_type = "application/x-ndjson")))]
pub async fn import(state: Data<State>, meta: Meta, lines: Incoming<LocationLine>) -> Answer {
    ndjson::import(lines, CHUNK, move |lines: Vec<LocationLine>| {
        let (store, meta) = (state.store.clone(), meta.clone());
        async move {
            let checked: Vec<Result<Location, Problem>> = lines
                .into_iter()
                .map(|line| {
                    meta.principal.require_location(&line.code)?;
                    line.location()
                })
                .collect();
            let fine: Vec<Location> = checked.iter().filter_map(|it| it.as_ref().ok().cloned()).collect();
            let saved = store.transact("import_locations", move |tx| save_locations(tx, &fine, &meta.cause)).await?;
            let answer = |location: Location| {
                let saved = saved.get(&location.code).ok_or(Error::Broken("a saved location is answered"))?;
                Ok(SavedLocation { code: location.code, version: saved.version, created: saved.created })
            };
            Ok(checked.into_iter().map(|it| it.and_then(answer)).collect())
        }
    })
    .await
}
