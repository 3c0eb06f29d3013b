//! Exact totals, as finance reconciles them.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::{ChannelCode, Currency, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Meta, Query, answer};

use super::App;
use super::orders::channels;
use crate::store::summary::{self, Amounts, Counts, Filter};

/// What is summed up.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SummaryQuery {
    /// The channel.
    channel: Option<ChannelCode>,
    /// The currency.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// Placed (returns: asked for) at or after.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Placed (returns: asked for) before.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// `true`: only where the buyer is known; `false`: only anonymous ones.
    identified: Option<bool>,
    /// `true`: only lines with a price above zero; `false`: only those without.
    priced: Option<bool>,
    /// `true`: only what was cancelled as a whole; `false`: only what was not.
    cancelled: Option<bool>,
}

/// Totals over orders, over returns, and over both.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SummaryView {
    /// Orders with at least one line that counts, and those lines as they were ordered.
    orders: TotalsView,
    /// Returns with at least one line that counts, and those lines.
    returns: TotalsView,
    /// Both together: counted in either; units and amounts of orders less those of returns.
    net: TotalsView,
}

/// Totals over the lines that count.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TotalsView {
    /// Orders or returns.
    count: i64,
    /// Lines.
    lines: i64,
    /// Different buyers, by what the channels know of them.
    buyers: i64,
    /// Different members.
    members: i64,
    /// Different SKUs.
    skus: i64,
    /// Units.
    units: i64,
    /// When the first was placed (returns: asked for); left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<Timestamp>,
    /// When the last was placed (returns: asked for).
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Timestamp>,
    /// Amounts per currency.
    amounts: Vec<AmountsView>,
}

/// Totals of one currency, in minor units where not said otherwise.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AmountsView {
    /// The currency.
    currency: Currency,
    /// Σ unit price × quantity, exactly, in major units.
    #[schema(example = "8911407.904")]
    list_revenue: String,
    /// Σ list amounts, each rounded on its line.
    list_amount: i64,
    /// Σ discounts.
    discount_amount: i64,
    /// Σ paid amounts; of returns, what went back for the goods.
    paid_amount: i64,
    /// Σ freight.
    freight_amount: i64,
}

/// Sum up orders and returns exactly
#[utoipa::path(get, path = "/v1/orders/summary", tag = "order", params(SummaryQuery),
    responses((status = 200, body = SummaryView), (status = 400, body = Problem)))]
pub async fn summary(app: Data<App>, meta: Meta, query: Query<SummaryQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let filter = Filter {
        channels: channels(&meta, query.channel)?,
        currency: query.currency.map(|currency| currency.code().to_owned()),
        from: query.from,
        until: query.until,
        identified: query.identified,
        priced: query.priced,
        cancelled: query.cancelled,
    };
    let read = app.store.read("sum_up_orders", move |tx| {
        Ok::<_, Error>([summary::orders, summary::returns, summary::net].map(|totals| totals(tx, &filter)))
    });
    let [orders, returns, net] = read.await?;
    Ok(answer::ok(&SummaryView { orders: view(orders?)?, returns: view(returns?)?, net: view(net?)? }))
}

fn view((counts, amounts): (Counts, Vec<Amounts>)) -> Result<TotalsView, Error> {
    Ok(TotalsView {
        count: counts.documents,
        lines: counts.lines,
        buyers: counts.buyers,
        members: counts.members,
        skus: counts.skus,
        units: whole(counts.units)?,
        first_at: counts.first_at.map(Into::into),
        last_at: counts.last_at.map(Into::into),
        amounts: amounts.iter().map(amounts_view).collect::<Result<_, _>>()?,
    })
}

fn amounts_view(amounts: &Amounts) -> Result<AmountsView, Error> {
    Ok(AmountsView {
        currency: amounts.currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?,
        list_revenue: amounts.list_revenue.normalize().to_string(),
        list_amount: whole(amounts.list_amount)?,
        discount_amount: whole(amounts.discount_amount)?,
        paid_amount: whole(amounts.paid_amount)?,
        freight_amount: whole(amounts.freight_amount)?,
    })
}

fn whole(sum: Decimal) -> Result<i64, Error> {
    i64::try_from(sum).map_err(|_| Error::Broken("sums of limited amounts stay within bounds"))
}
