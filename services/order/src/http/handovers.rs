//! Hand-over lists: what a carrier takes along.

use actix_web::HttpResponse;
use contracts::Problem;
use futures_util::stream;
use kernel::id::{FulfilmentId, OrderId};
use kernel::{LocationCode, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use utoipa::ToSchema;
use uuid::Uuid;
use web::ndjson::{self, Format};
use web::{Data, Failure, Json, Meta, Path, answer};

use super::App;
use crate::app::caller::Caller;
use crate::app::hand_over::{HandOver, MAX_FULFILMENTS, hand_over};
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::intake::MAX_TEXT_LENGTH;
use crate::store::handovers::{self, HandedParcel, HandoverList};

/// The columns of a list as csv.
const COLUMNS: [&str; 4] = ["fulfilment_id", "order_id", "channel_order_no", "tracking_no"];

/// What is handed to a carrier.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverBody {
    /// Where.
    location: LocationCode,
    /// The carrier, as the parcels name it.
    #[schema(min_length = 1, max_length = 256)]
    carrier: String,
    /// Which fulfilment orders; the oldest 500 that are packed for the carrier, when left out.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 500, value_type = Option<Vec<Uuid>>)]
    fulfilments: Option<Vec<FulfilmentId>>,
}

impl HandoverBody {
    fn checked(self) -> Result<HandOver, Refusal> {
        let mut faults = Faults::default();
        faults.text("carrier", &self.carrier, MAX_TEXT_LENGTH);
        if self.fulfilments.as_ref().is_some_and(|named| named.is_empty() || named.len() > MAX_FULFILMENTS) {
            faults.add("fulfilments", format!("has 1 to {MAX_FULFILMENTS} entries"));
        }
        faults.into_result().map_err(Refusal::Invalid)?;
        Ok(HandOver { location: self.location, carrier: self.carrier, fulfilments: self.fulfilments })
    }
}

/// A parcel on a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HandedParcelView {
    /// The fulfilment order.
    fulfilment_id: FulfilmentId,
    /// Its order.
    order_id: OrderId,
    /// The order's number in its channel.
    channel_order_no: String,
    /// The carrier's number for the parcel.
    tracking_no: String,
}

impl From<HandedParcel> for HandedParcelView {
    fn from(it: HandedParcel) -> Self {
        let HandedParcel { fulfilment_id, order_id, channel_order_no, tracking_no } = it;
        Self { fulfilment_id, order_id, channel_order_no, tracking_no }
    }
}

/// What was handed to a carrier in one go.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HandoverView {
    /// Its id.
    id: Uuid,
    /// Where.
    location: LocationCode,
    /// To whom.
    carrier: String,
    /// When.
    handed_at: Timestamp,
    /// The client that handed it over.
    handed_by: String,
    /// How many parcels.
    parcel_count: usize,
    /// The parcels, as they were then.
    parcels: Vec<HandedParcelView>,
}

impl From<HandoverList> for HandoverView {
    fn from(it: HandoverList) -> Self {
        let HandoverList { id, location, carrier, parcels, handed_at, handed_by } = it;
        let parcel_count = parcels.len();
        let parcels = parcels.into_iter().map(Into::into).collect();
        Self { id, location, carrier, handed_at, handed_by, parcel_count, parcels }
    }
}

/// Hand packed fulfilment orders to a carrier
///
/// Makes a list of their parcels and ships all of them, or none.
#[utoipa::path(post, path = "/v1/handover-lists", tag = "order", request_body = HandoverBody,
    responses((status = 201, body = HandoverView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(app: Data<App>, meta: Meta, body: Json<HandoverBody>) -> Result<HttpResponse, Failure> {
    let command = body.into_inner().checked()?;
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "hand_over", move |tx| -> Result<Answer, Refusal> {
        let list = HandoverView::from(hand_over(tx, &command, &caller, rules)?);
        Ok(Answer::created(&list, None, format!("/v1/handover-lists/{}", list.id))?)
    })
    .await
}

/// Read a hand-over list
///
/// As JSON, or its parcels as `text/csv` where `Accept` asks for it.
#[utoipa::path(get, path = "/v1/handover-lists/{id}", tag = "order",
    params(("id" = Uuid, Path, description = "The list's id")),
    responses((status = 200, content((HandoverView = "application/json"), (String = "text/csv"))),
        (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, format: Format, path: Path<Uuid>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let found = app.store.read("get_handover", move |tx| handovers::find(tx, id)).await?;
    let found = found.ok_or_else(|| Problem::not_found("hand-over list", id))?;
    meta.principal.require_location(&found.location)?;
    let view = HandoverView::from(found);
    match format {
        Format::Ndjson => Ok(answer::ok(&view)),
        Format::Csv => {
            let page = stream::once(async move { Ok::<_, Failure>(view.parcels) });
            Ok(ndjson::export_as(format, &COLUMNS, page))
        }
    }
}
