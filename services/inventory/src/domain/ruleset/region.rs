//! Regions as a tier names them: relative to the destination, or by the code of an administrative division.

use serde::{Deserialize, Serialize};

/// `same_city`, `same_province`, or the first two to six digits of a division's code (GB/T 2260).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Region {
    /// In the destination's city.
    SameCity,
    /// In the destination's province.
    SameProvince,
    /// In a division whose code begins so.
    Division(String),
}

impl TryFrom<String> for Region {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "same_city" => Ok(Self::SameCity),
            "same_province" => Ok(Self::SameProvince),
            digits if (2..=6).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit()) => {
                Ok(Self::Division(text))
            }
            _ => Err("a region is same_city, same_province or the first two to six digits of a division's code"),
        }
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        match region {
            Region::SameCity => "same_city".to_owned(),
            Region::SameProvince => "same_province".to_owned(),
            Region::Division(code) => code,
        }
    }
}
