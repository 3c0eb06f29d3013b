//! Commands: each a plain function of a transaction and what is asked, the hot ones of a whole batch.

pub mod books;
pub mod change_profile;
pub mod complete_purchases;
pub mod extend_purchases;
pub mod give_back;
pub mod grant_points;
pub mod hold_points;
pub mod lapse;
pub mod link_identity;
pub mod profile;
pub mod read_standing;
pub mod record_purchases;
pub mod record_tills;
pub mod register_member;
pub mod resolve_members;
pub mod review_tiers;
pub mod rulebook;
pub mod set_rule;

use chrono_tz::Tz;
use kernel::id::OrderId;
use phonenumber::country;

use crate::vault::{SealError, Vault};

/// What every command needs beside its transaction.
#[derive(Clone)]
pub struct Desk {
    /// The keys of personal data.
    pub vault: Vault,
    /// Where a phone number without a country code belongs.
    pub region: country::Id,
    /// The retailer's time zone.
    pub zone: Tz,
    /// The tier programme in force.
    pub tier_program: String,
}

/// Why facts about orders were not taken. Nothing of the batch was.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The order was not placed yet, as far as this service has heard.
    #[error("order {0} was not placed yet")]
    NotYet(OrderId),
    /// A line of the order was not told of yet: it was added, and what became of it came first.
    #[error("order {order} has no line {line_no} yet")]
    NoLine {
        /// The order.
        order: OrderId,
        /// The line.
        line_no: i32,
    },
    /// It contradicts what is known of the order.
    #[error("order {order}: {detail}")]
    Wrong {
        /// The order.
        order: OrderId,
        /// What is wrong.
        detail: String,
    },
    /// The transaction failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<SealError> for store::Error {
    fn from(error: SealError) -> Self {
        tracing::error!(error = %error, "personal data could not be sealed or opened");
        Self::Broken("sealed personal data opens with the keys of the settings")
    }
}
