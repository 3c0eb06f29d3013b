//! Pages of a list: a limit, an opaque cursor, a stable order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a list answers with when the caller names no limit.
pub const DEFAULT_LIMIT: i64 = 50;
/// The longest page; larger amounts are for the streaming exports.
pub const MAX_LIMIT: i64 = 500;

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct PageRequest {
    /// At most so many items (default 50, at most 500).
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A page request that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not within 1 to [`MAX_LIMIT`].
    #[error("limit lies between 1 and {MAX_LIMIT}")]
    Limit,
    /// Not a cursor that this list handed out.
    #[error("this cursor was not handed out by this list")]
    Cursor,
}

impl PageRequest {
    /// The limit in force.
    pub fn limit(&self) -> Result<i64, PageError> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(_) => Err(PageError::Limit),
        }
    }

    /// The place where the page before ended.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, PageError> {
        self.cursor.as_deref().map(Cursor::decode).transpose()
    }
}

/// Opaque cursors: the sort key of the last item, in base64url.
pub struct Cursor;

impl Cursor {
    /// A cursor from a sort key.
    pub fn encode<K: Serialize>(key: &K) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
    }

    /// The sort key in a cursor.
    pub fn decode<K: DeserializeOwned>(text: &str) -> Result<K, PageError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::Cursor)?;
        serde_json::from_slice(&bytes).map_err(|_| PageError::Cursor)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's stable order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page from at most `limit + 1` items: the one too many only tells that there is a next page.
    pub fn from_rows<K: Serialize>(mut items: Vec<T>, limit: i64, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|last| Cursor::encode(&key(last))) } else { None };
        Self { items, next_cursor }
    }
}
