//! Holds on stock.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::FulfilmentKind;
use contracts::requests::Address;
use kernel::id::ReservationId;
use kernel::{ChannelCode, LocationCode, Quantity, SkuCode};
use serde::Deserialize;
use service::{Platform, key_of, write};
use store::{BatchOptions, Batcher, Error};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path, Principal, answer};

use super::keyed::{self, Answered, Keyed, Refused};
use super::{State, check_text};
use crate::app::Pool;
use crate::app::change_reservations::{
    ChangeRefusal, extend_reservation, release_reservation, release_units, show_reservation,
};
use crate::app::reserve_stock::{Hold, HoldRules, HoldView, Refusal, hold_request, reserve_stock};
use crate::domain::{Line, Place};

/// The most lines of a hold, as of an order.
const MAX_LINES: usize = 500;
/// The longest name of a buyer, in characters.
const MAX_BUYER: usize = 200;

/// Holds, gathered into transactions.
pub(super) type Holds = Batcher<Keyed<Hold>, Answered, Refused<Refusal>>;

/// Writers of stock take turns, so there is one lane; a batch is as many requests as came in meanwhile.
pub(super) fn gather(platform: &Platform, rules: HoldRules, pool: Arc<Pool>) -> Holds {
    let options = BatchOptions { name: "reserve_stock", max_batch: 512, lanes: 1, rest: Duration::ZERO, queue: 8_192 };
    Batcher::beginning(&platform.store, options, &platform.lifecycle, keyed::lock, move |tx, batch: &[Keyed<Hold>]| {
        keyed::run(tx, batch, |tx, fresh| reserve_stock(tx, &pool, rules, fresh)?.into_iter().map(created).collect())
    })
}

fn created(outcome: Result<HoldView, Refusal>) -> Result<Result<service::Answer, Refusal>, Error> {
    match outcome {
        Ok(view) => {
            let resource = format!("/v1/reservations/{}", view.id);
            Ok(Ok(service::Answer::created(&view, view.version, resource)?))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// A hold as it is asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReservationBody)]
pub struct HoldBody {
    /// The channel that sells.
    channel: ChannelCode,
    /// Who holds, as the channel knows them.
    buyer: Option<String>,
    /// What is held, at most 500 lines.
    lines: Vec<HoldLineBody>,
    /// Where it will be shipped to.
    ship_to: Option<Address>,
    /// Where it will be collected.
    pickup_location: Option<LocationCode>,
    /// How long it is held, in seconds.
    ttl_seconds: i64,
}

/// One line of a hold.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldLineBody {
    /// The SKU; a bundle holds its parts.
    sku: SkuCode,
    /// How many units.
    quantity: Quantity,
}

impl HoldBody {
    fn hold(self, state: &State) -> Result<Hold, Problem> {
        check_ttl(self.ttl_seconds, state)?;
        if !(1..=MAX_LINES).contains(&self.lines.len()) {
            return Err(Problem::invalid("lines", format!("there are 1 to {MAX_LINES} lines")));
        }
        if let Some(buyer) = &self.buyer {
            check_text("buyer", buyer, MAX_BUYER)?;
        }
        if self.ship_to.is_some() && self.pickup_location.is_some() {
            return Err(Problem::invalid("pickup_location", "is given instead of ship_to"));
        }
        let to = self.ship_to.as_ref().map_or(Ok(None), Address::point);
        let lines = (1..).zip(self.lines).map(|(line_no, line)| Line {
            line_no,
            sku: line.sku,
            quantity: line.quantity,
            parts: Vec::new(),
        });
        let mut request = hold_request(self.channel, state.store.now(), lines.collect());
        request.place = Place::of(self.ship_to.as_ref());
        request.to = to.map_err(|error| Problem::invalid("ship_to", error.to_string()))?;
        if let Some(pickup) = self.pickup_location {
            request.kind = FulfilmentKind::Pickup;
            request.pickup = Some(pickup);
        }
        Ok(Hold { request, buyer: self.buyer, ttl_seconds: self.ttl_seconds })
    }
}

fn check_ttl(ttl_seconds: i64, state: &State) -> Result<(), Problem> {
    let most = state.settings.max_hold_seconds;
    if (1..=most).contains(&ttl_seconds) {
        return Ok(());
    }
    Err(Problem::invalid("ttl_seconds", format!("lies between 1 and {most}")))
}

/// Hold stock
///
/// Held units lie at real locations, chosen as for an order. 409 `insufficient_stock` names what is missing.
#[utoipa::path(post, path = "/v1/reservations", tag = "inventory", request_body = HoldBody,
    responses((status = 201, body = HoldView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<HoldBody>) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    meta.principal.require_channel(&body.channel)?;
    if let Some(location) = &body.pickup_location {
        meta.principal.require_location(location)?;
    }
    let command = body.hold(&state)?;
    let (answer, replayed) = state.holds.submit(Keyed { key: key_of(&meta), command }).await?;
    Ok(answer.respond(replayed))
}

/// Read a hold
#[utoipa::path(get, path = "/v1/reservations/{id}", tag = "inventory",
    params(("id" = uuid::Uuid, Path, description = "The hold's id")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<ReservationId>) -> web::Answer {
    let id = path.into_inner();
    let view = state
        .store
        .read("show_reservation", move |tx| {
            show_reservation(tx, id, &|hold: &HoldView| principal.require_channel(&hold.channel))
        })
        .await?;
    Ok(answer::versioned(&view, view.version))
}

/// Whether the caller of a request may change a hold as it is.
fn may_change(meta: &Meta) -> impl Fn(&HoldView) -> Result<(), Problem> + Send + 'static {
    let meta = meta.clone();
    move |hold| {
        meta.principal.require_channel(&hold.channel)?;
        meta.check_version(hold.version)
    }
}

/// Give a hold back
#[utoipa::path(delete, path = "/v1/reservations/{id}", tag = "inventory",
    params(("id" = uuid::Uuid, Path, description = "The hold's id")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn delete(state: Data<State>, meta: Meta, path: Path<ReservationId>) -> Result<HttpResponse, Failure> {
    let (id, may) = (path.into_inner(), may_change(&meta));
    let done = write(&meta, &state.store, "release_reservation", move |tx| -> Result<service::Answer, ChangeRefusal> {
        let view = release_reservation(tx, id, &may)?;
        Ok(service::Answer::ok(&view, view.version)?)
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}

/// How long a hold goes on.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// Seconds from now.
    ttl_seconds: i64,
}

/// Give a hold more time
#[utoipa::path(post, path = "/v1/reservations/{id}/extend", tag = "inventory", request_body = ExtendBody,
    params(("id" = uuid::Uuid, Path, description = "The hold's id")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn extend(
    state: Data<State>,
    meta: Meta,
    path: Path<ReservationId>,
    body: Json<ExtendBody>,
) -> Result<HttpResponse, Failure> {
    let (id, ttl_seconds, may) = (path.into_inner(), body.ttl_seconds, may_change(&meta));
    check_ttl(ttl_seconds, &state)?;
    write(&meta, &state.store, "extend_reservation", move |tx| -> Result<service::Answer, ChangeRefusal> {
        let view = extend_reservation(tx, id, ttl_seconds, &may)?;
        Ok(service::Answer::ok(&view, view.version)?)
    })
    .await
}

/// What is given back of a hold.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    /// So many units of each SKU, at most 500 lines; of a bundle, its parts.
    lines: Vec<HoldLineBody>,
}

/// Give a part of a hold back
///
/// All of it or nothing; a hold of which nothing is left is released.
#[utoipa::path(post, path = "/v1/reservations/{id}/release", tag = "inventory", request_body = ReleaseBody,
    params(("id" = uuid::Uuid, Path, description = "The hold's id")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn release(
    state: Data<State>,
    meta: Meta,
    path: Path<ReservationId>,
    body: Json<ReleaseBody>,
) -> Result<HttpResponse, Failure> {
    let (id, lines, may) = (path.into_inner(), body.into_inner().lines, may_change(&meta));
    if !(1..=MAX_LINES).contains(&lines.len()) {
        return Err(Problem::invalid("lines", format!("there are 1 to {MAX_LINES} lines")).into());
    }
    let units: Vec<(SkuCode, Quantity)> = lines.into_iter().map(|line| (line.sku, line.quantity)).collect();
    let done = write(&meta, &state.store, "release_units", move |tx| -> Result<service::Answer, ChangeRefusal> {
        let view = release_units(tx, id, &units, &may)?;
        Ok(service::Answer::ok(&view, view.version)?)
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}
