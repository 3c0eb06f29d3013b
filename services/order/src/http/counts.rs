//! How many orders stand where.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::ChannelCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Meta, Query, answer};

use super::App;
use super::orders::channels;
use crate::domain::state::{OrderStatus, PaymentStatus};
use crate::store::code;
use crate::store::moves::{self, Count};

/// Which orders are counted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CountsQuery {
    /// The channel.
    channel: Option<ChannelCode>,
}

/// How many orders there are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountsView {
    /// In all of these channels.
    orders: i64,
    /// Per channel, by its code; those without orders are left out.
    channels: Vec<ChannelCountsView>,
}

/// How many orders a channel has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelCountsView {
    /// The channel.
    channel: ChannelCode,
    /// All of its orders.
    orders: i64,
    /// By where they stand; states without orders are left out.
    statuses: Vec<StatusCountView>,
    /// By where their money stands; states without orders are left out.
    payment_statuses: Vec<PaymentCountView>,
}

/// How many orders stand somewhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatusCountView {
    /// Where.
    status: OrderStatus,
    /// How many.
    orders: i64,
}

/// How many orders' money stands somewhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentCountView {
    /// Where.
    payment_status: PaymentStatus,
    /// How many.
    orders: i64,
}

/// Count orders by channel and state
///
/// The counts are kept with every change, so they are exact at once and cost the same however many orders there are.
#[utoipa::path(get, path = "/v1/orders/counts", tag = "order", params(CountsQuery),
    responses((status = 200, body = CountsView), (status = 400, body = Problem)))]
pub async fn counts(app: Data<App>, meta: Meta, query: Query<CountsQuery>) -> Result<HttpResponse, Failure> {
    let channels = channels(&meta, query.into_inner().channel)?;
    let read = app.store.read("count_orders", move |tx| moves::counts(tx, channels.as_deref())).await?;
    let mut view = CountsView { orders: 0, channels: Vec::new() };
    for of_channel in read.chunk_by(|one, next| one.channel == next.channel) {
        let Some(first) = of_channel.first() else { continue };
        let orders = sum(of_channel, |_| true);
        view.orders = view.orders.saturating_add(orders);
        let with = |count: fn(&Count, &str) -> bool, word: &str| sum(of_channel, |it| count(it, word));
        let statuses = OrderStatus::ALL.iter().map(|status| {
            let orders = with(|it, word| it.status == word, status.as_str());
            StatusCountView { status: *status, orders }
        });
        let payments = PaymentStatus::ALL.iter().map(|payment_status| {
            let orders = with(|it, word| it.payment_status == word, payment_status.as_str());
            PaymentCountView { payment_status: *payment_status, orders }
        });
        view.channels.push(ChannelCountsView {
            channel: code(&first.channel)?,
            orders,
            statuses: statuses.filter(|it| it.orders != 0).collect(),
            payment_statuses: payments.filter(|it| it.orders != 0).collect(),
        });
    }
    Ok(answer::ok(&view))
}

fn sum(counts: &[Count], counts_in: impl Fn(&Count) -> bool) -> i64 {
    counts.iter().filter(|it| counts_in(it)).map(|it| it.orders).sum()
}
