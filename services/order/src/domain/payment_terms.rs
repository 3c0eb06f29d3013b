//! When an order is paid.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentTerms {
    /// It is paid already, or the channel settles it.
    Settled,
    /// The buyer pays when the goods arrive.
    OnDelivery,
}

impl PaymentTerms {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::OnDelivery => "on_delivery",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Settled, Self::OnDelivery].into_iter().find(|it| it.as_str() == text)
    }
}
