//! Parameters in the path.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use serde::de::DeserializeOwned;

use super::nul;
use crate::Failure;

/// The path's parameters: a single value, a tuple in the order of the path, or a struct by name.
///
/// A value that does not parse is 400 `malformed`; an id that is no UUID therefore is not a 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T> Path<T> {
    /// The parameters themselves.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Path<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if let Err(problem) = nul::refuse_in_path(request) {
            return ready(Err(problem.into()));
        }
        let parsed = actix_web::web::Path::<T>::extract(request).into_inner();
        ready(parsed.map(|path| Self(path.into_inner())).map_err(|error| {
            Problem::new(ProblemCode::Malformed).detail(format!("the path could not be read: {error}")).into()
        }))
    }
}
