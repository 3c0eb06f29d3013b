//! What a SKU must be.

use std::collections::BTreeMap;

use contracts::events::{BundleComponent, SkuStatus};
use kernel::SkuCode;

use super::gtin;

/// The longest name, category or brand, in characters.
pub const MAX_TEXT: usize = 200;
/// The most components of a bundle: an order line explodes into as many.
pub const MAX_COMPONENTS: usize = 50;
/// The most attributes of a SKU.
pub const MAX_ATTRIBUTES: usize = 100;

/// A SKU as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sku {
    /// Its code.
    pub sku: SkuCode,
    /// Its name.
    pub name: String,
    /// Its GTIN.
    pub gtin: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Anything else that is said of it.
    pub attributes: BTreeMap<String, String>,
    /// Its weight.
    pub weight_grams: Option<i64>,
    /// Whether it may be sold.
    pub status: SkuStatus,
    /// What it is made of, when it is a bundle.
    pub bundle: Vec<BundleComponent>,
}

/// Why a SKU is refused: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Fault {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Fault {
    fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

impl Sku {
    /// Checks every rule and names each broken one.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() {
            faults.push(Fault::new("name", "must not be empty"));
        }
        let texts = [("name", Some(&self.name)), ("category", self.category.as_ref()), ("brand", self.brand.as_ref())];
        for (field, text) in texts {
            if text.is_some_and(|text| text.chars().count() > MAX_TEXT) {
                faults.push(Fault::new(field, format!("has at most {MAX_TEXT} characters")));
            }
            if text.is_some_and(|text| text.contains('\0')) {
                faults.push(Fault::new(field, "has no NUL character"));
            }
        }
        if self.gtin.as_deref().is_some_and(|text| !gtin::is_valid(text)) {
            faults.push(Fault::new("gtin", "is 8, 12, 13 or 14 digits, the last of which checks"));
        }
        if self.weight_grams.is_some_and(|grams| grams < 0) {
            faults.push(Fault::new("weight_grams", "must not be negative"));
        }
        if self.attributes.len() > MAX_ATTRIBUTES {
            faults.push(Fault::new("attributes", format!("has at most {MAX_ATTRIBUTES} entries")));
        }
        if self.attributes.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
            faults.push(Fault::new("attributes", "has no NUL character"));
        }
        self.check_bundle(&mut faults);
        faults
    }

    fn check_bundle(&self, faults: &mut Vec<Fault>) {
        if self.bundle.len() > MAX_COMPONENTS {
            faults.push(Fault::new("bundle", format!("has at most {MAX_COMPONENTS} components")));
        }
        for (index, component) in self.bundle.iter().enumerate() {
            if component.sku == self.sku {
                faults.push(Fault::new(format!("bundle[{index}].sku"), "a bundle must not contain itself"));
            }
            if self.bundle.iter().take(index).any(|earlier| earlier.sku == component.sku) {
                faults.push(Fault::new(format!("bundle[{index}].sku"), "is listed twice; add the quantities up"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(code: &str) -> Sku {
        Sku {
            sku: code.parse().unwrap(),
            name: "Tee".into(),
            gtin: None,
            category: None,
            brand: None,
            attributes: BTreeMap::new(),
            weight_grams: None,
            status: SkuStatus::Active,
            bundle: Vec::new(),
        }
    }

    #[test]
    fn every_broken_rule_is_named() {
        let sku = Sku { name: " ".into(), gtin: Some("1".into()), weight_grams: Some(-1), ..plain("A") };
        let fields: Vec<_> = sku.check().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["name", "gtin", "weight_grams"]);
    }

    #[test]
    fn a_bundle_holds_neither_itself_nor_anything_twice() {
        let part = |code: &str| BundleComponent { sku: code.parse().unwrap(), quantity: 1.try_into().unwrap() };
        let sku = Sku { bundle: vec![part("A"), part("B"), part("B")], ..plain("A") };
        let fields: Vec<_> = sku.check().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["bundle[0].sku", "bundle[2].sku"]);
    }
}
