//! What identities are, how strong they are, and the one written form each has.

use std::borrow::Cow;

use contracts::events::Identity;
use phonenumber::{Mode, country};

/// The version of the rules below; every piece of evidence names the one it was judged by.
pub const RULE_VERSION: i32 = 1;

/// The longest value, issuer or scope in bytes: platform ids are far shorter, and the bound keeps rows narrow.
const MAX_PART_BYTES: usize = 256;

/// Whether an identity proves who somebody is, or only hints at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Joins: whoever holds it is the member.
    Strong,
    /// Never creates or joins a member; it is kept as a hint.
    Weak,
}

impl Strength {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Weak => "weak",
        }
    }
}

macro_rules! identity_types {
    ($($(#[$meta:meta])* $variant:ident = ($text:literal, $strength:ident)),+ $(,)?) => {
        /// The known identity types, strongest first: where two identities of one person disagree, the earlier type wins.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum IdentityType {
            $($(#[$meta])* $variant,)+
        }

        impl IdentityType {
            /// As it is written in requests, events and the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The type of this name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// Whether it joins.
            pub const fn strength(self) -> Strength {
                match self { $(Self::$variant => Strength::$strength,)+ }
            }
        }
    };
}

identity_types! {
    /// A verified phone number, kept as E.164.
    Phone = ("phone", Strong),
    /// WeChat's id of a person across one company's apps.
    WechatUnionid = ("wechat_unionid", Strong),
    /// WeCom's id of an outside contact.
    WecomExternalId = ("wecom_external_id", Strong),
    /// Tmall's id of a person across one company's shops.
    TmallUnionId = ("tmall_union_id", Strong),
    /// Douyin's id of a person within one app.
    DouyinOpenId = ("douyin_open_id", Strong),
    /// JD's account.
    JdPin = ("jd_pin", Strong),
    /// WeChat's id of a person within one app.
    WechatOpenid = ("wechat_openid", Strong),
    /// A card shown at the till.
    TillCard = ("till_card", Strong),
    /// A channel's own customer number.
    CustomerNo = ("customer_no", Strong),
    /// The hash of an account that paid: families share them.
    PaymentAccount = ("payment_account", Weak),
    /// Who a parcel went to: often a gift.
    ShippingContact = ("shipping_contact", Weak),
}

/// An identity in its one written form: equal persons compare equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Normalised {
    /// Its type.
    pub kind: IdentityType,
    /// Who issued it; empty where that does not matter.
    pub issuer: String,
    /// Within what it is unique; empty where that does not matter.
    pub scope: String,
    /// Its value.
    pub value: String,
}

/// Why an identity cannot be used. The text names no value: it may reach a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a type this service knows.
    #[error("this type of identity is not known")]
    UnknownType,
    /// Nothing is left after trimming.
    #[error("the value is empty")]
    Empty,
    /// A part is longer than any platform writes.
    #[error("value, issuer and scope have at most {MAX_PART_BYTES} bytes each")]
    TooLong,
    /// Not a phone number that can exist, such as one a marketplace has masked.
    #[error("this is not a complete phone number")]
    Phone,
}

/// Brings an identity into its one written form; a phone number without a country code belongs to `region`.
pub fn normalise(identity: &Identity, region: country::Id) -> Result<Normalised, IdentityError> {
    let kind = IdentityType::parse(&identity.kind).ok_or(IdentityError::UnknownType)?;
    let part = |text: Option<&str>| text.map(str::trim).unwrap_or_default().to_owned();
    let (issuer, scope) = (part(identity.issuer.as_deref()), part(identity.scope.as_deref()));
    let value = identity.value.trim();
    if value.is_empty() {
        return Err(IdentityError::Empty);
    }
    if [value, &issuer, &scope].iter().any(|part| part.len() > MAX_PART_BYTES) {
        return Err(IdentityError::TooLong);
    }
    let value = if kind == IdentityType::Phone { e164(value, region)? } else { value.to_owned() };
    Ok(Normalised { kind, issuer, scope, value })
}

/// The number as E.164. Mainland mobile numbers, nearly all there are, skip the general parser, which is slow.
fn e164(value: &str, region: country::Id) -> Result<String, IdentityError> {
    let written: Cow<'_, str> =
        if value.contains([' ', '-']) { value.replace([' ', '-'], "").into() } else { value.into() };
    let national = written.strip_prefix("+86").or_else(|| (region == country::CN).then_some(written.as_ref()));
    if let Some(national) = national.filter(|digits| is_mainland_mobile(digits)) {
        return Ok(format!("+86{national}"));
    }
    let number = phonenumber::parse(Some(region), &written).map_err(|_| IdentityError::Phone)?;
    if !number.is_valid() {
        return Err(IdentityError::Phone);
    }
    Ok(number.format().mode(Mode::E164).to_string())
}

/// Eleven digits of which the first is 1 and the second 3 to 9 (the mainland's numbering plan for mobiles).
fn is_mainland_mobile(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'1', b'3'..=b'9', rest @ ..] if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &str, value: &str) -> Identity {
        Identity { kind: kind.into(), value: value.into(), issuer: None, scope: None }
    }

    fn phone(value: &str) -> Result<String, IdentityError> {
        normalise(&identity("phone", value), country::CN).map(|it| it.value)
    }

    #[test]
    fn one_phone_has_one_form_however_it_is_written() {
        for written in ["13800138000", "+8613800138000", "+86 138 0013 8000", "138-0013-8000", "0086 13800138000"] {
            assert_eq!(phone(written).as_deref(), Ok("+8613800138000"), "{written}");
        }
        assert_eq!(phone("+1 650 253 0000").as_deref(), Ok("+16502530000"));
    }

    #[test]
    fn a_number_without_a_country_belongs_to_the_region() {
        let given = identity("phone", "020 7946 0958");
        assert_eq!(normalise(&given, country::GB).unwrap().value, "+442079460958");
    }

    #[test]
    fn masked_and_impossible_phones_are_refused() {
        assert_eq!(phone("138****8000"), Err(IdentityError::Phone));
        assert_eq!(phone("12"), Err(IdentityError::Phone));
        assert_eq!(phone(" "), Err(IdentityError::Empty));
    }

    #[test]
    fn the_strongest_type_comes_first_and_weak_types_do_not_join() {
        assert!(IdentityType::Phone < IdentityType::WechatUnionid);
        assert!(IdentityType::WechatOpenid < IdentityType::CustomerNo);
        assert_eq!(IdentityType::parse("payment_account").unwrap().strength(), Strength::Weak);
        assert_eq!(IdentityType::parse("shipping_contact").unwrap().strength(), Strength::Weak);
        assert_eq!(IdentityType::parse("passport"), None);
    }

    #[test]
    fn the_same_openid_of_two_apps_is_two_identities() {
        let of = |app: &str| Identity { issuer: Some(app.into()), ..identity("wechat_openid", "o6_bm") };
        let normal = |it: &Identity| normalise(it, country::CN).unwrap();
        assert_ne!(normal(&of("app-1")), normal(&of("app-2")));
    }
}
