//! Lists of orders, narrowed by what people know of the order they look for.

use actix_web::HttpResponse;
use contracts::{Problem, ProblemCode};
use kernel::id::MemberId;
use kernel::page::Cursor;
use kernel::{ChannelCode, LocationCode, Page, PayeeCode, SkuCode, Timestamp};
use serde::Deserialize;
use store::Error;
use utoipa::IntoParams;
use uuid::Uuid;
use web::{Data, Failure, Meta, Query, answer, page};

use super::App;
use super::orders::channels;
use super::views::OrderView;
use crate::app::read_orders::list_orders;
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::intake;
use crate::domain::state::{OrderStatus, PaymentStatus};
use crate::store::search::Filter;

/// Which orders to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The channel.
    pub channel: Option<ChannelCode>,
    /// The channel's own number, in whichever channel; `channel_order_no` means the same.
    #[serde(alias = "channel_order_no")]
    pub order_no: Option<String>,
    /// What the channel's own number begins with.
    pub order_no_prefix: Option<String>,
    /// The channel's number for the purchase that they were split from.
    pub parent_order_no: Option<String>,
    /// The last four digits of a telephone: of the address, or of the buyer.
    #[param(min_length = 4, max_length = 4)]
    pub phone_tail: Option<String>,
    /// A SKU that one of its lines sold.
    #[param(value_type = Option<String>)]
    pub sku: Option<SkuCode>,
    /// The store credited with the sale.
    #[param(value_type = Option<String>)]
    pub store: Option<LocationCode>,
    /// The guide credited with the sale.
    #[param(value_type = Option<String>)]
    pub guide: Option<PayeeCode>,
    /// The member who bought.
    #[param(value_type = Option<Uuid>)]
    pub member: Option<MemberId>,
    /// Whether anything holds them, a rule or a person.
    pub held: Option<bool>,
    /// Where they stand: one state, or several with commas between them.
    #[param(example = "backordered,unfillable")]
    pub status: Option<String>,
    /// Where their money stands: one state, or several with commas between them.
    #[param(example = "partially_refunded,refunded")]
    pub payment_status: Option<String>,
    /// Placed at or after.
    #[param(value_type = Option<String>)]
    pub from: Option<Timestamp>,
    /// Placed before.
    #[param(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// At most so many items (default 50, at most 500).
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// List orders, the newest first
///
/// All filters may be combined. A page looks at 2,000 orders at most: where several filters leave few of them, a page may
/// hold fewer items than `limit`, also none, and there is more as long as it has a `next_cursor`.
#[utoipa::path(get, path = "/v1/orders", tag = "order", params(ListQuery),
    responses((status = 200, body = Page<OrderView>), (status = 400, body = Problem)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<ListQuery>) -> Result<HttpResponse, Failure> {
    let mut query = query.into_inner();
    let (limit, before) = page::<(Timestamp, Uuid)>(query.limit, query.cursor.take())?;
    let filter = Filter { before, ..filter(&meta, query)? };
    let read = app.store.read("list_orders", move |tx| list_orders(tx, &filter, limit)).await?;
    let items = read.orders.iter().map(OrderView::of).collect::<Result<Vec<_>, Error>>()?;
    let next_cursor = read.next.map(|place| Cursor::encode(&(Timestamp::from(place.placed_at), place.order_id)));
    Ok(answer::ok(&Page { items, next_cursor }))
}

/// What a query asks for, as far as the caller may see it.
pub fn filter(meta: &Meta, query: ListQuery) -> Result<Filter, Failure> {
    let mut faults = Faults::default();
    faults.optional_text("order_no", query.order_no.as_deref(), intake::MAX_NUMBER_LENGTH);
    faults.optional_text("order_no_prefix", query.order_no_prefix.as_deref(), intake::MAX_NUMBER_LENGTH);
    faults.optional_text("parent_order_no", query.parent_order_no.as_deref(), intake::MAX_NUMBER_LENGTH);
    let is_tail = |text: &String| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if query.phone_tail.as_ref().is_some_and(|text| !is_tail(text)) {
        faults.add("phone_tail", "is four digits");
    }
    faults.into_result().map_err(Refusal::Invalid)?;
    Ok(Filter {
        channels: channels(meta, query.channel)?,
        order_no: query.order_no,
        order_no_prefix: query.order_no_prefix,
        parent_order_no: query.parent_order_no,
        phone_tail: query.phone_tail,
        sku: query.sku.map(String::from),
        store: query.store.map(String::from),
        guide: query.guide.map(String::from),
        member: query.member.map(MemberId::uuid),
        held: query.held,
        statuses: states("status", query.status.as_deref(), OrderStatus::parse)?,
        payment_statuses: states("payment_status", query.payment_status.as_deref(), PaymentStatus::parse)?,
        from: query.from,
        until: query.until,
        before: None,
    })
}

/// States with commas between them.
fn states<T>(
    field: &'static str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<Vec<T>>, Problem> {
    let unknown = |word: &str| Problem::new(ProblemCode::Malformed).field(field, format!("'{word}' is no state"));
    let state = |word: &str| parse(word.trim()).ok_or_else(|| unknown(word));
    text.map(|text| text.split(',').map(state).collect()).transpose()
}
