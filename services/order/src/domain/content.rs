//! What makes two deliveries of an order the same: a digest per field, so that a contradiction can name what differs.

use std::collections::BTreeSet;

use contracts::requests::IdentityForm;
use rust_decimal::Decimal;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::form::{BuyerForm, OrderForm};
use super::intake::PricedLine;

/// The fields that make up the content, in the order of their digests. The number is the key, and the time of the
/// channel's last change says nothing about what was ordered.
pub const FIELDS: [&str; 15] = [
    "placed_at",
    "currency",
    "buyer",
    "fulfilment",
    "lines",
    "freight",
    "discount",
    "payments",
    "reservation_id",
    "guide",
    "store",
    "note",
    "coupons",
    "parent_order_no",
    "tax",
];

/// How many bytes of each field's SHA-256 are kept: 64 bits tell two honest contents of one order number apart.
const PART_BYTES: usize = 8;

/// The digest of an order's content: `PART_BYTES` for each of `FIELDS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(pub Vec<u8>);

impl Content {
    /// The digest of a checked form. Line order, the spelling of prices and empty amounts make no difference.
    pub fn of(form: &OrderForm, priced: &[PricedLine]) -> Result<Self, serde_json::Error> {
        let amount = |money: Option<kernel::Money>| money.map_or(0, |money| money.amount);
        let payments = form.payments.as_ref().filter(|payments| !payments.is_empty());
        let mut digest = Self(Vec::with_capacity(FIELDS.len().saturating_mul(PART_BYTES)));
        digest.push(&form.placed_at)?;
        digest.push(&form.currency)?;
        digest.push(&canonical_buyer(&form.buyer))?;
        digest.push(&form.fulfilment)?;
        let (lines, gifts) = (canonical_lines(form, priced), canonical_gifts(form));
        if gifts.is_empty() {
            digest.push(&lines)?
        } else {
            digest.push(&(lines, gifts))?
        }
        digest.push(&amount(form.freight))?;
        digest.push(&amount(form.discount))?;
        match form.payment_terms {
            None => digest.push(&payments)?,
            Some(terms) => digest.push(&(payments, terms))?,
        }
        digest.push(&form.reservation_id)?;
        digest.push(&form.guide)?;
        digest.push(&form.store)?;
        digest.push(&form.note)?;
        digest.push_if_there(form.coupons.as_ref().filter(|coupons| !coupons.is_empty()))?;
        digest.push_if_there(form.parent_order_no.as_ref())?;
        digest.push_if_there(canonical_tax(form, priced).as_ref())?;
        digest.trim();
        Ok(digest)
    }

    /// A field that came later: where it is not there, nothing is, as in contents that are older than the field.
    fn push_if_there(&mut self, field: Option<&impl Serialize>) -> Result<(), serde_json::Error> {
        match field {
            Some(field) => self.push(field),
            None => {
                self.0.extend([0; PART_BYTES]);
                Ok(())
            }
        }
    }

    /// Leaves out what is not there at the end.
    fn trim(&mut self) {
        while self.0.ends_with(&[0; PART_BYTES]) {
            self.0.truncate(self.0.len().saturating_sub(PART_BYTES));
        }
    }

    fn push(&mut self, field: &impl Serialize) -> Result<(), serde_json::Error> {
        let hash = Sha256::digest(serde_json::to_vec(field)?);
        self.0.extend(hash.iter().take(PART_BYTES));
        Ok(())
    }

    /// The fields in which two contents differ.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut ours = self.0.chunks(PART_BYTES).fuse();
        let mut theirs = other.0.chunks(PART_BYTES).fuse();
        let absent = [0; PART_BYTES].as_slice();
        let mut differs = || ours.next().unwrap_or(absent) != theirs.next().unwrap_or(absent);
        FIELDS.into_iter().filter(|_| differs()).collect()
    }
}

/// A key that is the same for the same buyer: the digest of their first identity in canonical order; none for an
/// anonymous sale.
pub fn buyer_key(buyer: &BuyerForm) -> Option<Vec<u8>> {
    buyer.identities.iter().map(identity_key).min().map(digest)
}

/// The digests of a buyer's identities, each once, in canonical order.
pub fn buyer_digests(buyer: &BuyerForm) -> Vec<Vec<u8>> {
    let keys: BTreeSet<IdentityKey<'_>> = buyer.identities.iter().map(identity_key).collect();
    keys.into_iter().map(digest).collect()
}

/// The digest of one identity.
pub fn identity_digest(identity: &IdentityForm) -> Vec<u8> {
    digest(identity_key(identity))
}

fn digest(key: IdentityKey<'_>) -> Vec<u8> {
    // Four texts are always JSON.
    let text = serde_json::to_vec(&key).unwrap_or_default();
    Sha256::digest(text).iter().take(16).copied().collect()
}

type IdentityKey<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a str);

fn identity_key(identity: &IdentityForm) -> IdentityKey<'_> {
    (&identity.kind, identity.issuer.as_deref(), identity.scope.as_deref(), &identity.value)
}

fn canonical_buyer(buyer: &BuyerForm) -> (Option<&str>, Vec<IdentityKey<'_>>) {
    let mut identities: Vec<_> = buyer.identities.iter().map(identity_key).collect();
    identities.sort_unstable();
    (buyer.name.as_deref(), identities)
}

type LineKey<'a> = (i32, Option<&'a str>, Option<&'a str>, i64, Decimal, i64);

fn canonical_lines<'a>(form: &'a OrderForm, priced: &[PricedLine]) -> Vec<LineKey<'a>> {
    let mut lines: Vec<LineKey<'a>> = form
        .lines
        .iter()
        .zip(priced)
        .map(|(line, priced)| {
            let (sku, channel_sku) = (line.sku.as_ref(), line.channel_sku.as_ref());
            let price = priced.unit_price.normalize();
            (
                line.line_no,
                sku.map(AsRef::as_ref),
                channel_sku.map(AsRef::as_ref),
                line.quantity.get(),
                price,
                priced.own_discount,
            )
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// The lines that are gifts, and what they come with.
fn canonical_gifts(form: &OrderForm) -> Vec<(i32, Option<i32>)> {
    let gifts = form.lines.iter().filter(|line| line.gift);
    let mut gifts: Vec<_> = gifts.map(|line| (line.line_no, line.gift_with)).collect();
    gifts.sort_unstable();
    gifts
}

type TaxKey<'a> = (Option<i64>, Vec<(i32, Option<&'a str>, Option<i64>)>);

/// The tax as it was told, if it was.
fn canonical_tax<'a>(form: &OrderForm, priced: &'a [PricedLine]) -> Option<TaxKey<'a>> {
    let own = form.lines.iter().zip(priced).filter(|(line, _)| line.tax_rate.is_some() || line.tax_amount.is_some());
    let amount = |money: &kernel::Money| money.amount;
    let mut own: Vec<_> = own
        .map(|(line, it)| (line.line_no, it.extras.tax_rate.as_deref(), line.tax_amount.as_ref().map(amount)))
        .collect();
    own.sort_unstable();
    (form.tax.is_some() || !own.is_empty()).then(|| (form.tax.as_ref().map(amount), own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::intake::check;
    use serde_json::{Value, json};

    fn content(change: impl FnOnce(&mut Value)) -> Content {
        let mut body = json!({
            "channel": "tmall", "channel_order_no": "T-1", "placed_at": "2026-11-11T00:00:00+08:00", "currency": "CNY",
            "buyer": {"identities": [{"type": "phone", "value": "1"}, {"type": "jd_pin", "value": "2"}]},
            "fulfilment": {"type": "ship", "ship_to": {"country": "CN"}},
            "lines": [
                {"line_no": 1, "sku": "A", "quantity": 2, "unit_price": {"amount": 1250, "currency": "CNY"}},
                {"line_no": 2, "sku": "B", "quantity": 3, "unit_price_decimal": "0.125"},
            ],
        });
        change(&mut body);
        let form: OrderForm = serde_json::from_value(body).unwrap();
        let priced = check(&form).unwrap();
        Content::of(&form, &priced.lines).unwrap()
    }

    #[test]
    fn another_spelling_is_the_same_content() {
        let same = content(|body| {
            body["placed_at"] = json!("2026-11-10T16:00:00Z");
            body["channel_updated_at"] = json!("2026-11-12T00:00:00Z");
            body["freight"] = json!({"amount": 0, "currency": "CNY"});
            body["lines"].as_array_mut().unwrap().reverse();
            body["lines"][1] = json!({"line_no": 1, "sku": "A", "quantity": 2, "unit_price_decimal": "12.500"});
            body["buyer"]["identities"].as_array_mut().unwrap().reverse();
        });
        assert_eq!(content(|_| {}).differences(&same), Vec::<&str>::new());
        assert_eq!(content(|_| {}), same);
    }

    #[test]
    fn what_differs_is_named() {
        let other = content(|body| {
            body["lines"][0]["quantity"] = json!(1);
            body["note"] = json!("gift");
        });
        assert_eq!(content(|_| {}).differences(&other), ["lines", "note"]);
    }

    #[test]
    fn contents_from_before_a_field_stay_the_same_without_it() {
        let plain = content(|_| {});
        assert_eq!(plain.0.len(), 12 * PART_BYTES, "as many parts as there were before coupons");
        assert_eq!(content(|body| body["coupons"] = json!([])), plain);
        let amount = json!({"amount": 1, "currency": "CNY"});
        let with = content(|body| body["coupons"] = json!([{"code": "C", "amount": amount}]));
        assert_eq!((plain.differences(&with), with.differences(&plain)), (vec!["coupons"], vec!["coupons"]));
    }

    #[test]
    fn a_buyer_is_the_same_whatever_the_order_of_their_identities() {
        let buyer = |text: Value| serde_json::from_value::<BuyerForm>(text).unwrap();
        let one = buyer(json!({"identities": [{"type": "phone", "value": "1"}, {"type": "jd_pin", "value": "2"}]}));
        let two = buyer(json!({"identities": [{"type": "jd_pin", "value": "2"}, {"type": "phone", "value": "1"}]}));
        assert_eq!(buyer_key(&one), buyer_key(&two));
        assert_eq!(buyer_key(&BuyerForm::default()), None);
        assert_eq!(buyer_digests(&one), buyer_digests(&two));
        assert_eq!(buyer_digests(&one).len(), 2);
        assert_eq!(buyer_digests(&one).first(), buyer_key(&one).as_ref());
        let again = buyer(json!({"identities": [{"type": "phone", "value": "1"}, {"type": "phone", "value": "1"}]}));
        assert_eq!(buyer_digests(&again), [identity_digest(&again.identities[0])]);
    }
}
