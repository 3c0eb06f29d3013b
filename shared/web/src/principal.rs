//! Who is calling and what they may do: read from the access token, asked by handlers.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use contracts::{Problem, ProblemCode};
use kernel::Code;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// Which channels, locations or payees a client may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// No bound.
    #[default]
    All,
    /// These alone. They may be many, and every request has its own principal.
    Only(Arc<BTreeSet<Code>>),
}

impl Scope {
    /// Whether the code lies inside.
    pub fn contains(&self, code: &Code) -> bool {
        match self {
            Self::All => true,
            Self::Only(codes) => codes.contains(code),
        }
    }

    /// The codes to filter a list by; none means no filter.
    pub fn filter(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Only(codes) => Some(codes.iter().map(ToString::to_string).collect()),
        }
    }
}

impl From<Option<BTreeSet<Code>>> for Scope {
    fn from(codes: Option<BTreeSet<Code>>) -> Self {
        codes.map_or(Self::All, |codes| Self::Only(Arc::new(codes)))
    }
}

impl From<Scope> for Option<BTreeSet<Code>> {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => None,
            Scope::Only(codes) => Some(Arc::unwrap_or_clone(codes)),
        }
    }
}

/// What a client may do: `resource:action`, `resource:*` for every action, `*` for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Arc<BTreeSet<String>>);

impl Permissions {
    /// From the `scope` claim: permissions separated by blanks.
    pub fn parse(scope: &str) -> Self {
        Self(Arc::new(scope.split_ascii_whitespace().map(ToOwned::to_owned).collect()))
    }

    /// Whether the permission is granted, by name or by a wildcard.
    pub fn allow(&self, permission: &str) -> bool {
        self.0.contains(permission)
            || self.0.contains("*")
            || permission
                .split_once(':')
                .is_some_and(|(resource, _)| self.0.iter().any(|held| held.strip_suffix(":*") == Some(resource)))
    }

    /// The permissions as they were granted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// What an access token says (its JSON payload).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The client's id.
    pub sub: String,
    /// Who it is meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it expires, in seconds since the epoch.
    pub exp: i64,
    /// The permissions, separated by blanks.
    #[serde(default)]
    pub scope: String,
    /// The channels the client is bound to; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeSet<Code>>,
    /// The locations the client is bound to; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<BTreeSet<Code>>,
    /// The payees the client is bound to; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payees: Option<BTreeSet<Code>>,
}

/// The calling client. As an extractor it answers 401 where no token was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The client's id (the token's `sub`).
    pub client_id: String,
    /// What it may do.
    pub permissions: Permissions,
    /// The channels it may see.
    pub channels: Scope,
    /// The locations it may see.
    pub locations: Scope,
    /// The payees it may see.
    pub payees: Scope,
}

impl Principal {
    /// Refuses a permission that was not granted; for what depends on the content of a request.
    pub fn require(&self, permission: &str) -> Result<(), Problem> {
        if self.permissions.allow(permission) {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::Forbidden).detail(format!("the permission {permission} is needed")))
    }

    /// Refuses a channel outside the client's scope.
    pub fn require_channel(&self, code: &Code) -> Result<(), Problem> {
        within(&self.channels, "channel", code)
    }

    /// Refuses a location outside the client's scope.
    pub fn require_location(&self, code: &Code) -> Result<(), Problem> {
        within(&self.locations, "location", code)
    }

    /// Refuses a payee outside the client's scope.
    pub fn require_payee(&self, code: &Code) -> Result<(), Problem> {
        within(&self.payees, "payee", code)
    }

    /// The channels to filter a list by; none means no filter.
    pub fn channel_filter(&self) -> Option<Vec<String>> {
        self.channels.filter()
    }

    /// The locations to filter a list by; none means no filter.
    pub fn location_filter(&self) -> Option<Vec<String>> {
        self.locations.filter()
    }

    /// The payees to filter a list by; none means no filter.
    pub fn payee_filter(&self) -> Option<Vec<String>> {
        self.payees.filter()
    }

    pub(crate) fn of(request: &HttpRequest) -> Result<Arc<Self>, Problem> {
        let verified = request.extensions().get::<Arc<Self>>().cloned();
        verified.ok_or_else(|| Problem::new(ProblemCode::Unauthenticated))
    }
}

fn within(scope: &Scope, what: &str, code: &Code) -> Result<(), Problem> {
    if scope.contains(code) {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::Forbidden).detail(format!("the access token does not cover the {what} {code}")))
}

impl FromRequest for Principal {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map(|principal| Self::clone(&principal)).map_err(Failure::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        text.parse().unwrap()
    }

    #[test]
    fn a_permission_is_held_by_name_by_resource_or_by_the_star() {
        assert!(Permissions::parse("order:read stock:read").allow("stock:read"));
        assert!(Permissions::parse("order:*").allow("order:cancel"));
        assert!(Permissions::parse("*").allow("anything:at_all"));
    }

    #[test]
    fn a_permission_is_not_held_by_a_likeness() {
        assert!(!Permissions::parse("order:read").allow("order:write"));
        assert!(!Permissions::parse("order:*").allow("orders:read"));
        assert!(!Permissions::parse("ord*").allow("order:read"));
        assert!(!Permissions::parse("").allow("order:read"));
        assert!(!Permissions::parse("*:read").allow("order:read"));
    }

    #[test]
    fn an_absent_claim_means_all_and_an_empty_one_means_none() {
        let principal = Principal {
            client_id: "c".to_owned(),
            permissions: Permissions::parse("*"),
            channels: None.into(),
            locations: Some(BTreeSet::from([code("SH-1")])).into(),
            payees: Some(BTreeSet::new()).into(),
        };
        assert!(principal.require_channel(&code("any")).is_ok());
        assert!(principal.require_location(&code("SH-1")).is_ok());
        assert_eq!(principal.require_location(&code("SH-2")).unwrap_err().status, 403);
        assert_eq!(principal.require_payee(&code("P")).unwrap_err().status, 403);
        assert_eq!(principal.channel_filter(), None);
        assert_eq!(principal.location_filter(), Some(vec!["SH-1".to_owned()]));
        assert_eq!(principal.payee_filter(), Some(vec![]));
    }
}
