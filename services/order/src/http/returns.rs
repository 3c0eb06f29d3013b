//! Returns: from any channel to any location, with or without a known original.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::Disposition;
use kernel::id::{OrderId, ReturnId};
use kernel::{ChannelCode, LocationCode, Page, Quantity, SkuCode, Timestamp};
use serde::Deserialize;
use service::{Answer, write};
use store::{Error, Tx};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use super::App;
use super::exchanges;
use super::fulfilments::{NothingMore, locations};
use super::optional::Optional;
use super::orders::channels;
use super::views::ReturnView;
use crate::app::caller::Caller;
use crate::app::move_return::{Inspected, Move, move_return};
use crate::app::read_orders::{list_returns, read_return};
use crate::app::references::Needs;
use crate::app::refusal::Refusal;
use crate::app::request_return::{Request, Requested, check_location, take_return};
use crate::domain::form::ReturnForm;
use crate::domain::intake::MAX_LINES;
use crate::domain::return_reason::ReturnReason;
use crate::domain::state::ReturnStatus;
use crate::store::returns::Filter;

/// Ask for a return
///
/// Of a known order (`order_id`, or `channel` and `channel_order_no`): never more units than were shipped and not yet
/// returned. Of an unknown one: each line says its SKU and what it is worth. Where each line says its `disposition`, the goods
/// are at `location` already: the return is approved, received, inspected and refunded with this one request.
#[utoipa::path(post, path = "/v1/returns", tag = "order", request_body = ReturnForm, responses(
    (status = 201, body = ReturnView), (status = 200, body = ReturnView, description = "Its number was in the book already"),
    (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn request(app: Data<App>, meta: Meta, body: Json<ReturnForm>) -> Result<HttpResponse, Failure> {
    let form = body.into_inner();
    let mut needs = Needs::default();
    if let Some(location) = &form.location {
        needs.add_location(location);
    }
    if !form.names_order() {
        form.channel.iter().for_each(|channel| needs.add_channel(channel));
        form.lines.iter().take(MAX_LINES).filter_map(|line| line.sku.as_ref()).for_each(|sku| needs.add_sku(sku));
    }
    let known = app.references.find(&needs).await?;
    exchanges::check(&app, &meta, &form).await?;
    let request = Request::new(form, &known)?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "request_return", move |tx| -> Result<Answer, Refusal> {
        Ok(match take_return(tx, &request, &caller, rules)? {
            Requested::New(id) => {
                let view = view(tx, id)?;
                Answer::created(&view, view.version, format!("/v1/returns/{id}"))?
            }
            Requested::Known(id) => {
                let view = view(tx, id)?;
                Answer::ok(&view, view.version)?
            }
        })
    })
    .await
}

/// The return as this transaction has left it.
fn view(tx: &mut Tx<'_>, id: Uuid) -> Result<ReturnView, Error> {
    let read = read_return(tx, id)?.ok_or(Error::Broken("a return that was changed is in the book"))?;
    ReturnView::of(&read)
}

/// Read a return
#[utoipa::path(get, path = "/v1/returns/{id}", tag = "order", params(("id" = Uuid, Path, description = "The return's id")),
    responses((status = 200, body = ReturnView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, path: Path<ReturnId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app.store.read("get_return", move |tx| read_return(tx, id.uuid())).await?;
    let view = ReturnView::of(&read.ok_or_else(|| Problem::not_found("return", id))?)?;
    meta.principal.require_channel(&view.channel)?;
    if let Some(location) = &view.location {
        meta.principal.require_location(location)?;
    }
    Ok(answer::versioned(&view, view.version))
}

/// Which returns to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The original order.
    #[param(value_type = Option<Uuid>)]
    order_id: Option<OrderId>,
    /// The channel.
    channel: Option<ChannelCode>,
    /// The location the goods go to.
    location: Option<LocationCode>,
    /// Where they stand.
    status: Option<ReturnStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List returns, the newest first
#[utoipa::path(get, path = "/v1/returns", tag = "order", params(ListQuery),
    responses((status = 200, body = Page<ReturnView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<ListQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, before) = page::<(Timestamp, Uuid)>(query.limit, query.cursor)?;
    let filter = Filter {
        order_id: query.order_id.map(OrderId::uuid),
        channels: channels(&meta, query.channel)?,
        unplaced: query.location.is_none(),
        locations: locations(&meta, query.location)?,
        status: query.status,
        before,
    };
    let read = app.store.read("list_returns", move |tx| list_returns(tx, &filter, limit.saturating_add(1))).await?;
    let views = read.iter().map(ReturnView::of).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.returned_at, view.id))))
}

async fn run(app: &App, meta: &Meta, id: ReturnId, step: Move) -> Result<HttpResponse, Failure> {
    let (caller, rules) = (Caller::of(meta), app.rules);
    write(meta, &app.store, "move_return", move |tx| -> Result<Answer, Refusal> {
        move_return(tx, id, &step, &caller, rules)?;
        let view = view(tx, id.uuid())?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

/// Approve a return
///
/// The order that is wanted in exchange is placed with it. It is paid in advance, by the refund of the return.
#[utoipa::path(post, path = "/v1/returns/{id}/approve", tag = "order",
    params(("id" = Uuid, Path, description = "The return's id")), request_body = NothingMore,
    responses((status = 200, body = ReturnView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn approve(
    app: Data<App>,
    meta: Meta,
    path: Path<ReturnId>,
    _: Optional<NothingMore>,
) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let exchange = exchanges::of_return(&app, &meta, id).await?;
    run(&app, &meta, id, Move::Approve { exchange }).await
}

/// Where the goods arrived.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveBody {
    /// The location; the one that was asked for, when left out.
    #[serde(default)]
    location: Option<LocationCode>,
}

/// Say that the goods arrived: they are on hand there, but quarantined until inspected
#[utoipa::path(post, path = "/v1/returns/{id}/receive", tag = "order",
    params(("id" = Uuid, Path, description = "The return's id")), request_body = ReceiveBody,
    responses((status = 200, body = ReturnView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn receive(
    app: Data<App>,
    meta: Meta,
    path: Path<ReturnId>,
    body: Optional<ReceiveBody>,
) -> Result<HttpResponse, Failure> {
    let location = body.0.location;
    if let Some(location) = &location {
        let mut needs = Needs::default();
        needs.add_location(location);
        check_location(&app.references.find(&needs).await?, location)?;
    }
    run(&app, &meta, path.into_inner(), Move::Receive { location }).await
}

/// What becomes of the goods.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectBody {
    /// Every unit's disposition.
    #[schema(min_items = 1, max_items = 6000)]
    lines: Vec<InspectLine>,
    /// Why they came back, as it turns out: it decides what becomes of the freight. As it was said, when left out.
    #[serde(default)]
    reason_code: Option<ReturnReason>,
}

/// What becomes of some units. The line is named by its place in the return, by the order line, or by the SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectLine {
    /// The line's place in the return.
    #[serde(default)]
    position: Option<i32>,
    /// The order line.
    #[serde(default)]
    line_no: Option<i32>,
    /// The SKU.
    #[serde(default)]
    sku: Option<SkuCode>,
    /// How many units; all that are left of the line, when left out.
    #[serde(default)]
    quantity: Option<Quantity>,
    /// What becomes of them.
    disposition: Disposition,
}

/// Say what becomes of the goods
#[utoipa::path(post, path = "/v1/returns/{id}/inspect", tag = "order",
    params(("id" = Uuid, Path, description = "The return's id")), request_body = InspectBody,
    responses((status = 200, body = ReturnView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn inspect(
    app: Data<App>,
    meta: Meta,
    path: Path<ReturnId>,
    body: Json<InspectBody>,
) -> Result<HttpResponse, Failure> {
    let InspectBody { lines, reason_code } = body.into_inner();
    let most = MAX_LINES.saturating_mul(3);
    if lines.is_empty() || lines.len() > most {
        return Err(Refusal::invalid("lines", format!("has 1 to {most} entries")).into());
    }
    let inspected = |line: InspectLine| Inspected {
        position: line.position,
        line_no: line.line_no,
        sku: line.sku,
        quantity: line.quantity.map(Quantity::get),
        disposition: line.disposition,
    };
    let lines = lines.into_iter().map(inspected).collect();
    run(&app, &meta, path.into_inner(), Move::Inspect { lines, reason_code }).await
}

/// Give the money back
#[utoipa::path(post, path = "/v1/returns/{id}/refund", tag = "order",
    params(("id" = Uuid, Path, description = "The return's id")), request_body = NothingMore,
    responses((status = 200, body = ReturnView), (status = 409, body = Problem)))]
pub async fn refund(
    app: Data<App>,
    meta: Meta,
    path: Path<ReturnId>,
    _: Optional<NothingMore>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Refund).await
}

/// Cancel a return whose goods have not arrived: its units may be returned again
#[utoipa::path(post, path = "/v1/returns/{id}/cancel", tag = "order",
    params(("id" = Uuid, Path, description = "The return's id")), request_body = NothingMore,
    responses((status = 200, body = ReturnView), (status = 409, body = Problem)))]
pub async fn cancel(
    app: Data<App>,
    meta: Meta,
    path: Path<ReturnId>,
    _: Optional<NothingMore>,
) -> Result<HttpResponse, Failure> {
    run(&app, &meta, path.into_inner(), Move::Cancel).await
}
