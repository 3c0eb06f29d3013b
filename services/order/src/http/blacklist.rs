//! Buyers whose orders rules may hold.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::requests::IdentityForm;
use kernel::{ChannelCode, Page, Timestamp};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Data, Failure, Json, Meta, Path, Query, answer, page};

use super::App;
use super::orders::channels;
use crate::app::caller::Caller;
use crate::app::change_blacklist::{Blacklist, put_on_blacklist, take_off_blacklist};
use crate::app::refusal::Refusal;
use crate::domain::faults::Faults;
use crate::domain::intake::{MAX_NOTE_LENGTH, MAX_TEXT_LENGTH};
use crate::store::blacklist::{self, EntryRow};
use crate::store::code;

/// Who is not to order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlacklistBody {
    /// One of their identities, exactly as channels hand it in.
    identity: IdentityForm,
    /// The channel; every channel, when left out.
    #[serde(default)]
    channel: Option<ChannelCode>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
    /// Until when; for good, when left out.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// An entry of the blacklist. The value of the identity is not kept and cannot be shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlacklistEntryView {
    /// Its id.
    id: Uuid,
    /// What the identity is, such as `phone`.
    identity_type: String,
    /// The channel; left out where it holds in every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelCode>,
    /// Why.
    reason: String,
    /// Until when; left out where it holds for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was last placed.
    placed_at: Timestamp,
    /// By whom.
    placed_by: String,
}

impl BlacklistEntryView {
    fn of(row: &EntryRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.entry_id,
            identity_type: row.kind.clone(),
            channel: row.channel.as_deref().map(code).transpose()?,
            reason: row.reason.clone(),
            expires_at: row.expires_at.map(Into::into),
            placed_at: row.placed_at.into(),
            placed_by: row.placed_by.clone(),
        })
    }
}

/// Put a buyer on the blacklist
///
/// The identity and the channel are the key: the same again takes the place of what was said before. Orders are held by it only where
/// a rule in force asks for it.
#[utoipa::path(put, path = "/v1/order-blacklist", tag = "order", request_body = BlacklistBody, responses(
    (status = 201, body = BlacklistEntryView), (status = 200, body = BlacklistEntryView), (status = 422, body = Problem)))]
pub async fn put(app: Data<App>, meta: Meta, body: Json<BlacklistBody>) -> Result<HttpResponse, Failure> {
    let (command, caller) = (checked(body.into_inner())?, Caller::of(&meta));
    write(&meta, &app.store, "put_on_blacklist", move |tx| -> Result<Answer, Refusal> {
        let (row, is_new) = put_on_blacklist(tx, &command, &caller)?;
        let view = BlacklistEntryView::of(&row)?;
        let created = || Answer::created(&view, None, format!("/v1/order-blacklist/{}", view.id));
        Ok(if is_new { created()? } else { Answer::ok(&view, None)? })
    })
    .await
}

fn checked(body: BlacklistBody) -> Result<Blacklist, Refusal> {
    let mut faults = Faults::default();
    faults.text("identity.type", &body.identity.kind, 64);
    faults.text("identity.value", &body.identity.value, MAX_TEXT_LENGTH);
    faults.optional_text("identity.issuer", body.identity.issuer.as_deref(), MAX_TEXT_LENGTH);
    faults.optional_text("identity.scope", body.identity.scope.as_deref(), MAX_TEXT_LENGTH);
    faults.text("reason", &body.reason, MAX_NOTE_LENGTH);
    faults.into_result().map_err(Refusal::Invalid)?;
    let BlacklistBody { identity, channel, reason, expires_at } = body;
    Ok(Blacklist { identity, channel, reason, expires_at })
}

/// Which entries to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BlacklistQuery {
    /// Those of this channel alone.
    channel: Option<ChannelCode>,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List the blacklist, the oldest entry first
#[utoipa::path(get, path = "/v1/order-blacklist", tag = "order", params(BlacklistQuery),
    responses((status = 200, body = Page<BlacklistEntryView>)))]
pub async fn list(app: Data<App>, meta: Meta, query: Query<BlacklistQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    let (limit, after) = page::<Uuid>(query.limit, query.cursor)?;
    let channels = channels(&meta, query.channel)?;
    let read = move |tx: &mut store::Tx<'_>| blacklist::list(tx, channels.as_deref(), after, limit.saturating_add(1));
    let rows = app.store.read("list_blacklist", read).await?;
    let views = rows.iter().map(BlacklistEntryView::of).collect::<Result<Vec<_>, _>>()?;
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.id)))
}

/// Take an entry off the blacklist
///
/// Orders that are held by it stay held until they are released.
#[utoipa::path(delete, path = "/v1/order-blacklist/{id}", tag = "order",
    params(("id" = Uuid, Path, description = "The entry's id")),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(app: Data<App>, meta: Meta, path: Path<Uuid>) -> Result<HttpResponse, Failure> {
    let (id, caller) = (path.into_inner(), Caller::of(&meta));
    write(&meta, &app.store, "take_off_blacklist", move |tx| -> Result<Answer, Refusal> {
        take_off_blacklist(tx, id, &caller)?;
        Ok(Answer::no_content())
    })
    .await
}
