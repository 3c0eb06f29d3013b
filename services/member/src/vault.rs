//! Keeps personal data: a keyed hash finds an identity, a key of the member's own seals its value, and the master key
//! wraps that key. Destroying a member's key destroys everything that was sealed with it.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use kernel::id::MemberId;
use rand::RngCore;
use sha2::Sha256;

use crate::domain::identity::Normalised;
use crate::domain::resolution::Fingerprint;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
/// Bytes of AES-GCM's nonce, which stands before what it sealed.
const NONCE_BYTES: usize = 12;

/// Something sealed that does not open: another key, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed personal data does not open: was a key exchanged?")]
pub struct SealError;

/// The two keys of the service.
#[derive(Clone)]
pub struct Vault {
    hash: Hmac<Sha256>,
    master: Aes256Gcm,
}

impl Vault {
    /// A vault with these keys of [`KEY_BYTES`] each.
    pub fn new(identity_key: &[u8], master_key: &[u8]) -> Option<Self> {
        if [identity_key, master_key].iter().any(|key| key.len() != KEY_BYTES) {
            return None;
        }
        let hash = <Hmac<Sha256> as KeyInit>::new_from_slice(identity_key).ok()?;
        let master = <Aes256Gcm as aes_gcm::KeyInit>::new_from_slice(master_key).ok()?;
        Some(Self { hash, master })
    }

    /// The hash that stands for an identity. Each part is preceded by its length, so that no two identities read alike.
    pub fn fingerprint(&self, identity: &Normalised) -> Fingerprint {
        let mut hash = self.hash.clone();
        for part in [identity.kind.as_str(), &identity.issuer, &identity.scope, &identity.value] {
            hash.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into_bytes().into()
    }

    /// A new key for a member, open and wrapped.
    pub fn make_key(&self, member: MemberId) -> Result<(MemberKey, Vec<u8>), SealError> {
        let mut bytes = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        let wrapped = seal(&self.master, &bytes, member.uuid().as_bytes())?;
        Ok((MemberKey::new(&bytes)?, wrapped))
    }

    /// The key of a member.
    pub fn open_key(&self, member: MemberId, wrapped: &[u8]) -> Result<MemberKey, SealError> {
        MemberKey::new(&open(&self.master, wrapped, member.uuid().as_bytes())?)
    }
}

/// The key of one member's personal data.
pub struct MemberKey(Aes256Gcm);

impl MemberKey {
    fn new(bytes: &[u8]) -> Result<Self, SealError> {
        <Aes256Gcm as aes_gcm::KeyInit>::new_from_slice(bytes).map(Self).map_err(|_| SealError)
    }

    /// Seals a text for one place, named by `place`: it opens nowhere else.
    pub fn seal(&self, text: &str, place: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(&self.0, text.as_bytes(), place)
    }

    /// Opens what was sealed for a place.
    pub fn open(&self, sealed: &[u8], place: &[u8]) -> Result<String, SealError> {
        String::from_utf8(open(&self.0, sealed, place)?).map_err(|_| SealError)
    }
}

fn seal(key: &Aes256Gcm, message: &[u8], place: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload { msg: message, aad: place };
    let sealed = key.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(key: &Aes256Gcm, sealed: &[u8], place: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, message) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
    key.decrypt(&Nonce::from(*nonce), Payload { msg: message, aad: place }).map_err(|_| SealError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::IdentityType;
    use uuid::Uuid;

    fn vault(number: u8) -> Vault {
        Vault::new(&[number; 32], &[number; 32]).unwrap()
    }

    fn identity(issuer: &str, value: &str) -> Normalised {
        Normalised { kind: IdentityType::TillCard, issuer: issuer.into(), scope: String::new(), value: value.into() }
    }

    #[test]
    fn a_fingerprint_depends_on_every_part_and_on_the_key() {
        let of = |issuer: &str, value: &str| vault(1).fingerprint(&identity(issuer, value));
        assert_eq!(of("a", "1"), of("a", "1"));
        assert_ne!(of("a", "1"), of("a1", ""));
        assert_ne!(of("a", "1"), of("", "a1"));
        assert_ne!(of("a", "1"), vault(2).fingerprint(&identity("a", "1")));
    }

    #[test]
    fn what_is_sealed_opens_with_the_members_key_at_its_place_alone() {
        let (anna, ben) = (MemberId(Uuid::from_u128(1)), MemberId(Uuid::from_u128(2)));
        let (key, wrapped) = vault(1).make_key(anna).unwrap();
        let sealed = key.seal("+8613800138000", b"here").unwrap();
        assert!(!sealed.windows(11).any(|bytes| bytes == b"13800138000"));
        let again = vault(1).open_key(anna, &wrapped).unwrap();
        assert_eq!(again.open(&sealed, b"here").as_deref(), Ok("+8613800138000"));
        assert_eq!(again.open(&sealed, b"there"), Err(SealError));
        assert!(vault(1).open_key(ben, &wrapped).is_err());
        assert!(vault(2).open_key(anna, &wrapped).is_err());
    }
}
