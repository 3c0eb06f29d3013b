//! What a ruleset may become: draft → shadow → active → retired, and back into force when a newer one disappoints.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a ruleset stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulesetState)]
pub enum State {
    /// Written, and in no use.
    Draft,
    /// Decides beside the active one, without effect. At most one does.
    Shadow,
    /// Decides. Exactly one does.
    Active,
    /// Was in use before.
    Retired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Shadow, Self::Active, Self::Retired];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    /// The state that is stored so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it may become that. An active one only ever gives way to another; a retired one may come back.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft | Self::Retired, Self::Shadow | Self::Active)
                | (Self::Shadow, Self::Active | Self::Retired)
                | (Self::Active, Self::Retired)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, Active, Draft, Retired, Shadow};

    #[test]
    fn every_pair_is_allowed_or_not() {
        let allowed = [
            (Draft, Shadow),
            (Draft, Active),
            (Shadow, Active),
            (Shadow, Retired),
            (Active, Retired),
            (Retired, Shadow),
            (Retired, Active),
        ];
        for from in State::ALL {
            for to in State::ALL {
                assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from:?} to {to:?}");
            }
            assert_eq!(State::parse(from.as_str()), Some(from));
        }
    }
}
