//! A client of the API asks for the one member behind some identities.

use contracts::events::Identity;
use contracts::{Cause, Problem, ProblemCode};
use kernel::id::MemberId;
use store::{Error, Tx};

use super::Desk;
use super::profile::Profile;
use super::resolve_members::{Buyer, resolve_members};
use super::rulebook::Rulebook;
use crate::domain::identity::{Normalised, Strength, normalise};
use crate::store::identities::Source;

/// The most identities of one request: nobody has more.
const MAX_IDENTITIES: usize = 50;

/// Who is asked for.
pub struct Enquiry {
    /// Everything the client knows them by.
    pub identities: Vec<Identity>,
    /// The profile, if they turn out to be new.
    pub profile: Profile,
    /// Whether they are to be registered if nobody is found.
    pub register: bool,
    /// The client that asks.
    pub client: String,
    /// What the events carry on.
    pub cause: Cause,
}

/// Why there is no member to answer with.
#[derive(Debug)]
pub enum EnquiryError {
    /// Fields that cannot be used, each with what is wrong.
    Invalid(Vec<(String, String)>),
    /// Nobody is known by these identities.
    Nobody,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for EnquiryError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<EnquiryError> for Problem {
    fn from(error: EnquiryError) -> Self {
        match error {
            EnquiryError::Invalid(faults) => invalid(faults),
            EnquiryError::Nobody => Self::new(ProblemCode::NotFound).detail("nobody is known by these identities"),
            EnquiryError::Store(error) => error.into(),
        }
    }
}

/// The problem that names each of these fields.
pub fn invalid<F: Into<String>, D: Into<String>>(faults: impl IntoIterator<Item = (F, D)>) -> Problem {
    let problem = Problem::new(ProblemCode::InvalidField);
    faults.into_iter().fold(problem, |problem, (field, detail)| problem.field(field, detail))
}

/// The one member, and whether they are new.
pub fn register_member(tx: &mut Tx<'_>, desk: &Desk, enquiry: &Enquiry) -> Result<(MemberId, bool), EnquiryError> {
    let identities = normalise_all(desk, &enquiry.identities).map_err(EnquiryError::Invalid)?;
    let faults = enquiry.profile.faults();
    if !faults.is_empty() {
        let named = |(field, detail): (&str, &str)| (format!("profile.{field}"), detail.to_owned());
        return Err(EnquiryError::Invalid(faults.into_iter().map(named).collect()));
    }
    let rulebook = Rulebook::read(tx, &desk.tier_program)?;
    let buyer = Buyer {
        identities,
        register: enquiry.register,
        profile: enquiry.profile.clone(),
        source: Source::Request,
        reference: enquiry.client.clone(),
        cause: enquiry.cause.clone(),
    };
    let resolved = resolve_members(tx, desk, rulebook.lowest_tier(), &[buyer])?;
    let found = resolved.first().and_then(|it| it.member.map(|member| (member, it.registered)));
    found.ok_or(EnquiryError::Nobody)
}

/// The identities in their one form; at least one of them must be strong.
fn normalise_all(desk: &Desk, identities: &[Identity]) -> Result<Vec<Normalised>, Vec<(String, String)>> {
    if identities.len() > MAX_IDENTITIES {
        return Err(vec![("identities".to_owned(), format!("at most {MAX_IDENTITIES} identities are taken at once"))]);
    }
    let mut usable = Vec::new();
    let mut faults = Vec::new();
    for (index, identity) in identities.iter().enumerate() {
        match normalise(identity, desk.region) {
            Ok(identity) => usable.push(identity),
            Err(error) => faults.push((format!("identities[{index}]"), error.to_string())),
        }
    }
    let strong = usable.iter().any(|identity| identity.kind.strength() == Strength::Strong);
    if faults.is_empty() && !strong {
        let detail = "at least one identity is needed that proves who somebody is".to_owned();
        faults.push(("identities".to_owned(), detail));
    }
    if faults.is_empty() { Ok(usable) } else { Err(faults) }
}
