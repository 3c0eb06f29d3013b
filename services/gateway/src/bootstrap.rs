//! The first administrator: from the settings, or made at the first start and kept in the data directory.

use std::path::{Path, PathBuf};

use runtime::secrets::{ExposeSecret, SecretString, load_or_create};
use runtime::settings::AuthSettings;
use store::{Error, Store};

use crate::app::clients::put_administrator;
use crate::domain::secret;
use crate::revoking::Revoker;

/// Who the first administrator is.
pub struct Administrator {
    /// The client id.
    pub client_id: String,
    /// The secret.
    pub client_secret: SecretString,
    /// Where the secret lies, when it was made here.
    pub kept_in: Option<PathBuf>,
}

/// The administrator that the settings name; where they name none, one with a secret of its own.
pub fn administrator(auth: &AuthSettings, data_dir: &Path) -> std::io::Result<Administrator> {
    let named = &auth.bootstrap.client_id;
    let client_id = if named.is_empty() { "admin".to_owned() } else { named.clone() };
    if !auth.bootstrap.client_secret.expose_secret().is_empty() {
        return Ok(Administrator { client_id, client_secret: auth.bootstrap.client_secret.clone(), kept_in: None });
    }
    let path = data_dir.join("keys/administrator-secret");
    let bytes = load_or_create(&path, || secret::generate().into_bytes())?;
    let text = String::from_utf8_lossy(bytes.expose_secret()).trim().to_owned();
    Ok(Administrator { client_id, client_secret: text.into(), kept_in: Some(path) })
}

/// Sees to it that the administrator can call, and that tokens from an earlier secret of theirs end; run before the gateway
/// serves, as often as it starts.
pub async fn ensure(store: &Store, administrator: &Administrator, revoker: &Revoker) -> Result<(), Error> {
    let (id, secret) = (administrator.client_id.clone(), administrator.client_secret.clone());
    let put = store.transact("ensure_administrator", move |tx| put_administrator(tx, &id, secret.expose_secret()));
    if put.await? {
        revoker.revoke(&administrator.client_id).await;
    }
    Ok(())
}
