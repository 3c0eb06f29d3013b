//! `/openapi.json` and the page to read it on, `/docs`, which loads nothing from elsewhere.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::edge::unknown_path;
use crate::failure::Failure;

/// The page sets styles and draws its icons inline; scripts come from here alone.
const PAGE_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// Serves the document and the page.
pub(crate) fn register(config: &mut ServiceConfig, document: &Bytes) {
    let document = document.clone();
    let page = Arc::new(Config::from("/openapi.json"));
    let send = web::get().to(move || {
        let answer = HttpResponse::Ok().content_type("application/json").body(document.clone());
        std::future::ready(answer)
    });
    let enter = || web::get().to(|| async { HttpResponse::Found().insert_header((LOCATION, "/docs/")).finish() });
    let file = web::get().to(move |file: web::Path<String>| serve(file.into_inner(), Arc::clone(&page)));
    config
        .service(Resource::new("/openapi.json").route(send))
        // A person who opens the address that the program prints wants the page.
        .service(Resource::new("/").route(enter()))
        .service(Resource::new("/docs").route(enter()))
        .service(Resource::new("/docs/{file:.*}").route(file));
}

async fn serve(file: String, page: Arc<Config<'static>>) -> Result<HttpResponse, Failure> {
    let Some(found) = utoipa_swagger_ui::serve(&file, page).map_err(Failure::internal)? else {
        return Ok(unknown_path().await);
    };
    let mut answer = HttpResponse::Ok();
    answer.content_type(found.content_type);
    answer.insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY)).insert_header((CACHE_CONTROL, "no-cache"));
    if found.gzpipped {
        answer.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(answer.body(found.bytes.into_owned()))
}

/// The document as it is sent.
pub(crate) fn written(document: &OpenApi) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(document).map(Bytes::from)
}
