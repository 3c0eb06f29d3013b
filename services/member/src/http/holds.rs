//! Points set aside for a redemption.

use actix_web::{HttpResponse, Responder};
use contracts::Problem;
use kernel::Timestamp;
use kernel::id::MemberId;
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Store;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, answer};

use crate::app::hold_points::{HoldCommand, HoldError, HoldStep, hold_points, step_hold};
use crate::store::points::{self, HoldRow};

/// For how long points can be set aside.
#[derive(Clone, Copy, Debug)]
pub struct HoldLimits {
    /// When the request names no time.
    pub default_seconds: u32,
    /// At most.
    pub max_seconds: u32,
}

/// Points to be set aside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PointsHoldBody)]
pub struct HoldBody {
    /// Whose.
    #[schema(value_type = Uuid)]
    member_id: MemberId,
    /// How many, at least 1.
    points: i64,
    /// For how long; 15 minutes unless the settings say otherwise.
    ttl_seconds: Option<u32>,
    /// What for. It must not hold personal data.
    reason: String,
    /// The client's own key for the redemption.
    reference: Option<String>,
}

/// Points that are, or were, set aside.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsHoldView)]
pub struct HoldView {
    /// Its id.
    id: Uuid,
    /// Whose.
    #[schema(value_type = Uuid)]
    member_id: MemberId,
    /// How many.
    points: i64,
    /// `held`, `captured`, `released`, `lapsed` or `reversed`.
    status: String,
    /// What for.
    reason: String,
    /// The client's own key for the redemption.
    reference: Option<String>,
    /// When it was made.
    made_at: Timestamp,
    /// When it lapses, if it is still held then.
    expires_at: Timestamp,
    /// Grows with every change; also the ETag.
    version: i64,
}

impl HoldView {
    /// A hold whose time is over has lapsed, whether or not it was booked yet.
    fn at(row: HoldRow, now: Timestamp) -> Self {
        let expires_at = Timestamp::new(row.expires_at);
        let lapsed = row.status == "held" && expires_at <= now;
        Self {
            id: row.hold_id,
            member_id: MemberId(row.member_id),
            points: row.points,
            status: if lapsed { "lapsed".to_owned() } else { row.status },
            reason: row.reason,
            reference: row.reference,
            made_at: Timestamp::new(row.made_at),
            expires_at,
            version: row.version,
        }
    }
}

/// Set points aside
///
/// The points that lapse first are taken. They come back by themselves when the time is over.
#[utoipa::path(post, path = "/v1/points/holds", tag = "member", request_body = HoldBody,
    responses((status = 201, body = HoldView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn hold(
    store: Data<Store>,
    limits: Data<HoldLimits>,
    meta: Meta,
    body: Json<HoldBody>,
) -> Result<impl Responder, Failure> {
    let HoldBody { member_id: member, points, ttl_seconds, reason, reference } = body.into_inner();
    let seconds = ttl_seconds.unwrap_or(limits.default_seconds);
    if !(1..=limits.max_seconds).contains(&seconds) {
        let detail = format!("points can be set aside for 1 to {} seconds", limits.max_seconds);
        return Err(Problem::invalid("ttl_seconds", detail).into());
    }
    let command = HoldCommand { member, points, seconds, reason, reference, cause: meta.cause.clone() };
    write(&meta, &store, "hold_points", move |tx| -> Result<Answer, HoldError> {
        let view = HoldView::at(hold_points(tx, &command)?, tx.now());
        let location = format!("/v1/points/holds/{}", view.id);
        Ok(Answer::created(&view, view.version, location)?)
    })
    .await
}

/// Read a hold
#[utoipa::path(get, path = "/v1/points/holds/{id}", tag = "member", params(("id" = Uuid, Path, description = "The hold")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, path: Path<Uuid>) -> Result<impl Responder, Failure> {
    let hold = path.into_inner();
    let row = store.read("get_hold", move |tx| points::hold(tx, hold)).await?;
    let view = HoldView::at(row.ok_or_else(|| Problem::not_found("hold", hold))?, store.now());
    Ok(answer::versioned(&view, view.version))
}

/// Spend what a hold set aside
///
/// Capturing it again changes nothing; one that was released or has lapsed is a 409.
#[utoipa::path(post, path = "/v1/points/holds/{id}/capture", tag = "member",
    params(("id" = Uuid, Path, description = "The hold")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn capture(store: Data<Store>, path: Path<Uuid>, meta: Meta) -> Result<impl Responder, Failure> {
    step(&store, path.into_inner(), &meta, HoldStep::Capture).await
}

/// Give back what a hold set aside
///
/// The points go back into the lots they came from.
#[utoipa::path(post, path = "/v1/points/holds/{id}/release", tag = "member",
    params(("id" = Uuid, Path, description = "The hold")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn release(store: Data<Store>, path: Path<Uuid>, meta: Meta) -> Result<impl Responder, Failure> {
    step(&store, path.into_inner(), &meta, HoldStep::Release).await
}

/// Undo a redemption
///
/// What a captured hold spent goes back into the lots it came from.
#[utoipa::path(post, path = "/v1/points/holds/{id}/reverse", tag = "member",
    params(("id" = Uuid, Path, description = "The hold")),
    responses((status = 200, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn reverse(store: Data<Store>, path: Path<Uuid>, meta: Meta) -> Result<impl Responder, Failure> {
    step(&store, path.into_inner(), &meta, HoldStep::Reverse).await
}

async fn step(store: &Store, hold: Uuid, meta: &Meta, step: HoldStep) -> Result<HttpResponse, Failure> {
    let cause = meta.cause.clone();
    write(meta, store, "step_hold", move |tx| -> Result<Answer, HoldError> {
        let view = HoldView::at(step_hold(tx, hold, step, &cause)?, tx.now());
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}
