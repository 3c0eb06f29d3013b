//! The edge over HTTP.

mod channels;
mod clients;
mod token;

use runtime::settings::{AuthSettings, Faults};
use service::Platform;
use utoipa::OpenApi;
use web::{Access, Route, Routes, with_state};

use crate::attempts::Attempts;
use crate::keys::load_signer;
use crate::revoking::Revoker;
use crate::settings::GatewaySettings;

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(
        token::token, token::jwks, channels::put, channels::get, channels::list, clients::create, clients::list,
        clients::get, clients::remove
    ),
    tags((name = "gateway", description = "Channels, clients and tokens"))
)]
pub struct Document;

/// The routes with what they need.
pub fn routes(platform: &Platform) -> Result<Routes, Faults> {
    let auth: AuthSettings = platform.settings.section("auth")?;
    let signer = load_signer(&auth, &platform.data_dir)
        .map_err(|fault| Faults::one("auth.signing_key_file", fault.to_string()))?;
    let revoker = Revoker::new(&platform.cache, platform.clock.clone(), &auth);
    let attempts = Attempts::new(GatewaySettings::read(&platform.settings)?, platform.clock.clone());
    let issuer = token::TokenIssuer { store: platform.store.clone(), signer, auth, attempts, revoker: revoker.clone() };
    let (read_channels, write_channels) = (Access::Permission("channel:read"), Access::Permission("channel:write"));
    let (read_clients, write_clients) = (Access::Permission("client:read"), Access::Permission("client:write"));
    let mut routes = with_state(
        issuer,
        vec![
            Route::post("/oauth/token", Access::Open, token::token),
            Route::get("/.well-known/jwks.json", Access::Open, token::jwks),
        ],
    );
    routes.extend(with_state(
        platform.store.clone(),
        vec![
            Route::get("/v1/channels", read_channels, channels::list),
            Route::get("/v1/channels/{code}", read_channels, channels::get),
            Route::put("/v1/channels/{code}", write_channels, channels::put),
            Route::get("/v1/clients", read_clients, clients::list),
            Route::post("/v1/clients", write_clients, clients::create),
            Route::get("/v1/clients/{client_id}", read_clients, clients::get),
        ],
    ));
    let remover = clients::Remover { store: platform.store.clone(), revoker };
    routes.extend(with_state(remover, vec![Route::delete("/v1/clients/{client_id}", write_clients, clients::remove)]));
    Ok(routes)
}
