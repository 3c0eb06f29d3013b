//! People-facing keys: the caller's own SKU, location, channel and payee codes.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest code accepted, in characters: room for a joined bundle SKU, and still an index-friendly key.
pub const MAX_CODE_LENGTH: usize = 64;

/// A caller's own key: 1 to 64 characters, no control characters, no blank at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64)]
pub struct Code(Box<str>);

/// Why a text is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Nothing was given.
    #[error("a code must not be empty")]
    Empty,
    /// More than [`MAX_CODE_LENGTH`] characters.
    #[error("a code has at most {MAX_CODE_LENGTH} characters")]
    TooLong,
    /// A control character, or a blank at an end.
    #[error("a code has no control characters and no blank at either end")]
    Illegal,
}

impl Code {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        if text.is_empty() {
            return Err(CodeError::Empty);
        }
        if text.chars().count() > MAX_CODE_LENGTH {
            return Err(CodeError::TooLong);
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(CodeError::Illegal);
        }
        Ok(Self(text.into_boxed_str()))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::try_from(text.to_owned())
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0.into_string()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Code {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A stock keeping unit's code.
pub type SkuCode = Code;
/// A warehouse's, store's or dealer's code.
pub type LocationCode = Code;
/// A sales channel's code.
pub type ChannelCode = Code;
/// A payee's code: store, franchisee, dealer, guide, supplier or partner.
pub type PayeeCode = Code;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_keeps_what_the_caller_wrote() {
        assert_eq!("鞋-42 EU".parse::<Code>().unwrap().as_str(), "鞋-42 EU");
    }

    #[test]
    fn empty_long_and_blank_ended_codes_are_refused() {
        assert_eq!("".parse::<Code>(), Err(CodeError::Empty));
        assert_eq!("x".repeat(65).parse::<Code>(), Err(CodeError::TooLong));
        assert_eq!(" a".parse::<Code>(), Err(CodeError::Illegal));
        assert_eq!("a\u{0}b".parse::<Code>(), Err(CodeError::Illegal));
    }
}
