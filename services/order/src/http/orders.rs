//! Orders: taking them in, reading them, cancelling them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::ChannelCode;
use kernel::id::OrderId;
use serde::Deserialize;
use service::{Answer, write};
use store::{Error, Tx};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path, answer};

use super::App;
use super::holds::HoldView;
use super::optional::Optional;
use super::views::OrderView;
use crate::app::caller::Caller;
use crate::app::cancel_order::{Cancel, cancel_order};
use crate::app::place_orders::{self, Document, Origin, Place, Placed};
use crate::app::read_orders::read_order;
use crate::app::references::Needs;
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::form::{OrderForm, QuantityOfLineForm};
use crate::domain::intake::{self, MAX_NOTE_LENGTH};
use crate::store::holds::HoldRow;
use crate::store::lines::LineRow;
use crate::store::orders::OrderRow;

/// Take an order into the book
///
/// Named by channel and number: the same order again is answered 200 with the order as it is now. Another content with a
/// newer `channel_updated_at` updates the order, with an older one changes nothing, and is answered 409 otherwise. With `Prefer: wait=n` the answer comes when the order is sourced or backordered, at the latest after n seconds.
/// An order that a rule holds is answered at once, as `held`.
#[utoipa::path(post, path = "/v1/orders", tag = "order", request_body = OrderForm, responses(
    (status = 201, body = OrderView), (status = 200, body = OrderView, description = "It was in the book already"),
    (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn place(app: Data<App>, meta: Meta, body: Json<OrderForm>) -> web::Answer {
    let form = body.into_inner();
    meta.principal.require_channel(&form.channel)?;
    let priced = intake::check(&form).map_err(place_orders::Refusal::from)?;
    let mut needs = Needs::default();
    needs.add_order(&form);
    let known = app.references.find(&needs).await?;
    let origin = origin(&meta);
    let (mut place, document) = Place::new(form, &priced, &known, origin, app.store.now())?;
    place.answer_held = Some(created_held);
    let answer = Arc::new(created(&place, document)?);
    if place.has_key() {
        place.answer = Some(Arc::clone(&answer));
    }
    let id = place.order.id();
    match app.intake.submit(place).await? {
        Placed::New if meta.prefer_wait_seconds.is_none() => Ok(Arc::unwrap_or_clone(answer).respond(false)),
        Placed::New => {
            wait(&app, &meta, id).await;
            let view = find(&app, id).await?;
            Ok(Answer::created(&view, view.version, location(id))?.respond(false))
        }
        Placed::Held(answer) => {
            let answer = answer.ok_or(Error::Broken("a caller who waits for an answer has one"))?;
            Ok(answer.respond(false))
        }
        Placed::Known(id) => {
            wait(&app, &meta, id).await;
            let view = find(&app, id).await?;
            Ok(Answer { location: Some(location(id)), ..Answer::ok(&view, view.version)? }.respond(false))
        }
        Placed::Replayed(stored) => Ok(Answer::from_stored(stored).respond(true)),
    }
}

/// Who brings the order of this request.
pub fn origin(meta: &Meta) -> Origin {
    Origin { client: meta.principal.client_id.to_string(), cause: meta.cause.clone(), key: service::key_of(meta) }
}

/// The answer to an order that is new.
fn created(place: &Place, document: Document) -> Result<Answer, Error> {
    let view = OrderView::fresh(&place.order, &place.lines, document)?;
    Answer::created(&view, view.version, location(view.id))
}

/// The answer to an order that is new and held.
fn created_held(order: &OrderRow, lines: &[LineRow], holds: &[HoldRow]) -> Result<Answer, Error> {
    let view = OrderView::fresh(order, lines, serde_json::from_str(&order.document)?)?;
    let view = OrderView { holds: holds.iter().map(HoldView::of).collect::<Result<_, _>>()?, ..view };
    Answer::created(&view, view.version, location(view.id))
}

fn location(id: OrderId) -> String {
    format!("/v1/orders/{id}")
}

async fn wait(app: &App, meta: &Meta, id: OrderId) {
    if let Some(seconds) = meta.prefer_wait_seconds {
        app.settled.wait(id, Duration::from_secs(seconds.into())).await;
    }
}

async fn find(app: &App, id: OrderId) -> Result<OrderView, Failure> {
    let read = app.store.read("get_order", move |tx| read_order(tx, id)).await?;
    let read = read.ok_or_else(|| Problem::not_found("order", id))?;
    Ok(OrderView::whole(&read)?)
}

/// Read an order
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "order", params(("id" = Uuid, Path, description = "The order's id")),
    responses((status = 200, body = OrderView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, path: Path<OrderId>) -> Result<HttpResponse, Failure> {
    let view = find(&app, path.into_inner()).await?;
    meta.principal.require_channel(&view.channel)?;
    Ok(answer::versioned(&view, view.version))
}

/// The channels to narrow a list to: the one that is asked for, if the caller may see it, or all that they may see.
pub fn channels(meta: &Meta, channel: Option<ChannelCode>) -> Result<Option<Vec<String>>, Problem> {
    match channel {
        None => Ok(meta.principal.channel_filter()),
        Some(channel) => {
            meta.principal.require_channel(&channel)?;
            Ok(Some(vec![channel.to_string()]))
        }
    }
}

/// What is to be cancelled.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Units per line; the whole order, when left out.
    #[serde(default)]
    lines: Option<Vec<QuantityOfLineForm>>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Cancel an order, or units of it, before they ship
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = CancelBody, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn cancel(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Optional<CancelBody>,
) -> Result<HttpResponse, Failure> {
    let order_id = path.into_inner();
    let command = cancellation(order_id, body.0)?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "cancel_order", move |tx| -> Result<Answer, Refusal> {
        cancel_order(tx, &command, &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

fn cancellation(order_id: OrderId, body: CancelBody) -> Result<Cancel, Refusal> {
    let reason = body.reason.unwrap_or_else(|| "cancelled by the channel".to_owned());
    let mut faults = Faults::default();
    faults.text("reason", &reason, MAX_NOTE_LENGTH);
    if body.lines.as_ref().is_some_and(|lines| lines.is_empty() || lines.len() > intake::MAX_LINES) {
        faults.add("lines", format!("has 1 to {} entries, or is left out", intake::MAX_LINES));
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    let lines = body.lines.map(|lines| lines.iter().map(|line| (line.line_no, line.quantity.get())).collect());
    Ok(Cancel { order_id, lines, reason })
}

/// The order as this transaction has left it.
pub(super) fn view(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderView, Error> {
    let read = read_order(tx, id)?.ok_or(Error::Broken("an order that was changed is in the book"))?;
    OrderView::whole(&read)
}
