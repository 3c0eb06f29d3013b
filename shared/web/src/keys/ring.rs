//! The public keys of one issuer: given, or fetched where they are published and kept fresh.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;

/// Fetched keys older than this are fetched again: a key that was withdrawn is refused after ten minutes at most.
const FRESH_FOR: Duration = Duration::from_secs(600);
/// Tokens with made-up key ids cause at most one fetch in this time.
const BETWEEN_FETCHES: Duration = Duration::from_secs(5);
/// A publisher that does not answer within this is away: requests wait for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// A document longer than this is no set of keys.
const LONGEST_DOCUMENT: usize = 256 << 10;

/// Where an issuer's public keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Given: the signer is in this process, or its file is.
    Given(JwkSet),
    /// Published at a URL, fetched when needed and refreshed.
    Url(String),
}

/// A key that verifies, with the one algorithm it is for.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The publisher cannot be reached and no key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoKeys;

/// The keys of one issuer.
pub(super) struct KeyRing {
    url: Option<String>,
    known: RwLock<Arc<Known>>,
    last_try: Mutex<Option<Instant>>,
    client: OnceLock<reqwest::Client>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    fetched: Option<Instant>,
}

impl KeyRing {
    pub(super) fn new(source: KeySource) -> Self {
        let (url, keys) = match source {
            KeySource::Given(set) => (None, usable(&set)),
            KeySource::Url(url) => (Some(url), HashMap::new()),
        };
        let known = RwLock::new(Arc::new(Known { keys, fetched: None }));
        Self { url, known, last_try: Mutex::new(None), client: OnceLock::new() }
    }

    /// The key of this id, fetched where it is not known or what is known is old.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Arc<Key>>, NoKeys> {
        let known = self.known();
        let found = known.keys.get(id).cloned();
        let Some(url) = &self.url else {
            return Ok(found);
        };
        let fresh = known.fetched.is_some_and(|at| at.elapsed() < FRESH_FOR);
        match found {
            Some(key) if fresh => return Ok(Some(key)),
            // Whoever finds the lock free refreshes; the others go on with what they have.
            Some(key) if self.last_try.try_lock().is_err() => return Ok(Some(key)),
            _ => self.refresh(url).await,
        }
        let known = self.known();
        if known.fetched.is_none() { Err(NoKeys) } else { Ok(known.keys.get(id).cloned()) }
    }

    async fn refresh(&self, url: &str) {
        let mut last_try = self.last_try.lock().await;
        if last_try.is_some_and(|at| at.elapsed() < BETWEEN_FETCHES) {
            return;
        }
        match self.fetch(url).await {
            Ok(set) => {
                let known = Arc::new(Known { keys: usable(&set), fetched: Some(Instant::now()) });
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => tracing::warn!(url, error, "the keys that verify access tokens could not be fetched"),
        }
        *last_try = Some(Instant::now());
    }

    async fn fetch(&self, url: &str) -> Result<JwkSet, String> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build().map_err(|e| e.to_string())?;
                self.client.get_or_init(|| client)
            }
        };
        let mut response =
            client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(|e| e.to_string())?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| e.to_string())? {
            document.extend_from_slice(&chunk);
            if document.len() > LONGEST_DOCUMENT {
                return Err("the document is too long".to_owned());
            }
        }
        serde_json::from_slice(&document).map_err(|e| e.to_string())
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The keys of a set that may verify signatures, by their id; the others are passed over, as RFC 7517 asks.
fn usable(set: &JwkSet) -> HashMap<String, Arc<Key>> {
    let entries = set.keys.iter().filter_map(|jwk| Some((jwk.common.key_id.clone()?, Arc::new(key(jwk)?))));
    entries.collect()
}

fn key(jwk: &Jwk) -> Option<Key> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    // The kind of key decides the algorithm, never the token: a public key must not be taken for an HMAC secret.
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let whole = algorithm != Algorithm::EdDSA || key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == 32);
    whole.then_some(Key { algorithm, key })
}
