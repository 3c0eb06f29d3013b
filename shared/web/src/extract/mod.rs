//! What handlers take out of a request; whatever cannot be read is answered as a problem that names the field.

mod form;
mod json;
mod meta;
mod nul;
mod path;
mod query;

pub use form::{Form, RawBody};
pub use json::{Json, parse};
pub(crate) use meta::BodyDigest;
pub use meta::Meta;
pub(crate) use nul::refuse_in_text;
pub use path::Path;
pub use query::{Query, page};

use contracts::{Problem, ProblemCode};

/// The problem of a value that does not fit its type, at the path where reading stopped.
pub(crate) fn malformed<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    let detail = error.inner().to_string();
    let path = error.path().to_string();
    let parent = if path == "." { "" } else { path.as_str() };
    Problem::new(ProblemCode::Malformed).field(field_of(parent, &detail), detail)
}

/// serde names an unknown or missing field in its message only; the caller wants it in the path.
fn field_of(parent: &str, detail: &str) -> String {
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| detail.strip_prefix(start))
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| name);
    match named {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) if parent.rsplit('.').next() == Some(name) => parent.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None => parent.to_owned(),
    }
}
