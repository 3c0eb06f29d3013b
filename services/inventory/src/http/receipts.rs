//! Receipts: goods expected from a supplier, and what came of them.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::{LocationCode, Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::write;
use store::{Error, Tx};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Data, Failure, Json, Meta, Path, Principal, Query, answer, page};

use super::deliveries::{self, GoodsLineView, MAX_TEXT, ReceiveBody, WantedLine, arrivals, wanted};
use super::step::{View, step};
use super::{State, adjustments, check_text, locations_asked};
use crate::app::caller::Caller;
use crate::app::close_receipt::close_receipt;
use crate::app::delivery::Document;
use crate::app::expect_receipt::{NewReceipt, expect_receipt};
use crate::app::receive_goods::receive_goods;
use crate::app::refusal::Refusal;
use crate::domain::document::{ReceiptId, ReceiptStatus};
use crate::store::deliveries::{Filter, Kind};

/// A receipt as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    /// Where the goods go.
    location: LocationCode,
    /// Who supplies them, at most 200 characters.
    supplier: Option<String>,
    /// The caller's own reference, such as a purchase order; at most 200 characters.
    reference: Option<String>,
    /// When they are expected.
    expected_at: Option<Timestamp>,
    /// Whether they are there already: then they are on hand at once, and never on their way.
    #[serde(default)]
    received: bool,
    /// What is expected, at most 2,000 lines.
    #[schema(min_items = 1, max_items = 2000)]
    lines: Vec<WantedLine>,
}

/// A receipt as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Its id.
    id: Uuid,
    /// Where it stands.
    status: ReceiptStatus,
    /// Where the goods go.
    location: LocationCode,
    /// Who supplies them.
    supplier: Option<String>,
    /// The caller's own reference.
    reference: Option<String>,
    /// When they are expected.
    expected_at: Option<Timestamp>,
    /// What was expected and what came.
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

impl View for ReceiptView {
    fn version(&self) -> i64 {
        self.version
    }
}

impl TryFrom<Document> for ReceiptView {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let location = document.to()?;
        let head = document.head;
        let status = ReceiptStatus::parse(&head.status).ok_or(Error::Broken("a stored state is a state"))?;
        Ok(Self {
            id: head.id,
            status,
            location,
            supplier: head.supplier,
            reference: head.reference,
            expected_at: head.expected_at.map(Timestamp::from),
            lines: GoodsLineView::of(document.lines, status == ReceiptStatus::Closed),
            created_at: head.created_at.into(),
            created_by: head.created_by,
            changed_at: head.changed_at.into(),
            version: head.version,
        })
    }
}

/// Expect goods
///
/// Their units are `incoming` at the location until they are received or the receipt is closed. With `received` they are on
/// hand at once.
#[utoipa::path(post, path = "/v1/receipts", tag = "inventory", request_body = ReceiptBody,
    responses((status = 201, body = ReceiptView), (status = 422, body = Problem)))]
pub async fn post(state: Data<State>, meta: Meta, body: Json<ReceiptBody>) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    for (field, text) in [("supplier", &body.supplier), ("reference", &body.reference)] {
        text.as_ref().map_or(Ok(()), |text| check_text(field, text, MAX_TEXT))?;
    }
    let wanted = NewReceipt {
        location: body.location,
        supplier: body.supplier,
        reference: body.reference,
        expected_at: body.expected_at,
        received: body.received,
        lines: wanted(body.lines)?,
    };
    adjustments::wait_for_skus(&state.store, wanted.lines.iter().map(|(sku, _)| sku).collect()).await?;
    let caller = Caller::of(&meta);
    let done = write(&meta, &state.store, "expect_receipt", move |tx| -> Result<service::Answer, Refusal> {
        let view = ReceiptView::try_from(expect_receipt(tx, &wanted, &caller)?)?;
        Ok(service::Answer::created(&view, view.version, format!("/v1/receipts/{}", view.id))?)
    });
    let response = done.await?;
    state.stock_arrived.notify_one();
    Ok(response)
}

/// Read a receipt
#[utoipa::path(get, path = "/v1/receipts/{id}", tag = "inventory",
    params(("id" = Uuid, Path, description = "The receipt's id")),
    responses((status = 200, body = ReceiptView), (status = 404, body = Problem)))]
pub async fn get(state: Data<State>, principal: Principal, path: Path<ReceiptId>) -> Answer {
    let id = path.into_inner().uuid();
    let read = state.store.read("get_receipt", move |tx| Document::read(tx, Kind::Receipt, id)).await?;
    let view = ReceiptView::try_from(read)?;
    principal.require_location(&view.location)?;
    Ok(answer::versioned(&view, view.version))
}

/// Which receipts to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Where the goods go.
    #[param(value_type = Option<String>)]
    location: Option<LocationCode>,
    /// Where they stand.
    #[param(inline)]
    status: Option<ReceiptStatus>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List receipts, the newest first
#[utoipa::path(get, path = "/v1/receipts", tag = "inventory", params(ListQuery),
    responses((status = 200, body = Page<ReceiptView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<ListQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, before) = page::<Uuid>(query.limit, query.cursor)?;
    let filter = Filter {
        within: locations_asked(&principal, query.location.as_ref())?,
        location: query.location.map(String::from),
        status: query.status.map(ReceiptStatus::as_str),
        before,
        limit: limit.saturating_add(1),
    };
    let read = state.store.read("list_receipts", move |tx| deliveries::list(tx, Kind::Receipt, &filter)).await?;
    let views = read.into_iter().map(ReceiptView::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// Receive goods, perhaps a part of them
///
/// What came is on hand, the damaged part of it quarantined. More than was expected is taken in and shown as `over`, also a
/// SKU that was not expected at all. Units that are missing stay `incoming` until they come or the receipt is closed.
#[utoipa::path(post, path = "/v1/receipts/{id}/receive", tag = "inventory", request_body = ReceiveBody,
    params(("id" = Uuid, Path, description = "The receipt's id")),
    responses((status = 200, body = ReceiptView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn receive(
    state: Data<State>,
    meta: Meta,
    path: Path<ReceiptId>,
    body: Json<ReceiveBody>,
) -> Result<HttpResponse, Failure> {
    let (id, arrivals) = (path.into_inner().uuid(), arrivals(body.into_inner())?);
    let take = move |tx: &mut Tx<'_>, caller: &Caller| receive_goods(tx, Kind::Receipt, id, &arrivals, caller);
    step::<ReceiptView, _>(&state, &meta, "receive_receipt", take).await
}

/// Close a receipt: what has not come is no longer expected, and shown as `short`
#[utoipa::path(post, path = "/v1/receipts/{id}/close", tag = "inventory",
    params(("id" = Uuid, Path, description = "The receipt's id")),
    responses((status = 200, body = ReceiptView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem)))]
pub async fn close(state: Data<State>, meta: Meta, path: Path<ReceiptId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    step::<ReceiptView, _>(&state, &meta, "close_receipt", move |tx, caller| close_receipt(tx, id, caller)).await
}
