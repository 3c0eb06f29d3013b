//! The queue of held orders, and working it off.

use std::collections::HashSet;

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::id::{HoldId, OrderId};
use kernel::{ChannelCode, Code, Currency, Money, Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Query, answer, page};

use super::App;
use super::holds::HoldView;
use super::orders::channels;
use crate::app::caller::Caller;
use crate::app::hold_order::release_holds;
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::intake::MAX_NOTE_LENGTH;
use crate::domain::state::OrderStatus;
use crate::store::holds::{self, Filter, QueuedRow};
use crate::store::{code, state};

/// The most holds that are released at once: what a person marks on a page, in one transaction.
const MAX_RELEASED: usize = 100;

/// Which holds to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldStatus {
    /// Those that hold.
    #[default]
    Open,
    /// Those that were released.
    Released,
}

/// Which holds to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// `open` (unless said otherwise) or `released`.
    #[serde(default)]
    #[param(inline)]
    status: HoldStatus,
    /// Why.
    #[param(value_type = Option<String>)]
    reason: Option<Code>,
    /// The channel.
    channel: Option<ChannelCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A hold, with what tells its order from others.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueuedHoldView {
    /// The hold.
    #[serde(flatten)]
    hold: HoldView,
    /// The order.
    order: HeldOrderView,
}

/// The order of a hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeldOrderView {
    /// Its id.
    id: OrderId,
    /// Its channel.
    channel: ChannelCode,
    /// The channel's own number for it.
    channel_order_no: String,
    /// Where it stands.
    status: OrderStatus,
    /// What the buyer pays.
    total_amount: Money,
    /// When the buyer placed it.
    placed_at: Timestamp,
}

impl QueuedHoldView {
    fn of(row: &QueuedRow) -> Result<Self, Error> {
        let currency: Currency = row.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?;
        let order = HeldOrderView {
            id: OrderId(row.hold.order_id),
            channel: code(&row.hold.channel)?,
            channel_order_no: row.channel_order_no.clone(),
            status: state(OrderStatus::parse(&row.status))?,
            total_amount: Money::new(row.total_amount, currency),
            placed_at: row.ordered_at.into(),
        };
        Ok(Self { hold: HoldView::of(&row.hold)?, order })
    }
}

/// List holds, the oldest first: what waits for a person
#[utoipa::path(get, path = "/v1/order-holds", tag = "order", params(QueueQuery),
    responses((status = 200, body = Page<QueuedHoldView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<QueueQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<(Timestamp, Uuid)>(query.limit, query.cursor)?;
    let filter = Filter {
        released: query.status == HoldStatus::Released,
        reason: query.reason.map(String::from),
        channels: channels(&meta, query.channel)?,
        after,
    };
    let read = app.store.read("list_order_holds", move |tx| holds::list(tx, &filter, limit.saturating_add(1))).await?;
    let views = read.iter().map(QueuedHoldView::of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.hold.place())))
}

/// Which holds to release.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseHoldsBody {
    /// The holds, each named once.
    #[schema(min_items = 1, max_items = 100)]
    hold_ids: Vec<HoldId>,
    /// What there is to say of all of them.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// What became of a hold that was to be released.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReleasedHoldView {
    /// The hold.
    hold_id: HoldId,
    /// Whether it was released.
    released: bool,
    /// Its order, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl ReleasedHoldView {
    fn of(hold_id: HoldId, outcome: Result<OrderId, Refusal>) -> Self {
        let (order_id, problem) = match outcome {
            Ok(order) => (Some(order), None),
            Err(refusal) => (None, Some(refusal.into())),
        };
        Self { hold_id, released: order_id.is_some(), order_id, problem }
    }
}

/// Release many holds
///
/// 1 to 100 holds of any orders, each answered in its place; one that is refused does not hold up the others. An order goes on
/// when nothing holds it any more.
#[utoipa::path(post, path = "/v1/order-holds/release", tag = "order", request_body = ReleaseHoldsBody,
    responses((status = 200, body = Vec<ReleasedHoldView>), (status = 422, body = Problem)))]
pub async fn release(app: Data<App>, meta: Meta, body: Json<ReleaseHoldsBody>) -> Result<HttpResponse, Failure> {
    let body = body.into_inner();
    check(&body)?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "release_order_holds", move |tx| -> Result<Answer, Error> {
        let outcomes = release_holds(tx, &body.hold_ids, body.note.as_deref(), &caller, rules)?;
        let views = body.hold_ids.iter().zip(outcomes).map(|(id, outcome)| ReleasedHoldView::of(*id, outcome));
        Answer::ok(&views.collect::<Vec<_>>(), None)
    })
    .await
}

fn check(body: &ReleaseHoldsBody) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    faults.optional_text("note", body.note.as_deref(), MAX_NOTE_LENGTH);
    if !(1..=MAX_RELEASED).contains(&body.hold_ids.len()) {
        faults.add("hold_ids", format!("has 1 to {MAX_RELEASED} entries"));
    }
    let mut seen = HashSet::new();
    for (index, id) in body.hold_ids.iter().enumerate().take(MAX_RELEASED) {
        if !seen.insert(id) {
            faults.add(format!("hold_ids[{index}]"), "is named twice");
        }
    }
    faults.into_result().map_err(Refusal::Invalid)
}
