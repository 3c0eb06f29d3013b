//! A member's profile changes, field by field.

use chrono::NaiveDate;
use contracts::{Problem, ProblemCode};
use kernel::id::MemberId;
use serde::{Deserialize, Deserializer};
use store::{Error, Tx};
use utoipa::ToSchema;

use super::Desk;
use super::profile::Profile;
use super::register_member::invalid;
use crate::store::locks::lock_members;
use crate::store::members;

/// What is to change: a field left out stays, one that is null goes.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// Name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// Birthday.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<NaiveDate>)]
    birthday: Option<Option<NaiveDate>>,
    /// Gender, in the retailer's own words.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    gender: Option<Option<String>>,
}

/// A field that is there, be it null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Why the profile stays as it is.
#[derive(Debug)]
pub enum ProfileError {
    /// There is no such member.
    NoMember(MemberId),
    /// Fields that cannot be used, each with what is wrong.
    Invalid(Vec<(&'static str, &'static str)>),
    /// The member has changed since it was read.
    Stale,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for ProfileError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::NoMember(member) => Self::not_found("member", member),
            ProfileError::Invalid(faults) => invalid(faults),
            ProfileError::Stale => Self::new(ProblemCode::PreconditionFailed),
            ProfileError::Store(error) => error.into(),
        }
    }
}

/// Changes the profile.
pub fn change_profile(
    tx: &mut Tx<'_>,
    desk: &Desk,
    member: MemberId,
    change: &ProfileChange,
    expected_version: Option<i64>,
) -> Result<(), ProfileError> {
    lock_members(tx, &[member.uuid()])?;
    let row = members::get(tx, member.uuid())?.ok_or(ProfileError::NoMember(member))?;
    if expected_version.is_some_and(|expected| expected != row.version) {
        return Err(ProfileError::Stale);
    }
    let key = desk.vault.open_key(member, &row.data_key).map_err(Error::from)?;
    let mut profile = Profile::open(row.profile.as_deref(), &key)?;
    let ProfileChange { name, birthday, gender } = change.clone();
    profile.name = name.unwrap_or(profile.name);
    profile.birthday = birthday.unwrap_or(profile.birthday);
    profile.gender = gender.unwrap_or(profile.gender);
    let faults = profile.faults();
    if !faults.is_empty() {
        return Err(ProfileError::Invalid(faults));
    }
    Ok(members::set_profile(tx, member.uuid(), profile.seal(&key)?.as_deref())?)
}
