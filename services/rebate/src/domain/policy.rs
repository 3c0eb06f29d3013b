//! The document of a policy version: what it pays on, to whom, how much.

use std::collections::BTreeSet;

use contracts::FieldError;
use kernel::rate::PPM;
use kernel::{Money, Rate, Rounding, Window};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::party::{ShareRole, words};
use super::sale::{Sale, SaleLine};

/// The most values one eligibility predicate lists; a longer list is a category.
pub const MAX_PREDICATE_VALUES: usize = 10_000;

words! {
    /// What the rate applies to.
    Basis {
        /// What was paid for the line, without freight.
        Paid = "paid",
        /// The line before any discount.
        List = "list",
    }
}

words! {
    /// Where a policy version stands.
    PolicyStatus {
        /// Written, not yet approved.
        Draft = "draft",
        /// Approved by someone other than its maker.
        Approved = "approved",
        /// In force.
        Active = "active",
        /// No longer in force.
        Ended = "ended",
    }
}

impl PolicyStatus {
    /// The state machine: every step that is allowed.
    pub const STEPS: [(Self, Self); 3] =
        [(Self::Draft, Self::Approved), (Self::Approved, Self::Active), (Self::Active, Self::Ended)];

    /// Whether the step is allowed.
    pub fn may_become(self, next: Self) -> bool {
        Self::STEPS.contains(&(self, next))
    }
}

/// A policy version's rules. Once written they do not change: a change is a new version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// What the rates apply to.
    pub basis: Basis,
    /// Which lines it pays on; everything, when left out.
    #[serde(default)]
    pub eligibility: Eligibility,
    /// What each role earns.
    pub shares: Vec<Share>,
    /// How a share of an order is rounded, once, on the order's total.
    #[serde(default)]
    pub rounding: Rounding,
    /// The most one share of one order can earn; orders in another currency are not eligible then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per_order: Option<Money>,
    /// Orders placed within this stretch of time; any, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// A typed predicate: every list that is given must contain the line's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// Channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeSet<String>>,
    /// Categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<BTreeSet<String>>,
    /// SKUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skus: Option<BTreeSet<String>>,
    /// Stores credited with the sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stores: Option<BTreeSet<String>>,
}

/// What one role earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Who.
    pub role: ShareRole,
    /// How much, in parts per million of the basis.
    #[schema(value_type = i64, example = 30000)]
    pub rate_ppm: Rate,
}

impl PolicyDocument {
    /// Everything that is wrong with it, with the field named.
    pub fn faults(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut fault = |field: String, detail: &str| faults.push(FieldError { field, detail: detail.to_owned() });
        if self.shares.is_empty() {
            fault("document.shares".to_owned(), "at least one role must earn");
        }
        for (index, share) in self.shares.iter().enumerate() {
            if !(1..=PPM).contains(&share.rate_ppm.0) {
                fault(
                    format!("document.shares[{index}].rate_ppm"),
                    "a rate lies between 1 and 1000000 parts per million",
                );
            }
            if self.shares.iter().take(index).any(|earlier| earlier.role == share.role) {
                fault(format!("document.shares[{index}].role"), "each role earns one share");
            }
        }
        for (name, values) in self.eligibility.lists() {
            if values.is_some_and(|values| values.is_empty() || values.len() > MAX_PREDICATE_VALUES) {
                fault(format!("document.eligibility.{name}"), "a list that is given has from 1 to 10000 values");
            }
        }
        if self.cap_per_order.is_some_and(|cap| cap.amount <= 0) {
            fault("document.cap_per_order.amount".to_owned(), "a cap is positive");
        }
        if self.window.is_some_and(|window| window.until.is_some_and(|until| until <= window.from)) {
            fault("document.window.until".to_owned(), "a window ends after it begins");
        }
        faults
    }

    /// Whether the policy looks at this sale at all.
    pub fn covers(&self, sale: &Sale, store: Option<&str>) -> bool {
        self.window.is_none_or(|window| window.contains(sale.placed_at))
            && self.cap_per_order.is_none_or(|cap| cap.currency == sale.currency)
            && listed(self.eligibility.channels.as_ref(), Some(&sale.channel))
            && listed(self.eligibility.stores.as_ref(), store)
    }

    /// Whether the policy pays on this line of a sale it covers.
    pub fn pays_on(&self, line: &SaleLine) -> bool {
        listed(self.eligibility.categories.as_ref(), line.category.as_deref())
            && listed(self.eligibility.skus.as_ref(), Some(&line.sku))
    }

    /// What the rate applies to on this line, in minor units.
    pub fn basis_of(&self, line: &SaleLine) -> i64 {
        match self.basis {
            Basis::Paid => line.paid_amount,
            Basis::List => line.list_amount,
        }
    }
}

impl Eligibility {
    fn lists(&self) -> [(&'static str, Option<&BTreeSet<String>>); 4] {
        [
            ("channels", self.channels.as_ref()),
            ("categories", self.categories.as_ref()),
            ("skus", self.skus.as_ref()),
            ("stores", self.stores.as_ref()),
        ]
    }
}

fn listed(list: Option<&BTreeSet<String>>, value: Option<&str>) -> bool {
    list.is_none_or(|list| value.is_some_and(|value| list.contains(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_moves_only_along_its_steps() {
        use PolicyStatus::{Active, Approved, Draft, Ended};
        let all = [Draft, Approved, Active, Ended];
        for from in all {
            for to in all {
                let allowed = matches!((from, to), (Draft, Approved) | (Approved, Active) | (Active, Ended));
                assert_eq!(from.may_become(to), allowed, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn every_fault_of_a_document_is_named() {
        let document: PolicyDocument = serde_json::from_value(serde_json::json!({
            "basis": "paid",
            "eligibility": {"channels": []},
            "shares": [{"role": "guide", "rate_ppm": 0}, {"role": "guide", "rate_ppm": 10}],
            "cap_per_order": {"amount": 0, "currency": "CNY"},
        }))
        .unwrap();
        let fields: Vec<String> = document.faults().into_iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            [
                "document.shares[0].rate_ppm",
                "document.shares[1].role",
                "document.eligibility.channels",
                "document.cap_per_order.amount"
            ]
        );
    }
}
