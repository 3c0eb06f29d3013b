//! A site without a socket, and tokens for it: what tests of handlers are made of.

use std::collections::BTreeSet;

use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::init_service;
use kernel::{Code, SharedClock};

use crate::edge::Edge;
use crate::keys::{Issuer, KeyError, KeySource, Signer, Verifier, generate_pem};
use crate::{Claims, Site};

/// The issuer of the tokens of tests.
const ISSUER: &str = "onepool-test";
/// How long a test's token is valid.
const LIFETIME_SECONDS: i64 = 900;

/// Signs and verifies the tokens of a test.
pub struct Credentials {
    signer: Signer,
    clock: SharedClock,
}

impl Credentials {
    /// With a key of its own.
    pub fn new(clock: SharedClock) -> Result<Self, KeyError> {
        Ok(Self { signer: Signer::from_pem(&generate_pem())?, clock })
    }

    /// The signer.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// A verifier of the tokens.
    pub fn verifier(&self) -> Verifier {
        let keys = KeySource::Given(self.signer.jwks());
        let issuer = Issuer { name: ISSUER.to_owned(), audience: None, clock_skew_seconds: 0, keys };
        Verifier::new(vec![issuer], self.clock.clone())
    }

    /// What a token of this client and these permissions says; to be changed before it is signed.
    pub fn claims(&self, client: &str, scope: &str) -> Claims {
        let now = self.clock.now().unix_micros().div_euclid(1_000_000);
        Claims {
            iss: ISSUER.to_owned(),
            sub: client.to_owned(),
            aud: None,
            iat: now,
            exp: now.saturating_add(LIFETIME_SECONDS),
            scope: scope.to_owned(),
            channels: None,
            locations: None,
            payees: None,
        }
    }

    /// A token of this client with these permissions and no bound.
    pub fn token(&self, client: &str, scope: &str) -> Result<String, KeyError> {
        self.signer.sign(&self.claims(client, scope))
    }

    /// A token that is bound to some locations, as a till's.
    pub fn token_at(&self, client: &str, scope: &str, locations: BTreeSet<Code>) -> Result<String, KeyError> {
        self.signer.sign(&Claims { locations: Some(locations), ..self.claims(client, scope) })
    }
}

/// The site as a service that takes requests directly: `actix_web::test::call_service(&service, request)`.
pub async fn service(
    site: &Site,
) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error> {
    let site = site.clone();
    init_service(App::new().configure(move |config| site.configure(config)).wrap(Edge)).await
}
