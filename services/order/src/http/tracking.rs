//! Parcels on their way.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::Parcel;
use kernel::Timestamp;
use kernel::id::FulfilmentId;
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Error;
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path, answer};

use super::App;
use super::views::FulfilmentView;
use crate::app::caller::Caller;
use crate::app::refusal::Refusal;
use crate::app::track_parcels::{Track, track_parcels};
use crate::domain::faults::Faults;
use crate::domain::form::{ParcelForm, QuantityOfLineForm};
use crate::domain::intake::{MAX_NOTE_LENGTH, MAX_TEXT_LENGTH};
use crate::domain::state::FulfilmentStatus;
use crate::domain::tracking::{Correction, MAX_PARCELS, ParcelStatus, Update};
use crate::store::{fulfilments, parcel_updates};

/// The most reports in one request: what a carrier says in a day of a lorry load.
const MAX_UPDATES: usize = 1_000;

/// A parcel that is added, or takes the place of one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CorrectionForm {
    /// Who carries it.
    carrier: String,
    /// The carrier's number for it.
    tracking_no: String,
    /// What is in it; everything, when left out.
    #[serde(default)]
    lines: Vec<QuantityOfLineForm>,
    /// The number it was noted under, when that was wrong.
    #[serde(default)]
    replaces: Option<String>,
}

/// What a carrier reports of a parcel.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateForm {
    /// The parcel.
    tracking_no: String,
    /// What happened.
    status: ParcelStatus,
    /// When it happened.
    at: Timestamp,
    /// The carrier's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    text: Option<String>,
}

/// What is known of parcels.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackingBody {
    /// Parcels that are added, or corrected: one with a known number takes its place.
    #[serde(default)]
    #[schema(max_items = 200)]
    parcels: Vec<CorrectionForm>,
    /// What happened to parcels, in any order.
    #[serde(default)]
    #[schema(max_items = 1000)]
    updates: Vec<UpdateForm>,
}

impl TrackingBody {
    fn checked(self) -> Result<Track, Refusal> {
        let mut faults = Faults::default();
        if self.parcels.is_empty() && self.updates.is_empty() {
            faults.add("updates", "is empty, and so is parcels");
        }
        for (field, length, most) in
            [("parcels", self.parcels.len(), MAX_PARCELS), ("updates", self.updates.len(), MAX_UPDATES)]
        {
            if length > most {
                faults.add(field, format!("has at most {most} entries"));
            }
        }
        for (index, parcel) in self.parcels.iter().enumerate().take(MAX_PARCELS) {
            faults.text(&format!("parcels[{index}].carrier"), &parcel.carrier, MAX_TEXT_LENGTH);
            faults.text(&format!("parcels[{index}].tracking_no"), &parcel.tracking_no, MAX_TEXT_LENGTH);
        }
        for (index, update) in self.updates.iter().enumerate().take(MAX_UPDATES) {
            faults.optional_text(&format!("updates[{index}].text"), update.text.as_deref(), MAX_NOTE_LENGTH);
        }
        faults.into_result().map_err(Refusal::Invalid)?;
        let correction = |form: CorrectionForm| {
            let CorrectionForm { carrier, tracking_no, lines, replaces } = form;
            Correction { parcel: ParcelForm { carrier, tracking_no, lines }.into(), replaces }
        };
        let update = |form: UpdateForm| {
            let UpdateForm { tracking_no, status, at, text } = form;
            Update { tracking_no, at, status, text }
        };
        let updates = self.updates.into_iter().map(update).collect();
        Ok(Track { parcels: self.parcels.into_iter().map(correction).collect(), updates })
    }
}

/// Add or correct parcels that have left, and report what happened to them
///
/// Reports may come late, twice and out of order. Once every parcel was reported as delivered, the fulfilment order is.
#[utoipa::path(post, path = "/v1/fulfilments/{id}/tracking", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")), request_body = TrackingBody,
    responses((status = 200, body = FulfilmentView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn track(
    app: Data<App>,
    meta: Meta,
    path: Path<FulfilmentId>,
    body: Json<TrackingBody>,
) -> Result<HttpResponse, Failure> {
    let (id, command) = (path.into_inner(), body.into_inner().checked()?);
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "track_parcels", move |tx| -> Result<Answer, Refusal> {
        let tracked = track_parcels(tx, id, &command, &caller, rules)?;
        Ok(Answer::ok(&FulfilmentView::without_code(&tracked), tracked.version)?)
    })
    .await
}

/// The way of a fulfilment order's parcels.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrackingView {
    /// The fulfilment order.
    fulfilment_id: FulfilmentId,
    /// Where it stands.
    status: FulfilmentStatus,
    /// Its parcels.
    parcels: Vec<Parcel>,
    /// What happened to them, by when it happened; also of parcels that were renumbered.
    updates: Vec<UpdateForm>,
}

/// Read what happened to a fulfilment order's parcels
#[utoipa::path(get, path = "/v1/fulfilments/{id}/tracking", tag = "order",
    params(("id" = Uuid, Path, description = "The fulfilment order's id")),
    responses((status = 200, body = TrackingView), (status = 404, body = Problem)))]
pub async fn get(app: Data<App>, meta: Meta, path: Path<FulfilmentId>) -> Result<HttpResponse, Failure> {
    let id = path.into_inner();
    let read = app.store.read("get_tracking", move |tx| -> Result<_, Error> {
        let found = fulfilments::find(tx, id)?;
        let updates = if found.is_some() { parcel_updates::of(tx, id)? } else { Vec::new() };
        Ok(found.map(|found| (found, updates)))
    });
    let (found, updates) = read.await?.ok_or_else(|| Problem::not_found("fulfilment", id))?;
    meta.principal.require_location(&found.location)?;
    let form = |it: Update| UpdateForm { tracking_no: it.tracking_no, status: it.status, at: it.at, text: it.text };
    Ok(answer::ok(&TrackingView {
        fulfilment_id: id,
        status: found.status,
        parcels: found.parcels,
        updates: updates.into_iter().map(form).collect(),
    }))
}
