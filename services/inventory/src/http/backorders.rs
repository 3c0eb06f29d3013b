//! Who waits for stock.

use kernel::id::OrderId;
use kernel::{ChannelCode, Page, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Data, Principal, Query, answer, page};

use super::State;
use crate::store::backorders::{self, Backorder, Place};

/// Which waiting orders to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BackordersQuery {
    /// Those that wait for this SKU.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An order that waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackorderView {
    /// The order.
    order_id: OrderId,
    /// Its channel.
    channel: ChannelCode,
    /// Lower is served first: 0 for the rest of an order that was promised before, 1 for one that was not.
    priority: i16,
    /// Among equals, the earlier placed is served first.
    placed_at: Timestamp,
    /// What it waits for.
    lines: Vec<WaitingLine>,
}

/// Units that an order waits for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WaitingLine {
    /// The order line.
    line_no: i32,
    /// The SKU; for a bundle, the part.
    sku: SkuCode,
    /// How many units.
    quantity: i64,
}

impl From<Backorder> for BackorderView {
    fn from(it: Backorder) -> Self {
        let lines = it.request.demands().into_iter().map(|demand| WaitingLine {
            line_no: demand.line_no,
            sku: demand.sku,
            quantity: demand.units,
        });
        Self {
            order_id: it.order_id,
            priority: it.priority,
            placed_at: it.request.placed_at,
            lines: lines.collect(),
            channel: it.request.channel,
        }
    }
}

/// List waiting orders in the order they are served
#[utoipa::path(get, path = "/v1/backorders", tag = "inventory", params(BackordersQuery),
    responses((status = 200, body = Page<BackorderView>)))]
pub async fn list(state: Data<State>, principal: Principal, query: Query<BackordersQuery>) -> Answer {
    let query = query.into_inner();
    let (limit, after) = page::<Place>(query.limit, query.cursor)?;
    let sku = query.sku;
    let rows = state
        .store
        .read("list_backorders", move |tx| {
            backorders::queue(tx, sku.as_ref().map(SkuCode::as_str), after, limit.saturating_add(1))
        })
        .await?;
    let rows = Page::from_rows(rows, limit, Backorder::place);
    let seen = rows.items.into_iter().filter(|it| principal.channels.contains(&it.request.channel));
    Ok(answer::ok(&Page { items: seen.map(BackorderView::from).collect(), next_cursor: rows.next_cursor }))
}
