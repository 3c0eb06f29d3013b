//! The catalogue over HTTP.

mod import;
mod skus;

use service::Platform;
use utoipa::OpenApi;
use web::{Access, Route, Routes, with_state};

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(skus::put, skus::get, skus::list, import::import, import::export),
    tags((name = "product", description = "What may be sold"))
)]
pub struct Document;

/// The routes with what they need.
pub fn routes(platform: &Platform) -> Routes {
    let (read, write) = (Access::Permission("sku:read"), Access::Permission("sku:write"));
    with_state(
        platform.store.clone(),
        vec![
            Route::get("/v1/skus", read, skus::list),
            Route::get("/v1/skus/export", read, import::export),
            Route::post("/v1/skus/import", write, import::import),
            Route::get("/v1/skus/{sku}", read, skus::get),
            Route::put("/v1/skus/{sku}", write, skus::put),
        ],
    )
}
