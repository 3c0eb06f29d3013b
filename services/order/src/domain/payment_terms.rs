//! When an order is paid.

use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentTerms {
    /// It is paid already, or the channel settles it.
    Settled,
    /// Before anything leaves: its goods are promised, and locations are asked when it is paid.
    Prepaid,
    /// As prepaid, a deposit first and the rest later.
    Presale,
    /// When the goods arrive.
    OnDelivery,
}

impl PaymentTerms {
    const ALL: [Self; 4] = [Self::Settled, Self::Prepaid, Self::Presale, Self::OnDelivery];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Prepaid => "prepaid",
            Self::Presale => "presale",
            Self::OnDelivery => "on_delivery",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Whether it is paid before anything leaves.
    pub const fn is_in_advance(self) -> bool {
        matches!(self, Self::Prepaid | Self::Presale)
    }
}

/// When an order is paid, as a channel hands it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentTermsForm {
    /// `prepaid`, `presale` or `on_delivery`.
    #[serde(rename = "type")]
    pub kind: PaymentTerms,
    /// Until when it is to be paid, of a `presale` the deposit; else it is cancelled. When left out, as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_by: Option<Timestamp>,
    /// What of a `presale` is to be paid first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit: Option<Money>,
    /// Until when the rest of a `presale` is to be paid; else it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_by: Option<Timestamp>,
}

/// Until when an order is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Until when the deposit, or all of it, is to be paid; none for as long as the buyer likes.
    pub pay_by: Option<Timestamp>,
    /// The deposit and until when the rest is to be paid.
    pub balance: Option<(i64, Timestamp)>,
}

impl Schedule {
    /// Until when an order is to be paid that came in now; `after_seconds` where the channel says nothing, 0 for ever.
    pub fn of(terms: &PaymentTermsForm, now: Timestamp, after_seconds: u32) -> Self {
        let usual = (after_seconds > 0).then(|| now.plus_seconds(after_seconds.into()));
        Self {
            pay_by: terms.pay_by.or(usual),
            balance: terms.deposit.and_then(|deposit| Some((deposit.amount, terms.balance_by?))),
        }
    }

    /// Until when something is to be paid after so much was.
    pub fn due_at(&self, paid: i64) -> Option<Timestamp> {
        match self.balance {
            Some((deposit, balance_by)) if paid >= deposit => Some(balance_by),
            _ => self.pay_by,
        }
    }
}
