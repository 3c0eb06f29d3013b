//! The character NUL: PostgreSQL keeps it in no text, so it is refused before any service sees it.

use actix_web::HttpRequest;
use contracts::{Problem, ProblemCode};
use serde_json::Value;

/// The one way in which JSON can write it.
const ESCAPED: &[u8] = b"\\u0000";

/// The one way in which a form can write it, beside the character itself.
const ENCODED: &[u8] = b"%00";

/// What is said of the field that holds one.
const DETAIL: &str = "holds the character NUL, which a text cannot";

/// Refuses JSON in which a text or a name holds it, and names the field.
pub(crate) fn refuse_in_json(body: &[u8]) -> Result<(), Problem> {
    // Most bodies escape nothing at all, which is found out much faster.
    if !body.contains(&b'\\') || !body.windows(ESCAPED.len()).any(|window| window == ESCAPED) {
        return Ok(());
    }
    // The same bytes may also be an escaped backslash and some digits: only reading tells.
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    find(&value).map_or(Ok(()), |path| Err(Problem::invalid(path, DETAIL)))
}

/// Refuses a text that holds it.
pub(crate) fn refuse_in_text(field: &str, text: &str) -> Result<(), Problem> {
    if text.contains('\0') { Err(Problem::new(ProblemCode::Malformed).field(field, DETAIL)) } else { Ok(()) }
}

/// Refuses a path with a parameter that holds it.
pub(crate) fn refuse_in_path(request: &HttpRequest) -> Result<(), Problem> {
    request.match_info().iter().try_for_each(|(name, value)| refuse_in_text(name, value))
}

/// Refuses a form or a query with a parameter that holds it.
pub(crate) fn refuse_in_form(form: &[u8]) -> Result<(), Problem> {
    // It is written as itself or as %00: a form with neither holds none, however it is read.
    if !form.contains(&0) && !form.windows(ENCODED.len()).any(|window| window == ENCODED) {
        return Ok(());
    }
    form_urlencoded::parse(form).try_for_each(|(name, value)| {
        refuse_in_text(&name.replace('\0', ""), &name)?;
        refuse_in_text(&name, &value)
    })
}

/// Where the first one is; the nesting is bounded, because what is read here was read before.
fn find(value: &Value) -> Option<String> {
    let join = |head: String, rest: String| {
        let dot = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
        format!("{head}{dot}{rest}")
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| Some(join(format!("[{index}]"), find(item)?)))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.contains('\0') { Some(name.replace('\0', "")) } else { Some(join(name.clone(), find(field)?)) }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(body: &str) -> Option<String> {
        refuse_in_json(body.as_bytes()).err().map(|problem| problem.errors[0].field.clone())
    }

    #[test]
    fn the_field_that_holds_one_is_named() {
        assert_eq!(field(r#"{"a": {"b": [{"c": "x\u0000"}]}}"#).as_deref(), Some("a.b[0].c"));
        assert_eq!(field(r#"[{"reason": "\u0000"}]"#).as_deref(), Some("[0].reason"));
        assert_eq!(field(r#"{"a\u0000": 1}"#).as_deref(), Some("a"));
    }

    #[test]
    fn what_only_looks_like_one_passes() {
        assert_eq!(field(r#"{"a": "\\u0000"}"#), None);
        assert_eq!(field(r#"{"a": "\u0001"}"#), None);
    }

    #[test]
    fn parameters_are_refused_too() {
        assert_eq!(refuse_in_form(b"a=1&b=x%00").unwrap_err().errors[0].field, "b");
        assert_eq!(refuse_in_form(b"a=1&b=%2500"), Ok(()));
    }
}
