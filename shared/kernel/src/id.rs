//! Typed ids: a UUIDv7 that cannot be mistaken for another kind of thing's id.

use uuid::{NoContext, Uuid};

use crate::Timestamp;

/// A fresh UUIDv7 that carries `at`; the one place where ids are made.
pub fn uuid_at(at: Timestamp) -> Uuid {
    let micros = at.unix_micros();
    let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or(0);
    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0).saturating_mul(1_000);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos))
}

/// Declares typed ids over [`Uuid`].
#[macro_export]
macro_rules! typed_ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = ::uuid::Uuid)]
        pub struct $name(pub ::uuid::Uuid);

        impl $name {
            /// A new id that carries the instant `at`.
            pub fn at(at: $crate::Timestamp) -> Self {
                Self($crate::id::uuid_at(at))
            }

            /// The bare UUID, for SQL parameters.
            pub const fn uuid(self) -> ::uuid::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                ::uuid::Uuid::parse_str(text).map(Self)
            }
        }

        impl From<::uuid::Uuid> for $name {
            fn from(value: ::uuid::Uuid) -> Self {
                Self(value)
            }
        }
    )+};
}

typed_ids! {
    /// An order in the order book.
    OrderId,
    /// A fulfilment order: the part of an order that one location ships.
    FulfilmentId,
    /// A hold on an order.
    HoldId,
    /// A hold on stock, or the hold that an order claimed.
    ReservationId,
    /// One stored sourcing decision.
    DecisionId,
    /// A return.
    ReturnId,
    /// A refund.
    RefundId,
    /// A till's transaction.
    PosTransactionId,
    /// A member: one person behind every channel.
    MemberId,
    /// A version of a rebate policy.
    PolicyId,
    /// An entry of a double-entry ledger.
    EntryId,
    /// A rebate line: what one payee earned on one order line by one policy.
    RebateLineId,
    /// A machine client.
    ClientId,
    /// An event.
    EventId,
}
