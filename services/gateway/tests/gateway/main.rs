//! The gateway as its clients see it, on a real database: how secrets are guarded and how tokens end.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

mod revoking;
mod tokens;

use std::net::SocketAddr;

use actix_web::test::TestRequest;
use serde_json::json;
use testkit::{Reply, TestService};

/// Makes a client that may read channels; answers its secret.
async fn create(gateway: &TestService, client_id: &str) -> String {
    let body = json!({ "client_id": client_id, "name": "A till", "permissions": ["channel:read"] });
    let made = gateway.post("/v1/clients", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.body["client_secret"].as_str().expect("a secret").to_owned()
}

/// Asks for a token from an address.
async fn ask(gateway: &TestService, client_id: &str, secret: &str, address: [u8; 4]) -> Reply {
    let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
    let request = TestRequest::post().uri("/oauth/token").peer_addr(SocketAddr::from((address, 4711)));
    gateway.send(request.set_form(form)).await
}
