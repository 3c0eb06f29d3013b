//! Identities in, the one member out: set-based, and right when two transactions see a new buyer at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use contracts::Cause;
use contracts::events::{IdentityLinked, MemberRegistered};
use kernel::id::MemberId;
use store::{Error, Tx, outbox};
use uuid::Uuid;

use super::Desk;
use super::profile::Profile;
use crate::domain::identity::{Normalised, Strength};
use crate::domain::resolution::{Fingerprint, Found, Link, Person, Plan, Strong, plan};
use crate::store::identities::{self, Claim, Evidence, NewCase, NewIdentity, Source};
use crate::store::locks::lock_members;
use crate::store::members::{self, NewMember};
use crate::vault::MemberKey;

/// Somebody to be found.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Everything that is known of them.
    pub identities: Vec<Normalised>,
    /// Whether they are registered if nobody is found, and new identities linked.
    pub register: bool,
    /// The profile of a new member.
    pub profile: Profile,
    /// Who says so.
    pub source: Source,
    /// The order, or what the client gave as reason.
    pub reference: String,
    /// What caused the search.
    pub cause: Cause,
}

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The member; none if nothing strong is known of them.
    pub member: Option<MemberId>,
    /// Whether they were registered just now.
    pub registered: bool,
}

/// An identity with the hash that stands for it.
struct Marked<'a> {
    fingerprint: Fingerprint,
    identity: &'a Normalised,
}

/// Finds, or registers in `lowest_tier`, the member of each buyer.
pub fn resolve_members(
    tx: &mut Tx<'_>,
    desk: &Desk,
    lowest_tier: &str,
    buyers: &[Buyer],
) -> Result<Vec<Resolved>, Error> {
    let marked: Vec<Vec<Marked<'_>>> = buyers.iter().map(|buyer| mark(desk, &buyer.identities)).collect();
    let now = tx.now();
    let people: Vec<Person> = buyers
        .iter()
        .zip(&marked)
        .map(|(buyer, marked)| Person { strong: strong(marked), new_member: buyer.register.then(|| MemberId::at(now)) })
        .collect();
    let sought: BTreeSet<Fingerprint> = people.iter().flat_map(|it| &it.strong).map(|it| it.fingerprint).collect();
    let sought: Vec<Fingerprint> = sought.into_iter().collect();
    let mut holders: HashMap<Fingerprint, MemberId> = identities::holders(tx, &sought)?.into_iter().collect();
    let mut plan = plan(&people, &holders);
    if !plan.links.is_empty() {
        let mut keys = Keys::default();
        let settled = settle(tx, desk, &people, &mut holders, (&marked, &mut keys))?;
        plan = settled;
        register(tx, &plan, buyers, &keys, lowest_tier)?;
        tell(tx, &plan, buyers, &marked)?;
    }
    record(tx, &plan, buyers, &marked)?;
    Ok(plan.found.iter().map(resolved).collect())
}
