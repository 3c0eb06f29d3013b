//! Parameters in the query string.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use kernel::PageRequest;
use kernel::page::PageError;
use serde::de::DeserializeOwned;

use super::{malformed, nul};
use crate::Failure;

/// The query's parameters, as a struct; what does not parse is 400 `malformed` and names the parameter.
///
/// Every parameter of a query is a text until a field says what it is, so a flattened struct cannot hold numbers.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T> Query<T> {
    /// The parameters themselves.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = request.query_string().as_bytes();
        ready(nul::refuse_in_form(query).and_then(|()| parse(query)).map(Self).map_err(Failure::from))
    }
}

/// To follow the path costs as much as to read, so it is done only for a query that failed.
fn parse<T: DeserializeOwned>(query: &[u8]) -> Result<T, Problem> {
    let source = || serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
    T::deserialize(source()).map_err(|unlocated| match serde_path_to_error::deserialize::<_, T>(source()) {
        Err(error) => malformed(&error),
        Ok(_) => Problem::new(ProblemCode::Malformed).field("", unlocated.to_string()),
    })
}

/// The limit of the page that a list's query asks for, and where the page before ended.
pub fn page<K: DeserializeOwned>(limit: Option<i64>, cursor: Option<String>) -> Result<(i64, Option<K>), PageError> {
    let request = PageRequest { limit, cursor };
    Ok((request.limit()?, request.after()?))
}
