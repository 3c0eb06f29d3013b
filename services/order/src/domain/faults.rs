//! What is wrong with what somebody hands in, field by field.

use contracts::FieldError;
use contracts::requests::Address;
use kernel::money::MAX_AMOUNT;
use kernel::{Currency, Money};

use super::form::{BuyerForm, EXCHANGE, PaymentForm};
use super::intake::{MAX_IDENTITIES, MAX_TEXT_LENGTH};

/// Collects what is wrong, so that the caller hears everything at once.
#[derive(Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Names an offending field.
    pub fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), detail: detail.into() });
    }

    /// Refuses empty, long and control-character texts.
    pub fn text(&mut self, field: &str, text: &str, max_length: usize) {
        if text.trim().is_empty() {
            self.add(field, "must not be empty");
        } else if text.chars().count() > max_length {
            self.add(field, format!("has at most {max_length} characters"));
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(field, "has no control characters");
        }
    }

    /// As [`Faults::text`], for a text that may be left out.
    pub fn optional_text(&mut self, field: &str, text: Option<&str>, max_length: usize) {
        if let Some(text) = text {
            self.text(field, text, max_length);
        }
    }

    /// Refuses amounts that are negative, too large, or in another currency.
    pub fn amount(&mut self, field: &str, money: Option<Money>, currency: Currency) {
        match money {
            Some(money) if money.currency != currency => {
                self.add(field, format!("is in {}, the order in {currency}", money.currency));
            }
            Some(money) if !(0..=MAX_AMOUNT).contains(&money.amount) => {
                self.add(field, format!("lies between 0 and {MAX_AMOUNT} minor units"));
            }
            _ => {}
        }
    }

    /// Refuses a payment that is not usable.
    pub fn payment(&mut self, prefix: &str, payment: &PaymentForm, currency: Currency) {
        self.text(&format!("{prefix}method"), &payment.method, 64);
        if payment.method == EXCHANGE {
            self.add(format!("{prefix}method"), "is how returned goods pay, with the refund of their return");
        }
        self.optional_text(&format!("{prefix}reference"), payment.reference.as_deref(), MAX_TEXT_LENGTH);
        self.amount(&format!("{prefix}amount"), Some(payment.amount), currency);
    }

    /// Refuses identities that are not usable.
    pub fn buyer(&mut self, buyer: &BuyerForm) {
        self.optional_text("buyer.name", buyer.name.as_deref(), MAX_TEXT_LENGTH);
        if buyer.identities.len() > MAX_IDENTITIES {
            self.add("buyer.identities", format!("has at most {MAX_IDENTITIES} entries"));
        }
        for (index, identity) in buyer.identities.iter().enumerate().take(MAX_IDENTITIES) {
            let field = |name: &str| format!("buyer.identities[{index}].{name}");
            self.text(&field("type"), &identity.kind, 64);
            self.text(&field("value"), &identity.value, MAX_TEXT_LENGTH);
            self.optional_text(&field("issuer"), identity.issuer.as_deref(), MAX_TEXT_LENGTH);
            self.optional_text(&field("scope"), identity.scope.as_deref(), MAX_TEXT_LENGTH);
        }
    }

    /// Refuses addresses that are not usable.
    pub fn address(&mut self, field: &str, address: &Address) {
        self.text(&format!("{field}.country"), address.country.as_deref().unwrap_or_default(), MAX_TEXT_LENGTH);
        let parts = [
            ("name", &address.name),
            ("phone", &address.phone),
            ("province", &address.province),
            ("city", &address.city),
            ("district", &address.district),
            ("street", &address.street),
            ("postcode", &address.postcode),
            ("adcode", &address.adcode),
        ];
        for (name, text) in parts {
            // Platforms send empty fields for what they do not know; only what is there is judged.
            let known = text.as_deref().filter(|text| !text.is_empty());
            self.optional_text(&format!("{field}.{name}"), known, MAX_TEXT_LENGTH);
        }
        if address.latitude.is_some() != address.longitude.is_some() {
            self.add(field, "has both latitude and longitude, or neither");
        }
        if let Err(error) = address.point() {
            self.add(field, error.to_string());
        }
    }

    /// What was found, if anything.
    pub fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
