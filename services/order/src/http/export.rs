//! Orders as a stream, a row for each line: for spreadsheets and for what people load elsewhere.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use contracts::Problem;
use futures_util::stream::{self, Stream, TryStreamExt};
use kernel::id::{MemberId, OrderId};
use kernel::{ChannelCode, LocationCode, PayeeCode, SkuCode, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Error, Store};
use tokio::fs::File;
use utoipa::{IntoParams, ToSchema};
use web::ndjson::{self, NDJSON};
use web::{Answer, Data, Failure, Meta, Query};

use super::App;
use super::search::{ListQuery, filter};
use super::sheets::{ROWS_PER_SHEET, Sheets};
use crate::app::export_orders::{Exported, export_orders};
use crate::store::search::Filter;

/// Orders read at once: a megabyte of them.
const PAGE: i64 = 500;
/// The media type of workbooks.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// What makes a spreadsheet program take a cell of csv for a formula when it begins so.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Which orders to export, and how.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// How; left out, what the `Accept` header names first, and ndjson where it names none of them.
    format: Option<ExportFormat>,
    /// The channel.
    channel: Option<ChannelCode>,
    /// The channel's own number, in whichever channel; `channel_order_no` means the same.
    #[serde(alias = "channel_order_no")]
    order_no: Option<String>,
    /// What the channel's own number begins with.
    order_no_prefix: Option<String>,
    /// The channel's number for the purchase that they were split from.
    parent_order_no: Option<String>,
    /// The last four digits of a telephone: of the address, or of the buyer.
    #[param(min_length = 4, max_length = 4)]
    phone_tail: Option<String>,
    /// A SKU that one of its lines sold; the export has all of the order's lines.
    #[param(value_type = Option<String>)]
    sku: Option<SkuCode>,
    /// The store credited with the sale.
    #[param(value_type = Option<String>)]
    store: Option<LocationCode>,
    /// The guide credited with the sale.
    #[param(value_type = Option<String>)]
    guide: Option<PayeeCode>,
    /// The member who bought.
    #[param(value_type = Option<Uuid>)]
    member: Option<MemberId>,
    /// Whether anything holds them, a rule or a person.
    held: Option<bool>,
    /// Where they stand: one state, or several with commas between them.
    status: Option<String>,
    /// Where their money stands: one state, or several with commas between them.
    payment_status: Option<String>,
    /// Placed at or after.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Placed before.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A JSON object per line.
    Ndjson,
    /// A record per line.
    Csv,
    /// A workbook for spreadsheet programs.
    Xlsx,
}

impl ExportFormat {
    /// The first that an `Accept` header names.
    fn accepted(request: &HttpRequest) -> Self {
        let headers = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        let mut named = headers.flat_map(|value| value.split(',')).filter_map(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match media_type.as_str() {
                XLSX => Some(Self::Xlsx),
                "text/csv" => Some(Self::Csv),
                NDJSON | "application/ndjson" | "application/jsonl" | "application/json" => Some(Self::Ndjson),
                _ => None,
            }
        });
        named.next().unwrap_or(Self::Ndjson)
    }
}

/// A line of an order. Amounts are minor units of the currency; what is not there is null, or an empty cell.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExportRow {
    order_id: OrderId,
    channel: String,
    order_no: String,
    placed_at: Timestamp,
    created_at: Timestamp,
    status: String,
    payment_status: String,
    member_id: Option<MemberId>,
    store: Option<String>,
    guide: Option<String>,
    fulfilment: String,
    currency: String,
    line_no: i32,
    sku: String,
    channel_sku: Option<String>,
    category: Option<String>,
    quantity: i64,
    /// The exact price of one unit in major units.
    unit_price_decimal: String,
    list_amount: i64,
    discount_amount: i64,
    /// Tax that comes on top of prices.
    added_tax_amount: i64,
    paid_amount: i64,
    freight_amount: i64,
    cancelled: i64,
    shipped: i64,
    returned: i64,
    refunded: i64,
    /// Of the whole order, in each of its rows.
    order_total_amount: i64,
    /// Of the whole order, in each of its rows.
    order_given_back_amount: i64,
}

/// The fields of a row, in their order.
const COLUMNS: [&str; 29] = [
    "order_id",
    "channel",
    "order_no",
    "placed_at",
    "created_at",
    "status",
    "payment_status",
    "member_id",
    "store",
    "guide",
    "fulfilment",
    "currency",
    "line_no",
    "sku",
    "channel_sku",
    "category",
    "quantity",
    "unit_price_decimal",
    "list_amount",
    "discount_amount",
    "added_tax_amount",
    "paid_amount",
    "freight_amount",
    "cancelled",
    "shipped",
    "returned",
    "refunded",
    "order_total_amount",
    "order_given_back_amount",
];

/// Export orders, the newest first, a row for each of their lines
///
/// The filters are those of the list. As `application/x-ndjson`, `text/csv` or a workbook, by `format` or `Accept`. Orders
/// are read page by page while they are sent, each as it is at that moment; a workbook is sent when it is whole.
#[utoipa::path(get, path = "/v1/orders/export", tag = "order", params(ExportQuery),
    responses((status = 200, content((ExportRow = "application/x-ndjson"), (String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    (status = 400, body = Problem)))]
pub async fn export(app: Data<App>, meta: Meta, request: HttpRequest, query: Query<ExportQuery>) -> Answer {
    let query = query.into_inner();
    let format = query.format.unwrap_or_else(|| ExportFormat::accepted(&request));
    let filter = filter(&meta, query.into())?;
    let store = app.store.clone();
    Ok(match format {
        ExportFormat::Ndjson => ndjson::export(pages(store, filter)),
        ExportFormat::Csv => {
            let defused = pages(store, filter).map_ok(|rows| rows.into_iter().map(ExportRow::defused).collect());
            ndjson::export_as(ndjson::Format::Csv, &COLUMNS, defused)
        }
        ExportFormat::Xlsx => as_attachment(ndjson::stream(XLSX, workbook(store, filter))),
    })
}

fn as_attachment(mut response: HttpResponse) -> HttpResponse {
    let name = HeaderValue::from_static("attachment; filename=\"orders.xlsx\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}

/// The rows, page by page, each page as it is when it is read.
fn pages(store: Store, filter: Filter) -> impl Stream<Item = Result<Vec<ExportRow>, Failure>> {
    stream::try_unfold(Some(filter), move |filter| {
        let store = store.clone();
        async move {
            let Some(filter) = filter else { return Ok(None) };
            let read = store.read("export_orders", move |tx| {
                let (orders, next) = export_orders(tx, &filter, PAGE)?;
                Ok::<_, Error>((orders.iter().flat_map(rows).collect::<Vec<_>>(), next))
            });
            Ok(Some(read.await.map_err(Failure::from)?))
        }
    })
}

/// The workbook: it is written to a file, page by page, and sent from there.
fn workbook(store: Store, filter: Filter) -> impl Stream<Item = Result<Bytes, Failure>> {
    let written = async move {
        let mut sheets = Sheets::new(&COLUMNS, ROWS_PER_SHEET).map_err(Failure::internal)?;
        let mut next = Some(filter);
        while let Some(filter) = next {
            let read = store.read("export_orders", move |tx| -> Result<_, Failure> {
                let (orders, next) = export_orders(tx, &filter, PAGE)?;
                for row in orders.iter().flat_map(rows) {
                    let row = serde_json::to_value(row).map_err(Failure::internal)?;
                    sheets.add(&row).map_err(Failure::internal)?;
                }
                Ok((sheets, next))
            });
            (sheets, next) = read.await?;
        }
        // Packing it takes seconds, so it is done where other work that blocks is.
        let finished = store.read("finish_export", move |_| sheets.finish().map_err(Failure::internal));
        Ok::<_, Failure>(ndjson::chunks(File::from_std(finished.await?)).map_err(Failure::internal))
    };
    stream::once(written).try_flatten()
}

fn rows(it: &Exported) -> impl Iterator<Item = ExportRow> {
    let order = &it.order;
    it.lines.iter().map(|line| ExportRow {
        order_id: order.id(),
        channel: order.channel.clone(),
        order_no: order.channel_order_no.clone(),
        placed_at: order.placed_at.into(),
        created_at: order.created_at.into(),
        status: order.status.clone(),
        payment_status: order.payment_status.clone(),
        member_id: it.member.map(MemberId),
        store: it.document.store.as_ref().map(ToString::to_string),
        guide: it.document.guide.as_ref().map(ToString::to_string),
        fulfilment: order.fulfilment_kind.clone(),
        currency: order.currency.clone(),
        line_no: line.line_no,
        sku: line.sku.clone(),
        channel_sku: line.channel_sku.clone(),
        category: line.category.clone(),
        quantity: line.quantity,
        unit_price_decimal: line.unit_price.to_string(),
        list_amount: line.list_amount,
        discount_amount: line.discount_amount,
        added_tax_amount: line.added_tax_amount,
        paid_amount: line.paid_amount,
        freight_amount: line.freight_amount,
        cancelled: line.cancelled,
        shipped: line.shipped,
        returned: line.returned,
        refunded: line.refunded,
        order_total_amount: order.total_amount,
        order_given_back_amount: order.given_back_amount,
    })
}

impl ExportRow {
    /// The row with every text that came from outside such that no spreadsheet program takes it for a formula.
    fn defused(self) -> Self {
        let defuse = |text: String| if text.starts_with(FORMULA) { format!("'{text}") } else { text };
        Self {
            channel: defuse(self.channel),
            order_no: defuse(self.order_no),
            store: self.store.map(defuse),
            guide: self.guide.map(defuse),
            sku: defuse(self.sku),
            channel_sku: self.channel_sku.map(defuse),
            category: self.category.map(defuse),
            ..self
        }
    }
}

impl From<ExportQuery> for ListQuery {
    fn from(query: ExportQuery) -> Self {
        Self {
            channel: query.channel,
            order_no: query.order_no,
            order_no_prefix: query.order_no_prefix,
            parent_order_no: query.parent_order_no,
            phone_tail: query.phone_tail,
            sku: query.sku,
            store: query.store,
            guide: query.guide,
            held: query.held,
            member: query.member,
            status: query.status,
            payment_status: query.payment_status,
            from: query.from,
            until: query.until,
            limit: None,
            cursor: None,
        }
    }
}
