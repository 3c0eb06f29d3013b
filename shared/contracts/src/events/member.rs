//! What the member service tells.

use kernel::Timestamp;
use kernel::id::{MemberId, OrderId, PosTransactionId};
use serde::{Deserialize, Serialize};

/// A member was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRegistered {
    /// The member.
    pub member_id: MemberId,
    /// When.
    pub registered_at: Timestamp,
}

/// An identity was linked to a member. Its value never leaves the member service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityLinked {
    /// The member.
    pub member_id: MemberId,
    /// The identity's type.
    pub identity_type: String,
    /// When.
    pub linked_at: Timestamp,
}

/// The answer to every placed order: which member bought, if any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuyerIdentified {
    /// The order.
    pub order_id: OrderId,
    /// The member; none for an anonymous sale.
    pub member_id: Option<MemberId>,
    /// The member's tier at that moment.
    pub tier: Option<String>,
}

/// The answer to every transaction of a till that sold something: which member bought, if any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosIdentified {
    /// The transaction.
    pub transaction_id: PosTransactionId,
    /// The member; none for an anonymous sale.
    pub member_id: Option<MemberId>,
    /// The member's tier at that moment.
    pub tier: Option<String>,
}

/// A member's points changed; absolute, with a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsChanged {
    /// The member.
    pub member_id: MemberId,
    /// Spendable now.
    pub active: i64,
    /// Earned, not yet spendable.
    pub pending: i64,
    /// Set aside for a redemption.
    pub held: i64,
    /// Owed, because points were clawed back after they were spent.
    pub arrears: i64,
    /// Grows with every change.
    pub version: i64,
}

/// A member's tier changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChanged {
    /// The member.
    pub member_id: MemberId,
    /// The tier before.
    pub from: String,
    /// The tier now.
    pub to: String,
    /// When.
    pub changed_at: Timestamp,
}

payload!(MemberRegistered, "member.registered", |it| it.member_id.to_string());
payload!(IdentityLinked, "identity.linked", |it| it.member_id.to_string());
payload!(BuyerIdentified, "buyer.identified", |it| it.order_id.to_string());
payload!(PosIdentified, "pos.identified", |it| it.transaction_id.to_string());
payload!(PointsChanged, "points.changed", |it| it.member_id.to_string());
payload!(TierChanged, "tier.changed", |it| it.member_id.to_string());
