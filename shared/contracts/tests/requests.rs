//! What requests share is strict, and turns into what events carry.

use contracts::Problem;
use contracts::events::Identity;
use contracts::requests::{Address, IdentityForm};
use kernel::GeoPoint;
use kernel::page::PageError;
use serde_json::{from_value, json};

#[test]
fn an_unknown_field_is_refused_by_its_name() {
    let error = from_value::<IdentityForm>(json!({"type": "phone", "value": "1", "colour": "red"})).unwrap_err();
    assert!(error.to_string().starts_with("unknown field `colour`"), "{error}");
    let error = from_value::<Address>(json!({"country": "CN", "colour": "red"})).unwrap_err();
    assert!(error.to_string().starts_with("unknown field `colour`"), "{error}");
}

#[test]
fn an_identity_is_told_as_it_was_given() {
    let given = json!({"type": "wechat_openid", "value": "o1", "issuer": "wx1", "scope": "s"});
    let told = Identity::from(from_value::<IdentityForm>(given.clone()).unwrap());
    assert_eq!(serde_json::to_value(told).unwrap(), given);
}

#[test]
fn an_address_lies_where_both_degrees_say() {
    let at = |latitude, longitude| Address { latitude, longitude, ..Address::default() };
    assert_eq!(at(Some(31.2), Some(121.4)).point(), Ok(Some(GeoPoint::new(31.2, 121.4).unwrap())));
    assert_eq!(at(Some(31.2), None).point(), Ok(None));
    assert!(at(Some(91.0), Some(0.0)).point().is_err());
}

#[test]
fn a_page_that_cannot_be_served_names_its_parameter() {
    let field = |error: PageError| Problem::from(error).errors.remove(0).field;
    assert_eq!((field(PageError::Limit).as_str(), field(PageError::Cursor).as_str()), ("limit", "cursor"));
}
