//! A JSON body that may be left out.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::Version;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use web::{Failure, Json};

/// As [`Json`]; no body at all means the default.
#[derive(Clone, Copy, Debug)]
pub struct Optional<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for Optional<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if is_absent(request) {
            return Box::pin(std::future::ready(Ok(Self(T::default()))));
        }
        let body = Json::<T>::from_request(request, payload);
        Box::pin(async move { body.await.map(|Json(body)| Self(body)) })
    }
}

/// Before HTTP/2 a request without a length and without chunks has no body (RFC 9112, section 6.3).
fn is_absent(request: &HttpRequest) -> bool {
    match request.headers().get(CONTENT_LENGTH) {
        Some(length) => length == "0",
        None => request.version() < Version::HTTP_2 && !request.headers().contains_key(TRANSFER_ENCODING),
    }
}
