//! The orders that a channel split one purchase into.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::ChannelCode;
use kernel::id::OrderId;
use serde::Serialize;
use store::Error;
use utoipa::ToSchema;
use web::{Data, Failure, Meta, Path, answer};

use super::App;
use super::totals::TotalsView;
use crate::app::read_family::{Family, read_family};
use crate::domain::state::{OrderStatus, PaymentStatus};
use crate::store::code;

/// The orders of one purchase.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FamilyView {
    /// Their channel.
    channel: ChannelCode,
    /// The channel's number for the purchase.
    parent_order_no: String,
    /// The orders, the first placed first: at most 100.
    orders: Vec<MemberView>,
    /// What they add up to, for each currency.
    totals: Vec<TotalsView>,
    /// Whether these are all of them.
    complete: bool,
}

/// An order of a family.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OrderOfFamily)]
pub struct MemberView {
    /// The order.
    id: OrderId,
    /// The channel's own number for it.
    channel_order_no: String,
    /// Where it stands.
    status: OrderStatus,
    /// Where its money stands.
    payment_status: PaymentStatus,
    /// What it adds up to.
    totals: TotalsView,
}

impl FamilyView {
    fn of(family: Family, channel: ChannelCode) -> Result<Self, Error> {
        let mut orders = Vec::with_capacity(family.orders.len());
        let mut totals: Vec<TotalsView> = Vec::new();
        for (row, lines) in family.orders {
            let own = TotalsView::of(&row, &lines)?;
            let same = |it: &&mut TotalsView| it.total_amount.currency == own.total_amount.currency;
            match totals.iter_mut().find(same) {
                Some(sum) => *sum = sum.clone().plus(&own),
                None => totals.push(own.clone()),
            }
            orders.push(MemberView {
                id: row.id(),
                status: row.status()?,
                payment_status: row.payment_status()?,
                channel_order_no: row.channel_order_no,
                totals: own,
            });
        }
        Ok(Self { channel, parent_order_no: family.parent_order_no, orders, totals, complete: family.complete })
    }
}

/// Read the orders of one purchase, by one of them
///
/// Those with the same `parent_order_no` in its channel, and the order with that number, if there is one. Of an order without
/// one, those that were split from it.
#[utoipa::path(get, path = "/v1/orders/{id}/family", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")),
    responses((status = 200, body = FamilyView), (status = 404, body = Problem)))]
pub async fn family(app: Data<App>, meta: Meta, path: Path<OrderId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app.store.read("read_family", move |tx| read_family(tx, id)).await?;
    let family = read.ok_or_else(|| Problem::not_found("order", id))?;
    let channel: Option<ChannelCode> = family.orders.first().map(|(row, _)| code(&row.channel)).transpose()?;
    let channel = channel.ok_or_else(|| Problem::not_found("order", id))?;
    meta.principal.require_channel(&channel)?;
    Ok(answer::ok(&FamilyView::of(family, channel)?))
}
