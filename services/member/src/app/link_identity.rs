//! An identity becomes, or stops being, a member's: by hand, with a reason.

use contracts::events::{Identity, IdentityLinked};
use contracts::{Cause, Problem, ProblemCode};
use kernel::id::MemberId;
use store::{Error, Tx, outbox};

use super::Desk;
use crate::domain::identity::{IdentityError, Strength, normalise};
use crate::store::identities::{self, Claim, Evidence, NewIdentity, Source};
use crate::store::locks::lock_members;
use crate::store::members;

/// What is to be linked or unlinked.
pub struct LinkCommand {
    /// Whose.
    pub member: MemberId,
    /// Which identity.
    pub identity: Identity,
    /// Why, and who says so.
    pub reason: String,
    /// The version the client has seen.
    pub expected_version: Option<i64>,
    /// What the events carry on.
    pub cause: Cause,
}

/// Why it was not done.
#[derive(Debug)]
pub enum LinkError {
    /// The identity cannot be used.
    Identity(IdentityError),
    /// There is no such member.
    NoMember(MemberId),
    /// The member does not have the identity.
    NotLinked,
    /// Another member has it.
    HeldByAnother,
    /// The member has changed since it was read.
    Stale,
    /// The transaction failed.
    Store(Error),
}

impl From<Error> for LinkError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Identity(error) => Self::invalid("identity", error.to_string()),
            LinkError::NoMember(member) => Self::not_found("member", member),
            LinkError::NotLinked => Self::new(ProblemCode::NotFound).detail("the member does not have this identity"),
            LinkError::HeldByAnother => {
                Self::new(ProblemCode::StateConflict).detail("the identity belongs to another member")
            }
            LinkError::Stale => Self::new(ProblemCode::PreconditionFailed),
            LinkError::Store(error) => error.into(),
        }
    }
}

/// Links an identity; a weak one is only noted. Linking what is linked changes nothing.
pub fn link_identity(tx: &mut Tx<'_>, desk: &Desk, command: &LinkCommand) -> Result<(), LinkError> {
    let member = command.member;
    let identity = normalise(&command.identity, desk.region).map_err(LinkError::Identity)?;
    let row = members::get(tx, member.uuid())?.ok_or(LinkError::NoMember(member))?;
    let fingerprint = desk.vault.fingerprint(&identity);
    let strong = identity.kind.strength() == Strength::Strong;
    if strong {
        let key = desk.vault.open_key(member, &row.data_key).map_err(Error::from)?;
        let (kind, issuer, scope) = (identity.kind, identity.issuer.as_str(), identity.scope.as_str());
        let sealed_value = key.seal(&identity.value, &fingerprint).map_err(Error::from)?;
        let claimed = identities::claim(tx, &[NewIdentity { fingerprint, member, kind, issuer, scope, sealed_value }])?;
        if claimed.is_empty() {
            let holders = identities::holders(tx, &[fingerprint])?;
            let ours = holders.iter().any(|(_, holder)| *holder == member);
            return if ours { Ok(()) } else { Err(LinkError::HeldByAnother) };
        }
    }
    lock(tx, command)?;
    let claim = if strong { Claim::Linked } else { Claim::Hinted };
    let (source, reference) = (Source::Request, command.reason.as_str());
    identities::record(tx, &[Evidence { member, fingerprint, kind: identity.kind, claim, source, reference }])?;
    if strong {
        members::touch(tx, &[member.uuid()])?;
        let identity_type = identity.kind.as_str().to_owned();
        let event = IdentityLinked { member_id: member, identity_type, linked_at: tx.now() };
        outbox::append(tx, &event, &command.cause)?;
    }
    Ok(())
}

/// Unlinks an identity; whoever shows it next becomes its member.
pub fn unlink_identity(tx: &mut Tx<'_>, desk: &Desk, command: &LinkCommand) -> Result<(), LinkError> {
    let member = command.member;
    let identity = normalise(&command.identity, desk.region).map_err(LinkError::Identity)?;
    let fingerprint = desk.vault.fingerprint(&identity);
    let unlinked = identities::unlink(tx, member, &fingerprint)?;
    lock(tx, command)?;
    if !unlinked {
        return Err(LinkError::NotLinked);
    }
    let (kind, claim, source) = (identity.kind, Claim::Unlinked, Source::Request);
    let reference = command.reason.as_str();
    identities::record(tx, &[Evidence { member, fingerprint, kind, claim, source, reference }])?;
    Ok(members::touch(tx, &[member.uuid()])?)
}

/// Locks the member, after the identity as everywhere, and refuses another version than the client has seen.
fn lock(tx: &mut Tx<'_>, command: &LinkCommand) -> Result<(), LinkError> {
    lock_members(tx, &[command.member.uuid()])?;
    let row = members::get(tx, command.member.uuid())?.ok_or(LinkError::NoMember(command.member))?;
    match command.expected_version {
        Some(expected) if expected != row.version => Err(LinkError::Stale),
        _ => Ok(()),
    }
}
