//! Shapes that request bodies of several services share.
//!
//! They are strict: a field that is not known is refused by its name. Events only ever expand, so none of these stands in
//! one; each is converted into its counterpart in [`events`](crate::events).

use kernel::GeoPoint;
use kernel::geo::GeoError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::events::Identity;

/// One identity of a person: a phone, a WeChat unionid, a till card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityForm {
    /// What it is: `phone`, `wechat_unionid`, `wechat_openid`, `wecom_external_id`, `tmall_union_id`, `douyin_open_id`,
    /// `jd_pin`, `till_card`, `payment_account`, `shipping_contact`, `customer_no`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value as the channel gives it.
    pub value: String,
    /// Who issued it, where that matters (an app id, a shop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Within what it is unique, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl From<IdentityForm> for Identity {
    fn from(form: IdentityForm) -> Self {
        let IdentityForm { kind, value, issuer, scope } = form;
        Self { kind, value, issuer, scope }
    }
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Whom to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Country; an order's address has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// District.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// Street and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Postcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Administrative division code (GB/T 2260).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adcode: Option<String>,
    /// Degrees north, together with `longitude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east, together with `latitude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
}

impl Address {
    /// Where it is on the map, if it says so.
    pub fn point(&self) -> Result<Option<GeoPoint>, GeoError> {
        let both = self.latitude.zip(self.longitude);
        both.map(|(latitude, longitude)| GeoPoint::new(latitude, longitude)).transpose()
    }
}
