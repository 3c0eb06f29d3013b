//! Commands: one file each, synchronous functions over a transaction.

pub mod accrue;
pub mod bind;
pub mod books;
pub mod earn;
pub mod explain;
pub mod keep_policies;
pub mod put_payee;
pub mod record_sales;
pub mod record_tills;
pub mod redecide;
pub mod reverse;

use kernel::id::OrderId;

/// Why facts about orders could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// What it builds on has not arrived yet.
    #[error("{what} of order {order_id} has not arrived yet")]
    Missing {
        /// Which fact.
        what: &'static str,
        /// Of which order.
        order_id: OrderId,
    },
    /// It contradicts what is known; trying again changes nothing.
    #[error("order {order_id}: {why}")]
    Refused {
        /// Of which order.
        order_id: OrderId,
        /// What contradicts.
        why: String,
    },
    /// The transaction failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A code that was checked before it was stored.
pub(crate) fn stored_code(text: &str) -> Result<kernel::Code, store::Error> {
    text.parse().map_err(|_| store::Error::Broken("a stored code is a code"))
}

/// A currency that was checked before it was stored.
pub(crate) fn stored_currency(text: &str) -> Result<kernel::Currency, store::Error> {
    text.parse().map_err(|_| store::Error::Broken("a stored currency is an ISO 4217 code"))
}
