//! Holds of orders: placing them, releasing them.

use actix_web::HttpResponse;
use contracts::Problem;
use kernel::id::{HoldId, OrderId};
use kernel::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Error;
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path};

use super::App;
use super::optional::Optional;
use super::orders::view;
use super::views::OrderView;
use crate::app::caller::Caller;
use crate::app::hold_order::{Hold, Release, hold_order, release_order};
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::intake::MAX_NOTE_LENGTH;
use crate::store::code;
use crate::store::holds::HoldRow;

/// Who holds an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A person.
    Manual,
    /// A rule.
    Rule,
}

/// Why an order is, or was, held.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OrderHoldView)]
pub struct HoldView {
    /// Its id.
    id: HoldId,
    /// Who holds it: a person or a rule.
    kind: HoldKind,
    /// Why, as a word that the queue is narrowed by.
    #[schema(example = "amount")]
    reason: Code,
    /// The rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The version of the rules that had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ruleset_version: Option<i32>,
    /// What whoever placed it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Since when.
    placed_at: Timestamp,
    /// Who placed it: a client's id, or `order` for its rules.
    placed_by: String,
    /// Until when; left out while it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    released_at: Option<Timestamp>,
    /// Who released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    released_by: Option<String>,
    /// What whoever released it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_note: Option<String>,
}

impl HoldView {
    /// Its place in the queue.
    pub const fn place(&self) -> (Timestamp, HoldId) {
        (self.placed_at, self.id)
    }

    /// A stored hold.
    pub fn of(row: &HoldRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(),
            kind: if row.rule.is_some() { HoldKind::Rule } else { HoldKind::Manual },
            reason: code(&row.reason)?,
            rule: row.rule.clone(),
            ruleset_version: row.ruleset_version,
            note: row.note.clone(),
            placed_at: row.placed_at.into(),
            placed_by: row.placed_by.clone(),
            released_at: row.released_at.map(Into::into),
            released_by: row.released_by.clone(),
            release_note: row.release_note.clone(),
        })
    }
}

/// Why an order is to be held.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldOrderBody {
    /// Why, as a word that the queue is narrowed by.
    #[schema(example = "suspicious")]
    reason: Code,
    /// What there is to say.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Hold an order
///
/// Until it is released, nothing of it moves on: locations cannot accept, pick, pack, ship, make ready or hand out what is
/// in it. It can be cancelled and changed, and locations may still reject it. An order may have several holds.
#[utoipa::path(post, path = "/v1/orders/{id}/hold", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = HoldOrderBody, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 422, body = Problem)))]
pub async fn hold(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Json<HoldOrderBody>,
) -> Result<HttpResponse, Failure> {
    let (order_id, body) = (path.into_inner(), body.into_inner());
    check_note(body.note.as_deref())?;
    let command = Hold { order_id, reason: body.reason, note: body.note };
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "hold_order", move |tx| -> Result<Answer, Refusal> {
        hold_order(tx, &command, &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

/// What is to be released.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseOrderBody {
    /// The hold; everything that holds the order, when left out.
    #[serde(default)]
    hold_id: Option<HoldId>,
    /// What there is to say.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Release an order, or one of its holds
///
/// The order goes on when nothing holds it any more. From then on its locations and buyers have their whole time anew.
#[utoipa::path(post, path = "/v1/orders/{id}/release", tag = "order",
    params(("id" = Uuid, Path, description = "The order's id")), request_body = ReleaseOrderBody, responses(
    (status = 200, body = OrderView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn release(
    app: Data<App>,
    meta: Meta,
    path: Path<OrderId>,
    body: Optional<ReleaseOrderBody>,
) -> Result<HttpResponse, Failure> {
    let (order_id, body) = (path.into_inner(), body.0);
    check_note(body.note.as_deref())?;
    let command = Release { order_id, hold_id: body.hold_id, note: body.note };
    let (caller, rules) = (Caller::of(&meta), app.rules);
    write(&meta, &app.store, "release_order", move |tx| -> Result<Answer, Refusal> {
        release_order(tx, &command, &caller, rules)?;
        let view = view(tx, order_id)?;
        Ok(Answer::ok(&view, view.version)?)
    })
    .await
}

fn check_note(note: Option<&str>) -> Result<(), Refusal> {
    let mut faults = Faults::default();
    faults.optional_text("note", note, MAX_NOTE_LENGTH);
    faults.into_result().map_err(Refusal::Invalid)
}
