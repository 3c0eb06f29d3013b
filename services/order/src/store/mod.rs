//! The order book's tables: free functions over `&mut Tx`, set-based. Every `FOR UPDATE` is in [`locks`].

pub mod blacklist;
pub mod buyers;
pub mod completions;
pub mod deadlines;
pub mod events;
pub mod fulfilments;
pub mod handovers;
pub mod history;
pub mod hold_rulesets;
pub mod holds;
pub mod lines;
pub mod locks;
pub mod members;
pub mod moves;
pub mod orders;
pub mod parcel_updates;
pub mod partitions;
pub mod payment_deadlines;
pub mod payments;
pub mod pos;
pub mod references;
pub mod returns;
pub mod search;
pub mod service_levels;
pub mod stays;
pub mod summary;
pub mod terms;

use kernel::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Error;

/// A stored code. The only way in is a checked one, so anything else is a broken promise.
pub(crate) fn code(text: &str) -> Result<Code, Error> {
    text.parse().map_err(|_| Error::Broken("stored codes are codes"))
}

/// A stored state.
pub(crate) fn state<T>(parsed: Option<T>) -> Result<T, Error> {
    parsed.ok_or(Error::Broken("stored states are in the table of states"))
}

/// A list kept as JSON; an empty one is kept as nothing.
pub(crate) fn to_json_list<T: Serialize>(list: &[T]) -> Result<Option<String>, Error> {
    if list.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(list)?)) }
}

/// The list that [`to_json_list`] kept.
pub(crate) fn from_json_list<T: DeserializeOwned>(text: Option<&str>) -> Result<Vec<T>, Error> {
    text.map_or(Ok(Vec::new()), |text| Ok(serde_json::from_str(text)?))
}
