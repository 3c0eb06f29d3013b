//! The `[member]` section; `defaults.toml` is its manual.

use std::path::Path;

use phonenumber::country;
use rand::RngCore;
use runtime::secrets::{ExposeSecret, SecretString, load_or_create};
use runtime::settings::{Faults, Settings};
use serde::Deserialize;

use crate::vault::{KEY_BYTES, Vault};

/// `[member]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSettings {
    pub default_region: String,
    pub identity_key: SecretString,
    pub master_key: SecretString,
    pub tier_program: String,
    pub hold_seconds: u32,
    pub max_hold_seconds: u32,
}

impl MemberSettings {
    /// The section, with everything checked that no type can say.
    pub fn read(settings: &Settings) -> Result<Self, Faults> {
        let section: Self = settings.section("member")?;
        let mut faults = Faults::default();
        faults.take(section.region());
        faults.take(given_key("identity_key", &section.identity_key));
        faults.take(given_key("master_key", &section.master_key));
        if !(1..=section.max_hold_seconds).contains(&section.hold_seconds) {
            faults.push("member.hold_seconds", "", "lies between 1 and member.max_hold_seconds");
        }
        faults.into_result(Some(section))
    }

    /// Where a phone number without a country code belongs.
    pub fn region(&self) -> Result<country::Id, Faults> {
        let fault = || Faults::one("member.default_region", "is not a country's ISO 3166 alpha-2 code");
        self.default_region.parse().map_err(|_| fault())
    }

    /// The vault with the keys that are given, or else with those in `data_dir`, made there where they are missing.
    pub fn vault(&self, data_dir: &Path) -> Result<Vault, Faults> {
        let identity = key("identity_key", &self.identity_key, data_dir)?;
        let master = key("master_key", &self.master_key, data_dir)?;
        Vault::new(&identity, &master).ok_or_else(|| Faults::one("member", "a key file in data_dir has not 32 bytes"))
    }
}

fn key(name: &str, given: &SecretString, data_dir: &Path) -> Result<Vec<u8>, Faults> {
    if let Some(key) = given_key(name, given)? {
        return Ok(key);
    }
    let path = data_dir.join("keys").join(format!("member-{}", name.replace('_', ".")));
    let made = load_or_create(&path, || {
        let mut bytes = vec![0; KEY_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    });
    let key = made.map_err(|error| Faults::one("data_dir", format!("{}: {error}", path.display())))?;
    Ok(key.expose_secret().to_vec())
}

/// The key that the settings give, if they give one.
fn given_key(name: &str, given: &SecretString) -> Result<Option<Vec<u8>>, Faults> {
    let text = given.expose_secret();
    if text.is_empty() {
        return Ok(None);
    }
    let fault = || Faults::one(format!("member.{name}"), "is not 32 bytes in hex");
    if text.len() != KEY_BYTES.saturating_mul(2) || !text.is_ascii() {
        return Err(fault());
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>().map(Some).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<MemberSettings, Faults> {
        let variables = variables.iter().map(|(name, value)| (format!("ONEPOOL__MEMBER__{name}"), (*value).to_owned()));
        let defaults = [include_str!("defaults.toml")];
        MemberSettings::read(&Settings::load(&defaults, None, variables).unwrap())
    }

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(read(&[]).unwrap().region().unwrap(), country::CN);
    }

    #[test]
    fn keys_that_are_made_once_stay() {
        let folder = tempfile::tempdir().unwrap();
        let settings = read(&[]).unwrap();
        let mark = |vault: Vault| {
            let kind = crate::domain::identity::IdentityType::JdPin;
            let identity = crate::domain::identity::Normalised {
                kind,
                issuer: String::new(),
                scope: String::new(),
                value: "pin".into(),
            };
            vault.fingerprint(&identity)
        };
        let first = mark(settings.vault(folder.path()).unwrap());
        assert_eq!(mark(settings.vault(folder.path()).unwrap()), first);
        let given = read(&[("IDENTITY_KEY", &"ab".repeat(32))]).unwrap();
        assert_ne!(mark(given.vault(folder.path()).unwrap()), first);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let wrong = read(&[("DEFAULT_REGION", "Cathay"), ("MASTER_KEY", "abc"), ("HOLD_SECONDS", "0")]).unwrap_err();
        let keys: Vec<&str> = wrong.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["member.default_region", "member.master_key", "member.hold_seconds"]);
    }
}
