//! The public half: verifying tokens against the keys of the issuers that are trusted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contracts::{Problem, ProblemCode};
use jsonwebtoken::Validation;
use kernel::{Code, SharedClock};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::revocations::Revocations;
use super::ring::{KeyRing, KeySource, NoKeys};
use crate::Principal;
use crate::principal::Permissions;

/// A longer token is refused unread: ours have some hundred bytes, and scopes of a thousand stores fit too.
const LONGEST_TOKEN: usize = 16 << 10;
/// Tokens whose verification is remembered: a signature costs 60 µs, a look-up one.
const REMEMBERED_TOKENS: u64 = 10_000;
/// For how long: a key that was withdrawn is refused after this and the refresh of the keys.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The `iss` claim.
    pub name: String,
    /// The `aud` claim that its tokens must carry; none means that they must carry none.
    pub audience: Option<String>,
    /// By how much its clock may differ from ours, in seconds, for `nbf` and `exp`.
    pub clock_skew_seconds: u32,
    /// Its keys.
    pub keys: KeySource,
}

/// Verifies access tokens. A clone is the same verifier.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
    revocations: Option<Revocations>,
}

struct Inner {
    issuers: Vec<Trusted>,
    clock: SharedClock,
    verified: Cache<[u8; 32], Verified>,
}

struct Trusted {
    name: String,
    audience: Option<String>,
    skew: i64,
    ring: KeyRing,
}

#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    issued: i64,
    expires: i64,
}

/// Which issuer a token claims to come from, read before anything is proven.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

/// What is read from a token once its signature holds.
#[derive(Deserialize)]
struct Proven {
    sub: String,
    /// Where it is left out, any revocation covers the token.
    #[serde(default)]
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
    #[serde(default)]
    scope: String,
    channels: Option<BTreeSet<Code>>,
    locations: Option<BTreeSet<Code>>,
    payees: Option<BTreeSet<Code>>,
}

impl Verifier {
    /// A verifier of these issuers' tokens.
    pub fn new(issuers: Vec<Issuer>, clock: SharedClock) -> Self {
        let trust = |issuer: Issuer| Trusted {
            name: issuer.name,
            audience: issuer.audience,
            skew: i64::from(issuer.clock_skew_seconds),
            ring: KeyRing::new(issuer.keys),
        };
        let verified = Cache::builder().max_capacity(REMEMBERED_TOKENS).time_to_live(REMEMBERED_FOR).build();
        let inner = Inner { issuers: issuers.into_iter().map(trust).collect(), clock, verified };
        Self { inner: Arc::new(inner), revocations: None }
    }

    /// Refuses tokens that were revoked, too.
    #[must_use]
    pub fn heeding(self, revocations: Revocations) -> Self {
        Self { revocations: Some(revocations), ..self }
    }

    /// Whose token it is, where it is a valid one; 401 where it is not, 503 where the keys cannot be had.
    pub async fn verify(&self, token: &str) -> Result<Arc<Principal>, Problem> {
        let Verified { principal, issued, .. } = self.inner.verify(token).await?;
        if let Some(revocations) = &self.revocations
            && revocations.cover(&principal.client_id, issued).await
        {
            return Err(refused("the access token was revoked"));
        }
        Ok(principal)
    }
}

impl Inner {
    async fn verify(&self, token: &str) -> Result<Verified, Problem> {
        if token.len() > LONGEST_TOKEN {
            return Err(refused("the access token is too long"));
        }
        let now = self.clock.now().unix_micros().div_euclid(1_000_000);
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(verified) = self.verified.get(&digest) {
            return if now < verified.expires { Ok(verified) } else { Err(expired()) };
        }
        let verified = self.prove(token, now).await?;
        self.verified.insert(digest, verified.clone());
        Ok(verified)
    }

    async fn prove(&self, token: &str, now: i64) -> Result<Verified, Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        let claimed: Claimed = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| invalid())?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == claimed.iss).ok_or_else(invalid)?;
        let id = header.kid.ok_or_else(invalid)?;
        let key = match issuer.ring.find(&id).await {
            Ok(key) => key.ok_or_else(invalid)?,
            Err(NoKeys) => {
                let problem = Problem::new(ProblemCode::Unavailable).retry_after(5);
                return Err(problem.detail("the keys that verify access tokens cannot be fetched for the moment"));
            }
        };
        let proven = jsonwebtoken::decode::<Proven>(token, &key.key, &issuer.validation(key.algorithm));
        let proven = proven.map_err(|_| invalid())?.claims;
        let expires = proven.exp.saturating_add(issuer.skew);
        if now >= expires {
            return Err(expired());
        }
        if proven.nbf.is_some_and(|from| now < from.saturating_sub(issuer.skew)) {
            return Err(refused("the access token is not valid yet"));
        }
        Ok(Verified { issued: proven.iat, principal: Arc::new(proven.into()), expires })
    }
}

impl Trusted {
    /// The library checks signature, issuer and audience; the time is judged by our own clock, so that tests can move it.
    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.name]);
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
            }
            None => validation.set_required_spec_claims(&["exp", "iss", "sub"]),
        }
        validation
    }
}

impl From<Proven> for Principal {
    fn from(proven: Proven) -> Self {
        Self {
            client_id: proven.sub,
            permissions: Permissions::parse(&proven.scope),
            channels: proven.channels.into(),
            locations: proven.locations.into(),
            payees: proven.payees.into(),
        }
    }
}

fn refused(detail: &str) -> Problem {
    Problem::new(ProblemCode::Unauthenticated).detail(detail)
}

fn invalid() -> Problem {
    refused("the access token is not valid")
}

fn expired() -> Problem {
    refused("the access token has expired")
}
