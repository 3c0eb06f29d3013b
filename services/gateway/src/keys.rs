//! The key that signs access tokens: from the file named by the settings, or made at the first start.

use std::path::Path;

use runtime::secrets::{ExposeSecret, load_or_create};
use runtime::settings::AuthSettings;
use web::keys::{Signer, generate_pem};

/// A signing key that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file cannot be read or made.
    #[error("auth.signing_key_file: {0}")]
    File(#[from] std::io::Error),
    /// The file holds something else.
    #[error("auth.signing_key_file: {0}")]
    Key(#[from] web::keys::KeyError),
    /// The file is not text.
    #[error("auth.signing_key_file: the file is not a PEM text")]
    Text,
}

/// The process's signer.
pub fn load_signer(auth: &AuthSettings, data_dir: &Path) -> Result<Signer, KeyFault> {
    let named = &auth.signing_key_file;
    let bytes = if named.as_os_str().is_empty() {
        load_or_create(&data_dir.join("keys/token-signing.pem"), || generate_pem().into_bytes())?
    } else {
        std::fs::read(named)?.into()
    };
    let pem = std::str::from_utf8(bytes.expose_secret()).map_err(|_| KeyFault::Text)?;
    Ok(Signer::from_pem(pem)?)
}
