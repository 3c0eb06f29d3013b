//! Payees, the roles they are bound in, and the roles a policy shares to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares an enum that is text in JSON and in the database.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The word it is stored and told as.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The variant a stored word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a payee is.
    PayeeKind {
        /// A shop of the retailer's own.
        Store = "store",
        /// Who runs shops under the retailer's name.
        Franchisee = "franchisee",
        /// Who buys to sell on.
        Dealer = "dealer",
        /// A shopping guide.
        Guide = "guide",
        /// Who supplies goods.
        Supplier = "supplier",
        /// Who runs a channel.
        Partner = "partner",
    }
}

words! {
    /// Whether a payee may earn.
    PayeeStatus {
        /// It may.
        Active = "active",
        /// It may not earn anything new.
        Inactive = "inactive",
    }
}

words! {
    /// The role a payee is bound in.
    BindingRole {
        /// Looks after a member.
        Guide = "guide",
        /// The store that serves a member; it may change.
        ServiceStore = "service_store",
        /// The store that first won a member, which keeps the credit; for a store or location, the payee that earns for it.
        PerformanceStore = "performance_store",
        /// The dealer behind a store or a member.
        Dealer = "dealer",
    }
}

words! {
    /// What a payee is bound to.
    SubjectKind {
        /// A member, by id.
        Member = "member",
        /// A store, by code.
        Store = "store",
        /// A location, by code.
        Location = "location",
    }
}

words! {
    /// A role that earns a share of a sale.
    ShareRole {
        /// The guide credited with the sale.
        Guide = "guide",
        /// The store credited with the sale.
        Store = "store",
        /// The dealer behind it.
        Dealer = "dealer",
    }
}

impl ShareRole {
    /// Every role, in the order in which they are resolved: the dealer follows from the store.
    pub const ALL: [Self; 3] = [Self::Guide, Self::Store, Self::Dealer];
}
