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
    let holders: HashMap<Fingerprint, MemberId> = identities::holders(tx, &sought)?.into_iter().collect();
    let mut found = plan(&people, &holders);
    if !found.links.is_empty() {
        let mut keys = Keys::default();
        found = link(tx, desk, found, (&people, holders, &marked, &mut keys))?;
        register(tx, &found, buyers, &keys, lowest_tier)?;
        tell(tx, &found, buyers, &marked)?;
    }
    record(tx, &found, buyers, &marked)?;
    Ok(found.found.iter().map(resolved).collect())
}

fn mark<'a>(desk: &Desk, identities: &'a [Normalised]) -> Vec<Marked<'a>> {
    identities.iter().map(|identity| Marked { fingerprint: desk.vault.fingerprint(identity), identity }).collect()
}

fn strong(marked: &[Marked<'_>]) -> Vec<Strong> {
    marked
        .iter()
        .filter(|it| it.identity.kind.strength() == Strength::Strong)
        .map(|it| Strong { kind: it.identity.kind, fingerprint: it.fingerprint })
        .collect()
}

fn resolved(found: &Found) -> Resolved {
    match found {
        Found::Nobody => Resolved { member: None, registered: false },
        Found::Member { member, registered, .. } => Resolved { member: Some(*member), registered: *registered },
    }
}

/// Claims the identities of a plan. Where another transaction was faster with some, its members are taken over: the plan
/// is made again with what is known then, and what was claimed moves along.
fn link(
    tx: &mut Tx<'_>,
    desk: &Desk,
    first: Plan,
    (people, mut holders, marked, keys): (&[Person], HashMap<Fingerprint, MemberId>, &[Vec<Marked<'_>>], &mut Keys),
) -> Result<Plan, Error> {
    keys.fetch(tx, desk, &first)?;
    let rows = rows(&first.links, marked, keys)?;
    let won: HashSet<Fingerprint> = identities::claim(tx, &rows)?.into_iter().collect();
    let lost: Vec<Fingerprint> = first.links.keys().filter(|it| !won.contains(*it)).copied().collect();
    if lost.is_empty() {
        return Ok(first);
    }
    holders.extend(identities::holders(tx, &lost)?);
    let second = plan(people, &holders);
    if second.links.keys().any(|it| !won.contains(it)) {
        return Err(Error::Conflict("an identity was claimed and given up again meanwhile".to_owned()));
    }
    keys.fetch(tx, desk, &second)?;
    let member_of = |links: &BTreeMap<Fingerprint, Link>, it: &Fingerprint| links.get(it).map(|link| link.member);
    let moved: BTreeMap<Fingerprint, Link> = second
        .links
        .iter()
        .filter(|(it, link)| member_of(&first.links, it) != Some(link.member))
        .map(|(it, link)| (*it, *link))
        .collect();
    if !moved.is_empty() {
        identities::reassign(tx, &self::rows(&moved, marked, keys)?)?;
    }
    Ok(second)
}

/// The keys of the members that get identities.
#[derive(Default)]
struct Keys {
    open: HashMap<MemberId, MemberKey>,
    wrapped: HashMap<MemberId, Vec<u8>>,
}

impl Keys {
    /// Makes the keys of those to be registered and fetches those of the others, as far as they are missing.
    fn fetch(&mut self, tx: &mut Tx<'_>, desk: &Desk, plan: &Plan) -> Result<(), Error> {
        for member in plan.found.iter().filter_map(Found::registered) {
            if let std::collections::hash_map::Entry::Vacant(place) = self.open.entry(member) {
                let (key, wrapped) = desk.vault.make_key(member)?;
                place.insert(key);
                self.wrapped.insert(member, wrapped);
            }
        }
        let missing: BTreeSet<Uuid> = plan
            .links
            .values()
            .map(|link| link.member)
            .filter(|it| !self.open.contains_key(it))
            .map(MemberId::uuid)
            .collect();
        let missing: Vec<Uuid> = missing.into_iter().collect();
        for row in members::data_keys(tx, &missing)? {
            let member = MemberId(row.member_id);
            self.open.insert(member, desk.vault.open_key(member, &row.data_key)?);
        }
        Ok(())
    }
}

fn rows<'a>(
    links: &BTreeMap<Fingerprint, Link>,
    marked: &'a [Vec<Marked<'_>>],
    keys: &Keys,
) -> Result<Vec<NewIdentity<'a>>, Error> {
    let row = |(fingerprint, link): (&Fingerprint, &Link)| {
        let identity = identity_of(marked, fingerprint, link)?;
        let key = keys.open.get(&link.member).ok_or(Error::Broken("a member that holds an identity exists"))?;
        Ok(NewIdentity {
            fingerprint: *fingerprint,
            member: link.member,
            kind: identity.kind,
            issuer: &identity.issuer,
            scope: &identity.scope,
            sealed_value: key.seal(&identity.value, fingerprint)?,
        })
    };
    links.iter().map(row).collect()
}

fn identity_of<'a>(
    marked: &'a [Vec<Marked<'_>>],
    fingerprint: &Fingerprint,
    link: &Link,
) -> Result<&'a Normalised, Error> {
    let shown = marked.get(link.person).into_iter().flatten().find(|it| it.fingerprint == *fingerprint);
    shown.map(|it| it.identity).ok_or(Error::Broken("a link comes from somebody who showed the identity"))
}

fn register(tx: &mut Tx<'_>, plan: &Plan, buyers: &[Buyer], keys: &Keys, lowest_tier: &str) -> Result<(), Error> {
    let mut new = Vec::new();
    for (found, buyer) in plan.found.iter().zip(buyers) {
        let Some(member) = found.registered() else { continue };
        let key = keys.open.get(&member).zip(keys.wrapped.get(&member));
        let (key, wrapped) = key.ok_or(Error::Broken("a new member has a key"))?;
        let profile = buyer.profile.seal(key)?;
        new.push(NewMember { member_id: member.uuid(), data_key: wrapped.clone(), profile });
    }
    members::insert(tx, &new, lowest_tier)?;
    let registered: HashSet<MemberId> = plan.found.iter().filter_map(Found::registered).collect();
    let ids = |members: BTreeSet<MemberId>| -> Vec<Uuid> {
        members.difference(&registered.iter().copied().collect()).map(|member| member.uuid()).collect()
    };
    let touched = ids(plan.links.values().map(|link| link.member).collect());
    if touched.is_empty() {
        return Ok(());
    }
    // Identities are claimed before members are locked, and the members of a batch all at once: the order everywhere.
    lock_members(tx, &ids(plan.found.iter().filter_map(Found::member).collect()))?;
    members::touch(tx, &touched)
}

fn tell(tx: &mut Tx<'_>, plan: &Plan, buyers: &[Buyer], marked: &[Vec<Marked<'_>>]) -> Result<(), Error> {
    let now = tx.now();
    for (found, buyer) in plan.found.iter().zip(buyers) {
        if let Some(member_id) = found.registered() {
            outbox::append(tx, &MemberRegistered { member_id, registered_at: now }, &buyer.cause)?;
        }
    }
    for (fingerprint, link) in &plan.links {
        let identity_type = identity_of(marked, fingerprint, link)?.kind.as_str().to_owned();
        let cause = buyers.get(link.person).map(|buyer| buyer.cause.clone()).unwrap_or_default();
        outbox::append(tx, &IdentityLinked { member_id: link.member, identity_type, linked_at: now }, &cause)?;
    }
    Ok(())
}

/// Records the evidence for what was linked, what weak identities hint at, and whom strong ones contradict.
fn record(tx: &mut Tx<'_>, plan: &Plan, buyers: &[Buyer], marked: &[Vec<Marked<'_>>]) -> Result<(), Error> {
    let mut evidence = Vec::new();
    let mut cases = Vec::new();
    for (person, ((found, buyer), marked)) in plan.found.iter().zip(buyers).zip(marked).enumerate() {
        let Found::Member { member, contradicting, .. } = found else { continue };
        if !buyer.register {
            continue;
        }
        for it in marked {
            let linked = plan.links.get(&it.fingerprint).is_some_and(|link| link.person == person);
            let claim = match it.identity.kind.strength() {
                Strength::Strong if linked => Claim::Linked,
                Strength::Strong => continue,
                Strength::Weak => Claim::Hinted,
            };
            let (fingerprint, kind) = (it.fingerprint, it.identity.kind);
            let (source, reference) = (buyer.source, buyer.reference.as_str());
            evidence.push(Evidence { member: *member, fingerprint, kind, claim, source, reference });
        }
        let case = |other: &MemberId| NewCase { member: *member, other: *other, reference: buyer.reference.clone() };
        cases.extend(contradicting.iter().map(case));
    }
    // Members before what is written of them, as everywhere: a hint may be one that another transaction is writing.
    let known = |found: &Found| found.member().filter(|_| found.registered().is_none()).map(MemberId::uuid);
    let hinted: BTreeSet<Uuid> = plan.found.iter().filter_map(known).collect();
    if evidence.iter().any(|it| hinted.contains(&it.member.uuid())) {
        lock_members(tx, &hinted.into_iter().collect::<Vec<_>>())?;
    }
    // In key order, so that two batches with the same hints or cases wait for each other instead of deadlocking.
    evidence.sort_unstable_by_key(|it| (it.member, it.fingerprint));
    cases.sort_unstable_by_key(|it| (it.member, it.other));
    identities::record(tx, &evidence)?;
    identities::open_cases(tx, &cases)
}
