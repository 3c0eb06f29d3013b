//! Attribution: which guide, store and dealer a sale is credited to, and who lost to whom.
//!
//! The first candidate of a role decides it. What the order names goes before what the member is bound to: crediting
//! someone else because a named payee is not registered would pay a person who did not serve.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::party::{ShareRole, words};

words! {
    /// Where a candidate comes from.
    Source {
        /// The order names the guide.
        OrderGuide = "order_guide",
        /// The member's guide binding.
        MemberGuide = "member_guide",
        /// The order names the store.
        OrderStore = "order_store",
        /// The member's performance store binding.
        MemberStore = "member_performance_store",
        /// The dealer bound to the credited store.
        StoreDealer = "store_dealer",
        /// The dealer bound to the member.
        MemberDealer = "member_dealer",
    }
}

words! {
    /// What became of a candidate.
    Verdict {
        /// Earns.
        Won = "won",
        /// A candidate that goes before it decided the role.
        Preceded = "preceded",
        /// Decided the role, but is not a registered payee: nobody earns in it.
        Unregistered = "unregistered",
        /// Decided the role, but may not earn now: nobody earns in it.
        Inactive = "inactive",
    }
}

/// Someone who could be credited in a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// In which role.
    pub role: ShareRole,
    /// Where it comes from.
    pub source: Source,
    /// Who.
    pub payee: String,
    /// The store it stands for, when that is not the payee itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The binding it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_id: Option<Uuid>,
    /// What became of it.
    pub verdict: Verdict,
}

/// A payee bound to a member or a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Who.
    pub payee: String,
    /// By which binding.
    pub binding_id: Uuid,
}

/// Everything attribution looks at.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The guide the order names.
    pub order_guide: Option<String>,
    /// The store the order names.
    pub order_store: Option<String>,
    /// The payee bound to earn for that store, when it is not the store's own code.
    pub order_store_payee: Option<Bound>,
    /// The member's guide.
    pub member_guide: Option<Bound>,
    /// The member's performance store.
    pub member_store: Option<Bound>,
    /// The dealer of the credited store.
    pub store_dealer: Option<Bound>,
    /// The member's dealer.
    pub member_dealer: Option<Bound>,
}

impl Claims {
    /// Everyone who is claimed for, once per claim.
    pub fn payees(&self) -> impl Iterator<Item = &str> {
        let bound =
            [&self.order_store_payee, &self.member_guide, &self.member_store, &self.store_dealer, &self.member_dealer];
        let bound = bound.into_iter().flatten().map(|bound| bound.payee.as_str());
        bound.chain(self.order_guide.as_deref()).chain(self.order_store.as_deref())
    }

    /// The store the sale is credited to, which decides the dealer.
    pub fn credited_store(&self) -> Option<&str> {
        self.order_store.as_deref().or_else(|| self.member_store.as_ref().map(|bound| bound.payee.as_str()))
    }
}

/// Every candidate, the deciding one of each role first. `status` answers whether a payee is registered and active.
pub fn attribute(claims: &Claims, status: impl Fn(&str) -> Option<bool>) -> Vec<Candidate> {
    let named =
        |role, source, payee: &Option<String>| payee.as_ref().map(|payee| candidate(role, source, payee.clone(), None));
    let bound = |role, source, bound: &Option<Bound>| {
        bound.as_ref().map(|bound| candidate(role, source, bound.payee.clone(), Some(bound.binding_id)))
    };
    let order_store = claims.order_store.as_ref().map(|store| match &claims.order_store_payee {
        Some(bound) => Candidate {
            store: Some(store.clone()),
            ..candidate(ShareRole::Store, Source::OrderStore, bound.payee.clone(), Some(bound.binding_id))
        },
        None => candidate(ShareRole::Store, Source::OrderStore, store.clone(), None),
    });
    let mut candidates: Vec<Candidate> = [
        named(ShareRole::Guide, Source::OrderGuide, &claims.order_guide),
        bound(ShareRole::Guide, Source::MemberGuide, &claims.member_guide),
        order_store,
        bound(ShareRole::Store, Source::MemberStore, &claims.member_store),
        bound(ShareRole::Dealer, Source::StoreDealer, &claims.store_dealer),
        bound(ShareRole::Dealer, Source::MemberDealer, &claims.member_dealer),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut decided = None;
    for candidate in &mut candidates {
        if decided == Some(candidate.role) {
            continue;
        }
        decided = Some(candidate.role);
        candidate.verdict = match status(&candidate.payee) {
            Some(true) => Verdict::Won,
            Some(false) => Verdict::Inactive,
            None => Verdict::Unregistered,
        };
    }
    candidates
}

fn candidate(role: ShareRole, source: Source, payee: String, binding_id: Option<Uuid>) -> Candidate {
    Candidate { role, source, payee, store: None, binding_id, verdict: Verdict::Preceded }
}

/// Who earns in a role.
pub fn winner(candidates: &[Candidate], role: ShareRole) -> Option<&str> {
    candidates
        .iter()
        .find(|candidate| candidate.role == role && candidate.verdict == Verdict::Won)
        .map(|candidate| candidate.payee.as_str())
}

/// The code of the store that the sale is credited to.
pub fn credited_store(candidates: &[Candidate]) -> Option<&str> {
    candidates
        .iter()
        .find(|candidate| candidate.role == ShareRole::Store && candidate.verdict != Verdict::Preceded)
        .map(|candidate| candidate.store.as_deref().unwrap_or(&candidate.payee))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(payee: &str) -> Option<Bound> {
        Some(Bound { payee: payee.to_owned(), binding_id: Uuid::nil() })
    }

    fn known(payee: &str) -> Option<bool> {
        match payee {
            "stranger" => None,
            "retired" => Some(false),
            _ => Some(true),
        }
    }

    #[test]
    fn what_the_order_names_goes_before_what_the_member_is_bound_to() {
        let claims = Claims {
            order_guide: Some("G1".into()),
            member_guide: bound("G2"),
            order_store: Some("S1".into()),
            member_store: bound("S2"),
            store_dealer: bound("D1"),
            member_dealer: bound("D2"),
            ..Claims::default()
        };
        let candidates = attribute(&claims, known);
        let winners = ShareRole::ALL.map(|role| winner(&candidates, role));
        assert_eq!(winners, [Some("G1"), Some("S1"), Some("D1")]);
        let losers: Vec<&str> = candidates
            .iter()
            .filter(|candidate| candidate.verdict == Verdict::Preceded)
            .map(|candidate| candidate.payee.as_str())
            .collect();
        assert_eq!(losers, ["G2", "S2", "D2"]);
    }

    #[test]
    fn bindings_decide_where_the_order_names_nobody() {
        let claims = Claims {
            member_guide: bound("G2"),
            member_store: bound("S2"),
            member_dealer: bound("D2"),
            ..Claims::default()
        };
        let candidates = attribute(&claims, known);
        assert_eq!(ShareRole::ALL.map(|role| winner(&candidates, role)), [Some("G2"), Some("S2"), Some("D2")]);
        assert_eq!(credited_store(&candidates), Some("S2"));
    }

    #[test]
    fn a_named_stranger_and_a_retired_payee_earn_nothing_and_nobody_else_does() {
        let claims = Claims {
            order_guide: Some("stranger".into()),
            member_guide: bound("G2"),
            member_store: bound("retired"),
            ..Claims::default()
        };
        let candidates = attribute(&claims, known);
        assert_eq!(ShareRole::ALL.map(|role| winner(&candidates, role)), [None, None, None]);
        assert_eq!(candidates[0].verdict, Verdict::Unregistered);
        assert_eq!(candidates[2].verdict, Verdict::Inactive);
    }

    #[test]
    fn a_stores_payee_earns_for_it_while_the_store_keeps_its_name() {
        let claims = Claims { order_store: Some("S1".into()), order_store_payee: bound("F1"), ..Claims::default() };
        let candidates = attribute(&claims, known);
        assert_eq!(winner(&candidates, ShareRole::Store), Some("F1"));
        assert_eq!(credited_store(&candidates), Some("S1"));
    }
}
