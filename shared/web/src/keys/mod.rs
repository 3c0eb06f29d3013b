//! Access tokens: Ed25519 keys, the JWKS document, signing and verifying.

mod revocations;
mod ring;
mod signer;
mod verifier;

pub use jsonwebtoken::jwk::JwkSet;
pub use revocations::Revocations;
pub use ring::KeySource;
pub use signer::{KeyError, Signer, generate_pem};
pub use verifier::{Issuer, Verifier};
