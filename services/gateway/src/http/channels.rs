//! Channels.

use actix_web::Responder;
use contracts::Problem;
use kernel::{ChannelCode, Currency, Page};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::Store;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Json, Meta, Path, Principal, Query, answer};

use crate::app::put_channel::{Refusal, put_channel};
use crate::domain::channel::{Channel, ChannelKind, ChannelStatus};
use crate::store::channels::{self, Stored};

/// A channel as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelBody {
    /// Its name, at most 200 characters.
    #[schema(example = "Tmall flagship")]
    name: String,
    /// What it is.
    kind: ChannelKind,
    /// The currency of its orders; it cannot be changed later.
    currency: Currency,
    /// Whether it may place orders.
    #[serde(default = "active")]
    status: ChannelStatus,
}

fn active() -> ChannelStatus {
    ChannelStatus::Active
}

/// A channel as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelView {
    /// Its code.
    code: ChannelCode,
    /// Its name.
    name: String,
    /// What it is.
    kind: ChannelKind,
    /// The currency of its orders.
    currency: Currency,
    /// Whether it may place orders.
    status: ChannelStatus,
    /// How often it was written; also the ETag.
    version: i64,
}

impl From<Stored> for ChannelView {
    fn from(stored: Stored) -> Self {
        let Channel { channel, name, kind, currency, status } = stored.channel;
        Self { code: channel, name, kind, currency, status, version: stored.version }
    }
}

/// Create or replace a channel
#[utoipa::path(put, path = "/v1/channels/{code}", tag = "gateway", params(("code" = String, Path, description = "The channel's code")),
    request_body = ChannelBody, responses((status = 200, body = ChannelView), (status = 201, body = ChannelView), (status = 422, body = Problem)))]
pub async fn put(
    store: Data<Store>,
    path: Path<ChannelCode>,
    meta: Meta,
    body: Json<ChannelBody>,
) -> Result<impl Responder, Failure> {
    let ChannelBody { name, kind, currency, status } = body.into_inner();
    let channel = Channel { channel: path.into_inner(), name, kind, currency, status };
    meta.principal.require_channel(&channel.channel)?;
    let (cause, expected) = (meta.cause.clone(), meta.if_match);
    write(&meta, &store, "put_channel", move |tx| -> Result<Answer, Refusal> {
        let stored = put_channel(tx, &channel, expected, &cause)?;
        let version = stored.version;
        let view = ChannelView::from(stored);
        let location = format!("/v1/channels/{}", view.code);
        Ok(if version == 1 { Answer::created(&view, version, location)? } else { Answer::ok(&view, version)? })
    })
    .await
}

/// Read a channel
#[utoipa::path(get, path = "/v1/channels/{code}", tag = "gateway", params(("code" = String, Path, description = "The channel's code")),
    responses((status = 200, body = ChannelView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, path: Path<ChannelCode>, principal: Principal) -> Result<impl Responder, Failure> {
    let code = path.into_inner();
    principal.require_channel(&code)?;
    let key = code.to_string();
    let found = store.read("get_channel", move |tx| channels::find(tx, &key)).await?;
    let stored = found.ok_or_else(|| Problem::not_found("channel", &code))?;
    let version = stored.version;
    Ok(answer::versioned(&ChannelView::from(stored), version))
}

/// Which page of a list is wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At most so many items (default 50, at most 500).
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// The limit and where the page before ended.
    pub fn page(self) -> Result<(i64, Option<String>), Problem> {
        Ok(web::page(self.limit, self.cursor)?)
    }
}

/// List channels in the order of their codes
#[utoipa::path(get, path = "/v1/channels", tag = "gateway", params(ListQuery), responses((status = 200, body = Page<ChannelView>)))]
pub async fn list(
    store: Data<Store>,
    query: Query<ListQuery>,
    principal: Principal,
) -> Result<impl Responder, Failure> {
    let (limit, after) = query.into_inner().page()?;
    let rows =
        store.read("list_channels", move |tx| channels::list(tx, after.as_deref(), limit.saturating_add(1))).await?;
    let views: Vec<ChannelView> = rows.into_iter().map(ChannelView::from).collect();
    let mut page = Page::from_rows(views, limit, |view| view.code.to_string());
    page.items.retain(|view| principal.channels.contains(&view.code));
    Ok(answer::ok(&page))
}
