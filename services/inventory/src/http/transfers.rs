//! Transfers: goods that go from one location to another.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::{LocationCode, Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::write;
use store::Error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::deliveries::{self, GoodsLineView, MAX_TEXT, ReceiveBody, WantedLine, arrivals, may_see, wanted};
use super::step::{View, step};
use super::{State, adjustments, check_text, locations_asked};
use crate::app::caller::Caller;
use crate::app::cancel_transfer::cancel_transfer;
use crate::app::delivery::Document;
use crate::app::receive_goods::receive_goods;
use crate::app::refusal::Refusal;
use crate::app::request_transfer::{NewTransfer, request_transfer};
use crate::app::ship_transfer::ship_transfer;
use crate::domain::document::{TransferId, TransferStatus};
use crate::store::deliveries::{Filter, Kind};

/// A transfer as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferBody {
    /// Where the goods are.
    from: LocationCode,
    /// Where they go.
    to: LocationCode,
    /// Why, at most 200 characters.
    reason: Option<String>,
    /// The caller's own reference, at most 200 characters.
    reference: Option<String>,
    /// What goes there, at most 2,000 lines.
    #[schema(min_items = 1, max_items = 2000)]
    lines: Vec<WantedLine>,
}

/// A transfer as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransferView {
    /// Its id.
    id: Uuid,
    /// Where it stands.
    status: TransferStatus,
    /// Where the goods come from.
    from: LocationCode,
    /// Where they go.
    to: LocationCode,
    /// Why.
    reason: Option<String>,
    /// The caller's own reference.
    reference: Option<String>,
    /// What was sent and what came.
    lines: Vec<GoodsLineView>,
    /// When it was written.
    created_at: Timestamp,
    /// Who wrote it.
    created_by: String,
    /// When it last changed.
    changed_at: Timestamp,
    /// Grows with every change; also the ETag.
    version: i64,
}

impl View for TransferView {
    fn version(&self) -> i64 {
        self.version
    }
}

impl TryFrom<Document> for TransferView {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let (from, to) = (document.origin()?, document.to()?);
        let head = document.head;
        let status = TransferStatus::parse(&head.status).ok_or(Error::Broken("a stored state is a state"))?;
        Ok(Self {
            id: head.id,
            status,
            from,
            to,
            reason: head.reason,
            reference: head.reference,
            lines: GoodsLineView::of(document.lines, status == TransferStatus::Received),
            created_at: head.created_at.into(),
            created_by: head.created_by,
            changed_at: head.changed_at.into(),
            version: head.version,
        })
    }
}

/// Request a transfer
///
/// Its units are reserved at `from` until it ships or is cancelled, so that they are not sold meanwhile. What is not
/// available there is 409 `insufficient_stock`, which names it.
#[utoipa::path(post, path = "/v1/transfers", tag = "inventory", request_body = TransferBody,
    responses((status = 201, body = TransferView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<TransferBody>) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    for (field, text) in [("reason", &body.reason), ("reference", &body.reference)] {
        text.as_ref().map_or(Ok(()), |text| check_text(field, text, MAX_TEXT))?;
    }
    let wanted = NewTransfer {
        from: body.from,
        to: body.to,
        reason: body.reason,
        reference: body.reference,
        lines: wanted(body.lines)?,
    };
    adjustments::wait_for_skus(&state.store, wanted.lines.iter().map(|(sku, _)| sku).collect()).await?;
    let caller = Caller::of(&meta);
    write(&meta, &state.store, "request_transfer", move |tx| -> Result<service::Answer, Refusal> {
        let view = TransferView::try_from(request_transfer(tx, &wanted, &caller)?)?;
        Ok(service::Answer::created(&view, view.version, format!("/v1/transfers/{}", view.id))?)
    })
    .await
}

/// Read a transfer
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "inventory",
    params(("id" = Uuid, Path, description = "The transfer's id")),
    responses((status = 200, body = TransferView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<TransferId>) -> Answer {
    let id = path.into_inner().uuid();
    let read = state.store.read("get_transfer", move |tx| Document::read(tx, Kind::Transfer, id)).await?;
    let view = TransferView::try_from(read)?;
    may_see(&principal, &[&view.from, &view.to])?;
    Ok(answer::versioned(&view, view.version))
}

/// Which transfers to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Where the goods come from, or where they go.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Where they stand.
    #[param(inline)]
    status: Option<TransferStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List transfers, the newest first
#[utoipa::path(get, path = "/v1/transfers", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Page<TransferView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, before) = page::<Uuid>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        location: query.location.map(String::from),
        status: query.status.map(TransferStatus::as_str),
        before,
        limit: limit.saturating_add(1),
    };
    let read = state.store.read("list_transfers", move |tx| deliveries::list(tx, Kind::Transfer, &filter)).await?;
    let views = read.into_iter().map(TransferView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// Ship a transfer: its units leave `from` and are `incoming` at `to`
#[utoipa::path(post, path = "/v1/transfers/{id}/ship", tag = "inventory",
    params(("id" = Uuid, Path, description = "The transfer's id")),
    responses((status = 200, body = TransferView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn ship(state: Data<State>, meta: Meta, path: Path<TransferId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    step::<TransferView, _>(&state, &meta, "ship_transfer", move |tx, caller| ship_transfer(tx, id, caller)).await
}

/// Cancel a transfer that has not shipped: its units can be promised again
#[utoipa::path(post, path = "/v1/transfers/{id}/cancel", tag = "inventory",
    params(("id" = Uuid, Path, description = "The transfer's id")),
    responses((status = 200, body = TransferView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn cancel(state: Data<State>, meta: Meta, path: Path<TransferId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    step::<TransferView, _>(&state, &meta, "cancel_transfer", move |tx, caller| cancel_transfer(tx, id, caller)).await
}

/// Receive a transfer, once
///
/// What came is on hand at `to`, the damaged part of it quarantined. What did not come, also of lines that are not named, is
/// `short` and in no balance any more; what came too much is `over`.
#[utoipa::path(post, path = "/v1/transfers/{id}/receive", tag = "inventory", request_body = ReceiveBody,
    params(("id" = Uuid, Path, description = "The transfer's id")),
    responses((status = 200, body = TransferView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn receive(
    state: Data<State>,
    meta: Meta,
    path: Path<TransferId>,
    body: Json<ReceiveBody>,
) -> Result<HttpResponse, Failure> {
    let (id, arrivals) = (path.into_inner().uuid(), arrivals(body.into_inner())?);
    step::<TransferView, _>(&state, &meta, "receive_transfer", move |tx, caller| {
        receive_goods(tx, Kind::Transfer, id, &arrivals, caller)
    })
    .await
}
