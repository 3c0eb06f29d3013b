//! What happened to an order.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::Timestamp;
use kernel::id::OrderId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Data, Failure, Meta, Path, answer};

use super::App;
use crate::app::read_timeline::{Entry, read_timeline};
use crate::store::code;

/// What happened to an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// The order.
    order_id: OrderId,
    /// What happened: nothing comes before what led to it, and otherwise the earlier first.
    entries: Vec<EntryView>,
    /// Whether these are all: an order of thousands of events shows the first 5,000.
    complete: bool,
}

/// Something that happened to an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// When, by the clock of the service that told it.
    at: Timestamp,
    /// The event's name, such as `stock.sourced`; `change` for a change in the order book that is no event of its own.
    #[serde(rename = "type")]
    kind: String,
    /// The service that told it.
    source: String,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Uuid>,
    /// The event that led to it; left out where a caller or a timer did.
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<Uuid>,
    /// Who made the change: a client's id, or the service that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Why the change was made, when somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What happened, in one line.
    summary: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Event(event) => Self {
                at: event.at.into(),
                kind: event.kind,
                source: event.source,
                event_id: Some(event.event_id),
                caused_by: event.cause_id,
                actor: None,
                reason: None,
                summary: event.summary,
            },
            Entry::Change(change, caused_by) => Self {
                at: change.at.into(),
                kind: "change".to_owned(),
                source: "order".to_owned(),
                event_id: None,
                caused_by,
                actor: Some(change.actor),
                reason: change.reason,
                summary: change.what,
            },
        }
    }
}

/// Read what happened to an order, across all services, in the order of causes
///
/// The changes of the order book are there at once; the events come in as they are heard, within a second or so.
#[utoipa::path(get, path = "/v1/orders/{id}/timeline", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")),
    responses((status = 200, body = TimelineView), (status = 404, body = Problem)))]
pub async fn timeline(app: Data<App>, meta: Meta, path: Path<OrderId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app.store.read("read_timeline", move |tx| read_timeline(tx, id)).await?;
    let read = read.ok_or_else(|| Problem::not_found("order", id))?;
    meta.principal.require_channel(&code(&read.order.channel)?)?;
    let entries = read.entries.into_iter().map(EntryView::from).collect();
    Ok(answer::ok(&TimelineView { order_id: id, entries, complete: read.complete }))
}
