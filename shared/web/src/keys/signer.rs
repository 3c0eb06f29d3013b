//! The private half: making keys and signing tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::principal::Claims;

/// What DER puts before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 10.3).
const PKCS8_ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is not an Ed25519 private key in PKCS #8 PEM: {0}")]
pub struct KeyError(#[from] jsonwebtoken::errors::Error);

/// A fresh Ed25519 private key as PKCS #8 PEM, from the operating system's randomness.
pub fn generate_pem() -> String {
    let seed: [u8; 32] = rand::random();
    let der = [&PKCS8_ED25519[..], &seed[..]].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// Signs access tokens. The key's id is the thumbprint of its public half (RFC 7638).
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    public: Jwk,
    header: Header,
}

impl Signer {
    /// From a private key in PKCS #8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes())?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let header = Header { kid: Some(id), ..Header::new(Algorithm::EdDSA) };
        Ok(Self { key, public, header })
    }

    /// A signed token.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        Ok(jsonwebtoken::encode(&self.header, claims, &self.key)?)
    }

    /// The document that verifiers read, for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }
}
