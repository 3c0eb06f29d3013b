//! Orders that have stayed too long where they are.

use actix_web::HttpResponse;
use contracts::{Problem, ProblemCode};
use kernel::id::OrderId;
use kernel::{ChannelCode, Page, Timestamp};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Meta, Query, answer, page};

use super::App;
use super::orders::channels;
use crate::domain::state::OrderStatus;
use crate::settings::LongestStay;
use crate::store::stays::{self, Filter, Stuck};
use crate::store::{code, state};

/// Which of them to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StuckQuery {
    /// Where they stand: one state, or several with commas between them.
    #[param(example = "sourcing,unfillable")]
    status: Option<String>,
    /// The channel.
    channel: Option<ChannelCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An order that has stayed too long where it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StuckView {
    /// The order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// Its channel.
    channel: ChannelCode,
    /// The channel's own number.
    channel_order_no: String,
    /// Where it stands.
    status: OrderStatus,
    /// Whether somebody holds it.
    held: bool,
    /// Since when it stands there.
    since: Timestamp,
    /// How long it may.
    longest_stay_seconds: u32,
    /// What was done about it by itself; left out when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_again: Option<AskedAgainView>,
}

/// That the inventory was asked again for its answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AskedAgainView {
    /// How often.
    times: i32,
    /// When it was last.
    at: Timestamp,
}

impl StuckView {
    fn of(row: Stuck, longest: &LongestStay) -> Result<Self, Error> {
        let status = state(OrderStatus::parse(&row.status))?;
        let asked_again = (row.asked > 0).then(|| AskedAgainView { times: row.asked, at: row.asked_at.into() });
        Ok(Self {
            order_id: OrderId(row.order_id),
            channel: code(&row.channel)?,
            channel_order_no: row.channel_order_no,
            status,
            held: row.held,
            since: row.since.into(),
            longest_stay_seconds: longest.seconds(status),
            asked_again,
        })
    }
}

/// List orders that have stayed too long where they are, the longest first
///
/// How long an order may stay in each state is a setting; a state without a longest stay is never listed.
#[utoipa::path(get, path = "/v1/orders/stuck", tag = "order", params(StuckQuery),
    responses((status = 200, body = Page<StuckView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<StuckQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<(Timestamp, Uuid)>(query.limit, query.cursor)?;
    let longest = app.rules.longest_stay;
    let mut bounds = longest.bounds(app.store.now());
    if let Some(text) = &query.status {
        let statuses = statuses(text)?;
        bounds.retain(|(status, _)| statuses.contains(status));
    }
    let filter = Filter { channels: channels(&meta, query.channel)?, bounds, after };
    let read = app.store.read("stuck_orders", move |tx| stays::stuck(tx, &filter, limit.saturating_add(1))).await?;
    let views: Vec<StuckView> = read.into_iter().map(|row| StuckView::of(row, &longest)).collect::<Result<_, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| (view.since, view.order_id.uuid()))))
}

fn statuses(text: &str) -> Result<Vec<OrderStatus>, Problem> {
    let unknown = |word: &str| Problem::new(ProblemCode::Malformed).field("status", format!("'{word}' is no state"));
    text.split(',').map(|word| OrderStatus::parse(word.trim()).ok_or_else(|| unknown(word))).collect()
}
