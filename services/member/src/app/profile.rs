//! What a member tells about themselves; stored sealed, as one document.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::vault::{MemberKey, SealError};

/// Where a profile is sealed for: it opens nowhere else.
const PLACE: &[u8] = b"profile";
/// The longest name, in characters.
const MAX_NAME_CHARACTERS: usize = 200;

/// A member's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Birthday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthday: Option<NaiveDate>,
    /// Gender, in the retailer's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
}

impl Profile {
    /// A profile with a name alone.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    /// What is wrong with it, by field.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let texts = [("name", &self.name), ("gender", &self.gender)];
        let unfit = |text: &str| text.trim().is_empty() || text.chars().count() > MAX_NAME_CHARACTERS;
        let fault = |field| (field, "a text has 1 to 200 characters");
        texts.iter().filter(|(_, text)| text.as_deref().is_some_and(unfit)).map(|(field, _)| fault(*field)).collect()
    }

    /// Seals it; an empty profile is none.
    pub fn seal(&self, key: &MemberKey) -> Result<Option<Vec<u8>>, store::Error> {
        if *self == Self::default() {
            return Ok(None);
        }
        Ok(Some(key.seal(&serde_json::to_string(self)?, PLACE)?))
    }

    /// Opens a sealed one.
    pub fn open(sealed: Option<&[u8]>, key: &MemberKey) -> Result<Self, store::Error> {
        let Some(sealed) = sealed else { return Ok(Self::default()) };
        let text = key.open(sealed, PLACE)?;
        serde_json::from_str(&text).map_err(|_| SealError.into())
    }
}
