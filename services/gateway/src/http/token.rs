//! Tokens by client credentials (RFC 6749, section 4.4), and the keys that verify them.

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, Responder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contracts::{Problem, ProblemCode};
use runtime::settings::AuthSettings;
use serde::{Deserialize, Serialize};
use store::Store;
use utoipa::ToSchema;
use web::keys::Signer;
use web::{Claims, Data, Failure, Form, answer};

use crate::app::clients::authenticate;
use crate::attempts::Attempts;
use crate::domain::client::Client;
use crate::revoking::Revoker;
use crate::store::clients;

/// What issuing a token needs.
#[derive(Clone)]
pub struct TokenIssuer {
    /// Where the clients are.
    pub store: Store,
    /// Signs.
    pub signer: Signer,
    /// Issuer, audience and life time.
    pub auth: AuthSettings,
    /// Counts wrong secrets.
    pub attempts: Attempts,
    /// Knows what was revoked.
    pub revoker: Revoker,
}

/// A request for a token, as a form; the credentials may be in an `Authorization: Basic` header instead.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// Always `client_credentials`.
    #[serde(default)]
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The client's id.
    #[serde(default)]
    client_id: String,
    /// The client's secret.
    #[serde(default)]
    client_secret: String,
    /// Permissions separated by blanks; all that the client has, when left out.
    #[serde(default)]
    scope: String,
}

/// An access token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenAnswer {
    /// A JWT signed with EdDSA.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds it is valid.
    expires_in: u32,
    /// The permissions it carries, separated by blanks.
    scope: String,
}

/// Get an access token with client credentials
///
/// After ten wrong secrets in a minute the client id is answered 429 until that minute is over.
#[utoipa::path(post, path = "/oauth/token", tag = "gateway", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenAnswer), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 429, body = Problem)))]
pub async fn token(
    issuer: Data<TokenIssuer>,
    request: HttpRequest,
    body: Form<TokenRequest>,
) -> Result<impl Responder, Failure> {
    let mut form = body.0;
    if form.grant_type != "client_credentials" {
        return Err(Problem::new(ProblemCode::Malformed)
            .field("grant_type", "only client_credentials is offered")
            .into());
    }
    if let Some((id, secret)) = basic_credentials(&request) {
        (form.client_id, form.client_secret) = (id, secret);
    }
    let client_id = form.client_id.clone();
    let attempt = issuer.attempts.begin(&client_id, request.peer_addr().map(|address| address.ip())).await?;
    let issued = issuer.revoker.issue_second(&client_id).await;
    let found = issuer.store.read("find_client", move |tx| clients::find(tx, &client_id)).await?;
    let secret = form.client_secret;
    // Argon2 takes tens of milliseconds of pure computing, which must not hold up the requests beside it.
    let client = actix_web::web::block(move || authenticate(found, &secret)).await.map_err(Failure::internal)?;
    let Some(client) = client else {
        attempt.failed();
        return Err(Problem::new(ProblemCode::InvalidClient).into());
    };
    attempt.succeeded();
    let granted = client.granted(&form.scope).map_err(|excess| {
        Problem::new(ProblemCode::Malformed).field("scope", format!("the client does not have `{excess}`"))
    })?;
    let scope = granted.into_iter().collect::<Vec<_>>().join(" ");
    let access_token = issuer.sign(client, &scope, issued)?;
    let expires_in = issuer.auth.token_ttl_seconds;
    let body = TokenAnswer { access_token, token_type: "Bearer", expires_in, scope };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

impl TokenIssuer {
    fn sign(&self, client: Client, scope: &str, issued: i64) -> Result<String, Failure> {
        let claims = Claims {
            iss: self.auth.issuer.clone(),
            sub: client.client_id,
            aud: Some(self.auth.audience.clone()),
            iat: issued,
            exp: issued.saturating_add(i64::from(self.auth.token_ttl_seconds)),
            scope: scope.to_owned(),
            channels: client.channels,
            locations: client.locations,
            payees: client.payees,
        };
        self.signer.sign(&claims).map_err(Failure::internal)
    }
}

fn basic_credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    // No stored id holds a NUL, and the database takes none in a text.
    let text = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    text.split_once(':').filter(|_| !text.contains('\0')).map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

/// The keys that verify tokens
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "gateway", security(()),
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517)", content_type = "application/json")))]
pub async fn jwks(issuer: Data<TokenIssuer>) -> impl Responder {
    answer::ok(&issuer.signer.jwks())
}
