//! From identities to members: which member each buyer is, whom to register, and what to link.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kernel::id::MemberId;

use super::identity::IdentityType;

/// The keyed hash that stands for an identity everywhere outside its encrypted value.
pub type Fingerprint = [u8; 32];

/// A strong identity, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strong {
    /// Its type.
    pub kind: IdentityType,
    /// Its hash.
    pub fingerprint: Fingerprint,
}

/// One buyer: everything strong that is known of them, and the id they get if they turn out to be new.
#[derive(Clone, Debug)]
pub struct Person {
    /// The strong identities, in any order.
    pub strong: Vec<Strong>,
    /// The id for a new member; none if nobody is to be registered.
    pub new_member: Option<MemberId>,
}

/// What the identities of one buyer come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No strong identity, or none known and nobody to be registered.
    Nobody,
    /// This member.
    Member {
        /// Who it is.
        member: MemberId,
        /// Whether they are registered by this very buyer.
        registered: bool,
        /// Other members that identities of the same buyer belong to: a case, not a merge.
        contradicting: BTreeSet<MemberId>,
    },
}

impl Found {
    /// The member.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Member { member, .. } => Some(*member),
            Self::Nobody => None,
        }
    }

    /// The member, if it is registered now.
    pub fn registered(&self) -> Option<MemberId> {
        match self {
            Self::Member { member, registered: true, .. } => Some(*member),
            _ => None,
        }
    }
}

/// The whole batch's answer.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One answer per person, in order.
    pub found: Vec<Found>,
    /// The identities to link, in the order of their hashes.
    pub links: BTreeMap<Fingerprint, Link>,
}

/// An identity that gets its member now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its member.
    pub member: MemberId,
    /// The first person of the batch who showed it.
    pub person: usize,
}

/// Finds everyone's member, given who holds which identity already. People are looked at in order, so that the second
/// order of a new buyer in one batch finds the member that the first one registered.
pub fn plan(people: &[Person], holders: &HashMap<Fingerprint, MemberId>) -> Plan {
    let mut links: BTreeMap<Fingerprint, Link> = BTreeMap::new();
    let mut found = Vec::with_capacity(people.len());
    for (person, someone) in people.iter().enumerate() {
        let mut strongest_first = someone.strong.clone();
        strongest_first.sort_unstable_by_key(|it| (it.kind, it.fingerprint));
        let mut known = strongest_first
            .iter()
            .filter_map(|it| {
                holders.get(&it.fingerprint).or_else(|| links.get(&it.fingerprint).map(|link| &link.member))
            })
            .copied();
        let answer = match (known.next(), someone.new_member) {
            (Some(member), _) => {
                let contradicting = known.filter(|other| *other != member).collect();
                Found::Member { member, registered: false, contradicting }
            }
            (None, Some(member)) if !strongest_first.is_empty() => {
                Found::Member { member, registered: true, contradicting: BTreeSet::new() }
            }
            (None, _) => Found::Nobody,
        };
        if let (Found::Member { member, .. }, Some(_)) = (&answer, someone.new_member) {
            for it in strongest_first.iter().filter(|it| !holders.contains_key(&it.fingerprint)) {
                links.entry(it.fingerprint).or_insert(Link { member: *member, person });
            }
        }
        found.push(answer);
    }
    Plan { found, links }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn member(number: u128) -> MemberId {
        MemberId(Uuid::from_u128(number))
    }

    fn strong(kind: IdentityType, number: u8) -> Strong {
        Strong { kind, fingerprint: [number; 32] }
    }

    fn buyer(strong: &[Strong], new_member: u128) -> Person {
        Person { strong: strong.to_vec(), new_member: Some(member(new_member)) }
    }

    fn is(number: u128, registered: bool) -> Found {
        Found::Member { member: member(number), registered, contradicting: BTreeSet::new() }
    }

    #[test]
    fn two_orders_of_a_new_buyer_in_one_batch_are_one_member() {
        let phone = strong(IdentityType::Phone, 1);
        let plan = plan(&[buyer(&[phone], 10), buyer(&[phone], 11)], &HashMap::new());
        assert_eq!(plan.found, [is(10, true), is(10, false)]);
        assert_eq!(plan.links.len(), 1);
    }

    #[test]
    fn a_new_identity_joins_the_member_that_a_known_one_names() {
        let (phone, openid) = (strong(IdentityType::Phone, 1), strong(IdentityType::WechatOpenid, 2));
        let holders = HashMap::from([(phone.fingerprint, member(7))]);
        let plan = plan(&[buyer(&[openid, phone], 10)], &holders);
        assert_eq!(plan.found, [is(7, false)]);
        assert_eq!(plan.links[&openid.fingerprint].member, member(7));
    }

    #[test]
    fn two_members_are_not_merged_the_strongest_type_wins_and_the_other_is_named() {
        let (phone, card) = (strong(IdentityType::Phone, 1), strong(IdentityType::TillCard, 2));
        let holders = HashMap::from([(phone.fingerprint, member(7)), (card.fingerprint, member(8))]);
        let plan = plan(&[buyer(&[card, phone], 10)], &holders);
        let expected =
            Found::Member { member: member(7), registered: false, contradicting: BTreeSet::from([member(8)]) };
        assert_eq!(plan.found, [expected]);
        assert!(plan.links.is_empty());
    }

    #[test]
    fn without_a_strong_identity_nobody_is_registered() {
        assert_eq!(plan(&[buyer(&[], 10)], &HashMap::new()).found, [Found::Nobody]);
    }

    #[test]
    fn looking_up_registers_and_links_nothing() {
        let (phone, openid) = (strong(IdentityType::Phone, 1), strong(IdentityType::WechatOpenid, 2));
        let holders = HashMap::from([(phone.fingerprint, member(7))]);
        let look = |strong: &[Strong]| plan(&[Person { strong: strong.to_vec(), new_member: None }], &holders);
        assert_eq!(look(&[openid]).found, [Found::Nobody]);
        let both = look(&[phone, openid]);
        assert_eq!(both.found, [is(7, false)]);
        assert!(both.links.is_empty());
    }
}
