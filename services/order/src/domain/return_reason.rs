//! Why goods come back, and who is at fault.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why goods come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnReason {
    /// The buyer no longer wants it.
    ChangedMind,
    /// The buyer ordered something else than they meant.
    OrderedByMistake,
    /// It does not fit the buyer.
    DoesNotFit,
    /// It arrived damaged.
    Damaged,
    /// It does not work.
    Defective,
    /// Something else was sent than was ordered.
    WrongItem,
    /// Something is missing in it.
    MissingParts,
    /// It is not what was said of it.
    NotAsDescribed,
    /// It came too late.
    Late,
    /// Whatever else; a text says it.
    Other,
}

/// Who is at fault that goods come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The buyer, or nobody.
    Buyer,
    /// The seller, or whoever carried the goods for them.
    Seller,
}

impl ReturnReason {
    const ALL: [Self; 10] = [
        Self::ChangedMind,
        Self::OrderedByMistake,
        Self::DoesNotFit,
        Self::Damaged,
        Self::Defective,
        Self::WrongItem,
        Self::MissingParts,
        Self::NotAsDescribed,
        Self::Late,
        Self::Other,
    ];

    /// As it is stored and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangedMind => "changed_mind",
            Self::OrderedByMistake => "ordered_by_mistake",
            Self::DoesNotFit => "does_not_fit",
            Self::Damaged => "damaged",
            Self::Defective => "defective",
            Self::WrongItem => "wrong_item",
            Self::MissingParts => "missing_parts",
            Self::NotAsDescribed => "not_as_described",
            Self::Late => "late",
            Self::Other => "other",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Who is at fault. Of `other` nobody knows, so it is not the seller.
    pub const fn fault(self) -> Fault {
        match self {
            Self::ChangedMind | Self::OrderedByMistake | Self::DoesNotFit | Self::Other => Fault::Buyer,
            Self::Damaged
            | Self::Defective
            | Self::WrongItem
            | Self::MissingParts
            | Self::NotAsDescribed
            | Self::Late => Fault::Seller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_word_is_the_told_word() {
        for reason in ReturnReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(ReturnReason::parse(reason.as_str()), Some(reason));
        }
    }
}
