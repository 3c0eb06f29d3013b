//! Problems (RFC 9457): what the API answers when it cannot do what was asked.

use kernel::page::PageError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! problem_codes {
    ($($(#[$meta:meta])* $variant:ident = ($status:literal, $code:literal, $title:literal)),+ $(,)?) => {
        /// A stable code; each has a section in docs/errors.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[$meta])* #[serde(rename = $code)] $variant,)+
        }

        impl ProblemCode {
            /// Every code, in the order of docs/errors.md.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// A short sentence that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

problem_codes! {
    /// The body or a parameter could not be read.
    Malformed = (400, "malformed", "The request could not be read"),
    /// No or no valid token.
    Unauthenticated = (401, "unauthenticated", "A valid access token is needed"),
    /// The client's credentials are wrong.
    InvalidClient = (401, "invalid_client", "The client credentials are not valid"),
    /// The token lacks the permission, or its scope excludes the channel, location or payee.
    Forbidden = (403, "forbidden", "The access token does not allow this"),
    /// The named thing does not exist.
    NotFound = (404, "not_found", "The named thing does not exist"),
    /// The path exists, the method does not.
    MethodNotAllowed = (405, "method_not_allowed", "The path does not take this method"),
    /// The body is larger than the limit.
    TooLarge = (413, "too_large", "The request body is larger than the limit"),
    /// A body in a format that is not taken.
    UnsupportedMediaType = (415, "unsupported_media_type", "The body's media type is not taken here"),
    /// The same natural key with other content.
    Contradiction = (409, "contradiction", "The same key was used before with other content"),
    /// The same idempotency key with another request.
    IdempotencyKeyReused = (409, "idempotency_key_reused", "The idempotency key was used before for another request"),
    /// The state of the thing does not allow the action.
    StateConflict = (409, "state_conflict", "The thing's state does not allow this"),
    /// Not enough stock.
    InsufficientStock = (409, "insufficient_stock", "There is not enough stock"),
    /// `expected_on_hand` did not match.
    ExpectationFailed = (409, "expectation_failed", "The stock is not what was expected"),
    /// `If-Match` did not match.
    PreconditionFailed = (412, "precondition_failed", "The resource has changed since it was read"),
    /// A field's value is out of range or contradicts another.
    InvalidField = (422, "invalid_field", "A field's value is not acceptable"),
    /// Amounts that do not add up.
    AmountMismatch = (422, "amount_mismatch", "The amounts do not add up"),
    /// A SKU, channel, location, payee or member that is not known.
    UnknownReference = (422, "unknown_reference", "A referenced thing is not known"),
    /// A rule refuses it.
    RefusedByRule = (422, "refused_by_rule", "A rule refuses this"),
    /// Too many requests.
    RateLimited = (429, "rate_limited", "Too many requests"),
    /// A fault of ours.
    Internal = (500, "internal", "Something went wrong on our side"),
    /// A part OnePool depends on is away for the moment.
    Unavailable = (503, "unavailable", "The service is not available for the moment"),
}

/// One offending field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where it is, as a JSON path without the leading `$.`: `lines[2].quantity`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem as it is answered (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Link to the code's section in the documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code.
    pub code: ProblemCode,
    /// The same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Each offending field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The trace of the request, to quote to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// After how many seconds it is worth trying again (also the Retry-After header).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem of this code, with nothing more to say.
    pub fn new(code: ProblemCode) -> Self {
        Self {
            kind: format!("https://onepool.dev/errors#{}", code.as_str()),
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: None,
            errors: Vec::new(),
            trace_id: None,
            retry_after_seconds: None,
        }
    }

    /// What went wrong this time. Internal text must not get here.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names an offending field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        self
    }

    /// When it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// One field whose value is not acceptable.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::InvalidField).field(field, detail)
    }

    /// A missing thing, named: `Problem::not_found("order", id)`.
    pub fn not_found(what: &str, key: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::NotFound).detail(format!("{what} {key} does not exist"))
    }
}

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        let field = match error {
            PageError::Limit => "limit",
            PageError::Cursor => "cursor",
        };
        Self::new(ProblemCode::Malformed).field(field, error.to_string())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail.as_deref().unwrap_or(&self.title))?;
        self.errors.iter().try_for_each(|error| write!(f, "; {}: {}", error.field, error.detail))
    }
}

impl std::error::Error for Problem {}
