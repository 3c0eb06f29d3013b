//! Client secrets: made from 256 random bits, kept as Argon2id hashes (RFC 9106).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A fresh secret.
pub fn generate() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// The hash that is kept of a secret, with a salt of its own; none when the hash function refuses the input.
pub fn hash(secret: &str) -> Option<String> {
    Argon2::default().hash_password(secret.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Whether the secret is the one that was hashed.
pub fn matches(secret: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_alone() {
        let secret = generate();
        let hash = hash(&secret).unwrap();
        assert!(matches(&secret, &hash));
        assert!(!matches("another", &hash));
        assert!(!hash.contains(&secret));
    }

    #[test]
    fn two_hashes_of_one_secret_differ() {
        assert_ne!(hash("same"), hash("same"));
    }
}
