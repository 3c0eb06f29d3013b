//! Fulfilment orders: a location's work list, and what the location does with it.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::Parcel;
use kernel::id::{FulfilmentId, OrderId};
use kernel::{LocationCode, Page};
use serde::Deserialize;
use service::{Answer, write};
use store::{Error, Tx};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use super::App;
use super::optional::Optional;
use super::views::FulfilmentView;
use crate::app::caller::Caller;
use crate::app::move_fulfilment::{Move, move_fulfilment};
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::form::{FoundForm, ParcelForm};
use crate::domain::intake::{MAX_NOTE_LENGTH, MAX_TEXT_LENGTH};
use crate::domain::state::FulfilmentStatus;
use crate::domain::tracking::MAX_PARCELS;
use crate::store::fulfilments::{self, Filter, Fulfilment};
use crate::store::lines;

/// Which fulfilment orders to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The location.
    location: Option<LocationCode>,
    /// Where they stand.
    status: Option<FulfilmentStatus>,
    /// The order.
    #[param(value_type = Option<Uuid>)]
    order_id: Option<OrderId>,
    /// `true`: only what a location took on longer ago than it should, and what has neither left nor is ready.
    #[serde(default)]
    overdue: bool,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List fulfilment orders, the oldest first: a location's work list
#[utoipa::path(get, path = "/v1/fulfilments", tag = "order", params(ListQuery),
    responses((status = 200, body = Page<FulfilmentView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<ListQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<Uuid>(query.limit, query.cursor)?;
    let locations = locations(&meta, query.location)?;
    let (status, order_id) = (query.status, query.order_id.map(OrderId::uuid));
    let in_work_since = query.overdue.then(|| app.rules.fulfilment.overdue_since(app.store.now()));
    let filter = Filter { locations, status, order_id, in_work_since, after };
    let views = app
        .store
        .read("list_fulfilments", move |tx| {
            let read = fulfilments::list(tx, &filter, limit.saturating_add(1))?;
            as_seen(tx, &read)
        })
        .await?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// The locations to narrow a list to: the one that is asked for, if the caller may see it, or all that they may see.
pub fn locations(meta: &Meta, location: Option<LocationCode>) -> Result<Option<Vec<String>>, Problem> {
    match location {
        None => Ok(meta.principal.location_filter()),
        Some(location) => {
            meta.principal.require_location(&location)?;
            Ok(Some(vec![location.to_string()]))
        }
    }
}

/// Read a fulfilment order
#[utoipa::path(get, path = "/v1/fulfilments/{id}", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")),
    responses((status = 200, body = FulfilmentView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, path: Path<FulfilmentId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app
        .store
        .read("get_fulfilment", move |tx| {
            let found: Vec<Fulfilment> = fulfilments::find(tx, id)?.into_iter().collect();
            as_seen(tx, &found)
        })
        .await?;
    let view = read.into_iter().next().ok_or_else(|| Problem::not_found("fulfilment", id))?;
    meta.principal.require_location(&view.location)?;
    Ok(answer::versioned(&view, view.version))
}

/// Fulfilment orders as their locations see them.
fn as_seen(tx: &mut Tx<'_>, read: &[Fulfilment]) -> Result<Vec<FulfilmentView>, Error> {
    let orders: Vec<Uuid> = read.iter().map(|it| it.order_id.uuid()).collect();
    let gifts = lines::gifts(tx, &orders)?;
    let of = |it: &Fulfilment| gifts.get(&it.order_id.uuid()).map(Vec::as_slice).unwrap_or_default();
    Ok(read.iter().map(|it| FulfilmentView::without_code(it).with_gifts(of(it))).collect())
}

async fn run(app: &App, meta: &Meta, id: FulfilmentId, step: Move) -> Result<HttpResponse, Failure> {
    let (caller, rules) = (Caller::of(meta), app.rules);
    write(meta, &app.store, "move_fulfilment", move |tx| -> Result<Answer, Refusal> {
        let made_code = matches!(step, Move::Ready { .. });
        let moved = move_fulfilment(tx, id, step, &caller, rules)?;
        // The code is told once, to whoever made it, so that it can be sent to the buyer.
        let view = if made_code { FulfilmentView::with_code(&moved) } else { FulfilmentView::without_code(&moved) };
        Ok(Answer::ok(&view, moved.version)?)
    })
    .await
}

/// An action that needs no more words.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingMore {}

/// Accept a fulfilment order
#[utoipa::path(post, path = "/v1/fulfilments/{id}/accept", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = NothingMore,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem)))]
pub async fn accept(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    _: Optional<NothingMore>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Accept).await
}

/// Why a fulfilment order is refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectBody {
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// Reject a fulfilment order: another location is looked for
#[utoipa::path(post, path = "/v1/fulfilments/{id}/reject", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = RejectBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem)))]
pub async fn reject(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Json<RejectBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), rejection(body.into_inner().reason)?).await
}

/// A checked rejection.
pub fn rejection(reason: String) -> Result<Move, Refusal> {
    let mut faults = Faults::default();
    faults.text("reason", &reason, MAX_NOTE_LENGTH);
    faults.into_result().map_err(Refusal::Invalid)?;
    Ok(Move::Reject { reason })
}

/// Checked parcels.
pub fn checked_parcels(parcels: Vec<ParcelForm>) -> Result<Vec<Parcel>, Refusal> {
    let mut faults = Faults::default();
    if parcels.len() > MAX_PARCELS {
        faults.add("parcels", format!("has at most {MAX_PARCELS} entries"));
    }
    for (index, parcel) in parcels.iter().enumerate().take(MAX_PARCELS) {
        faults.text(&format!("parcels[{index}].carrier"), &parcel.carrier, MAX_TEXT_LENGTH);
        faults.text(&format!("parcels[{index}].tracking_no"), &parcel.tracking_no, MAX_TEXT_LENGTH);
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    Ok(parcels.into_iter().map(Into::into).collect())
}

/// What was found on the shelves.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PickBody {
    /// What was found; a line that is not named was not. Everything was, when left out.
    #[serde(default)]
    lines: Option<Vec<FoundForm>>,
}

/// A checked pick.
pub fn picking(lines: Option<Vec<FoundForm>>) -> Move {
    Move::Pick { found: lines.map(|lines| lines.into_iter().map(Into::into).collect()) }
}

/// Say that the goods are off the shelf
///
/// What was not found leaves the fulfilment order and is sourced elsewhere; if nothing was, the fulfilment order is rejected.
#[utoipa::path(post, path = "/v1/fulfilments/{id}/pick", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = PickBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn pick(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Optional<PickBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), picking(body.0.lines)).await
}

/// The goods in their parcels.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackBody {
    /// The parcels, where they have their numbers already.
    #[serde(default)]
    #[schema(max_items = 200)]
    parcels: Vec<ParcelForm>,
}

/// Say that the goods are in their parcels
#[utoipa::path(post, path = "/v1/fulfilments/{id}/pack", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = PackBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem)))]
pub async fn pack(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Optional<PackBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Pack { parcels: checked_parcels(body.0.parcels)? }).await
}

/// What leaves.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipBody {
    /// The parcels, in place of those that were packed; those, or none if the location delivers by itself, when left out.
    #[serde(default)]
    #[schema(max_items = 200)]
    parcels: Vec<ParcelForm>,
}

/// Ship a fulfilment order
///
/// One that the buyer collects at another location is `sent` there, and is that location's from then on.
#[utoipa::path(post, path = "/v1/fulfilments/{id}/ship", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = ShipBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem)))]
pub async fn ship(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Optional<ShipBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Ship { parcels: checked_parcels(body.0.parcels)? }).await
}

/// Say that the goods reached the buyer
#[utoipa::path(post, path = "/v1/fulfilments/{id}/deliver", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = NothingMore,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem)))]
pub async fn deliver(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    _: Optional<NothingMore>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Deliver).await
}

/// What waits at the counter.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadyBody {
    /// Of goods that another location has sent, what came; a line that is not named did not. Everything, when left out.
    #[serde(default)]
    lines: Option<Vec<FoundForm>>,
}

/// What is said to be ready.
pub fn making_ready(lines: Option<Vec<FoundForm>>) -> Move {
    Move::Ready { found: lines.map(|lines| lines.into_iter().map(Into::into).collect()) }
}

/// Say that the goods wait at the counter; answers the code for the buyer
///
/// Of goods that another location has sent, what did not come leaves the fulfilment order and is sourced anew; if nothing
/// came, the fulfilment order is over.
#[utoipa::path(post, path = "/v1/fulfilments/{id}/ready", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = ReadyBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn ready(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Optional<ReadyBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), making_ready(body.0.lines)).await
}

/// The buyer's code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectBody {
    /// The code.
    #[schema(example = "042137")]
    code: String,
}

/// Hand the goods to the buyer who shows the code
#[utoipa::path(post, path = "/v1/fulfilments/{id}/collect", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = CollectBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn collect(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Json<CollectBody>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Collect { code: body.into_inner().code }).await
}
