//! Bodies that are no JSON: forms, and bytes whose signature is checked before they are read.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use serde::de::DeserializeOwned;

use super::{malformed, nul};
use crate::Failure;
use crate::body::{media_type, read_whole};

/// An `application/x-www-form-urlencoded` body, as OAuth 2.0 sends it; refused as a [`Json`](super::Json) body is.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = media_type(request).is_none_or(|media_type| media_type == "application/x-www-form-urlencoded");
        let body = read_whole(request, payload);
        Box::pin(async move {
            if !is_form {
                let problem = Problem::new(ProblemCode::UnsupportedMediaType);
                return Err(problem.detail("send the body as application/x-www-form-urlencoded").into());
            }
            let body = body.await?;
            nul::refuse_in_form(&body)?;
            let source = serde_urlencoded::Deserializer::new(form_urlencoded::parse(&body));
            serde_path_to_error::deserialize(source).map(Self).map_err(|error| malformed(&error).into())
        })
    }
}

/// The body as it came, of any media type, at most [`Limits::body_bytes`](crate::Limits::body_bytes) long.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl FromRequest for RawBody {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_whole(request, payload);
        Box::pin(async move { Ok(Self(body.await?)) })
    }
}
