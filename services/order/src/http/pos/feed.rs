//! What a till needs to know: the SKUs it sells and the channels it sells for.

use actix_web::HttpResponse;
use contracts::Problem;
use contracts::events::BundleComponent;
use kernel::page::Cursor;
use kernel::{ChannelCode, Currency, LocationCode, SkuCode};
use serde::{Deserialize, Serialize};
use store::Error;
use utoipa::{IntoParams, ToSchema};
use web::{Data, Failure, Meta, Query, answer, page};

use crate::app::references::Needs;
use crate::app::refusal::Refusal;
use crate::http::App;
use crate::store::pos::feed::{self, FeedRow, Told};
use crate::store::{code, from_json_list};

/// What to tell.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// The till's store.
    #[param(value_type = String)]
    store: LocationCode,
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `cursor` of the answer before; without one everything is told.
    cursor: Option<String>,
}

/// What changed since the cursor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeedView {
    /// Things as they are now, in the order in which they changed last. Each replaces what the till knew of it.
    items: Vec<FeedItem>,
    /// What to ask with next time.
    cursor: String,
    /// Whether there is more to ask for at once.
    more: bool,
}

/// A thing that tills are told of.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FeedItem {
    /// A channel.
    Channel {
        /// Its code.
        channel: ChannelCode,
        /// Its name; left out where it was not told yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The currency of its sales.
        currency: Currency,
        /// Whether it sells.
        active: bool,
    },
    /// A SKU.
    Sku {
        /// Its code.
        sku: SkuCode,
        /// Its name; left out where it was not told yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Its category.
        #[serde(skip_serializing_if = "Option::is_none")]
        category: Option<String>,
        /// Whether it is sold.
        active: bool,
        /// What it is made of, when it is a bundle.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        components: Vec<BundleComponent>,
    },
}

impl FeedItem {
    fn of(row: FeedRow) -> Result<Self, Error> {
        let FeedRow { name, active, category, .. } = row;
        match row.currency {
            Some(currency) => Ok(Self::Channel {
                channel: code(&row.code)?,
                name,
                currency: currency.parse().map_err(|_| Error::Broken("stored currencies are currencies"))?,
                active,
            }),
            None => {
                let components = from_json_list(row.components.as_deref())?;
                Ok(Self::Sku { sku: code(&row.code)?, name, category, active, components })
            }
        }
    }
}

/// Read what a till needs
///
/// Without a cursor everything there is, page by page; from then on what changed since. A thing that changes while a till
/// reads is told again at the end, and no change is missed.
#[utoipa::path(get, path = "/v1/pos/feed", tag = "order", params(FeedQuery),
    responses((status = 200, body = FeedView), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn feed(app: Data<App>, meta: Meta, query: Query<FeedQuery>) -> Result<HttpResponse, Failure> {
    let query = query.into_inner();
    meta.principal.require_location(&query.store)?;
    let (limit, told) = page::<Told>(query.limit, query.cursor)?;
    let mut needs = Needs::default();
    needs.add_location(&query.store);
    if app.references.find(&needs).await?.location(&query.store).is_none() {
        return Err(Refusal::unknown("store", format!("{} is not a known location", query.store)).into());
    }
    let told = told.unwrap_or_default();
    let (channels, from) = (meta.principal.channel_filter(), told.clone());
    let read =
        app.store.read("read_pos_feed", move |tx| feed::after(tx, &from, channels.as_deref(), limit.saturating_add(1)));
    let mut rows = read.await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = Cursor::encode(&rows.last().map_or(told, Told::after));
    let items = rows.into_iter().map(FeedItem::of).collect::<Result<Vec<_>, Error>>()?;
    Ok(answer::ok(&FeedView { items, cursor, more }))
}
