//! Tokens that must not be believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::Claims;
use crate::keys::{Signer, generate_pem};

async fn status(shop: &Shop, token: &str) -> u16 {
    let reply = shop.send(get("/v1/orders").insert_header(("authorization", format!("Bearer {token}")))).await;
    if reply.status == 401 {
        assert_eq!(reply.problem(), "unauthenticated");
    }
    reply.status.as_u16()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[actix_web::test]
async fn a_token_expires_also_when_it_was_verified_before() {
    let shop = Shop::open();
    let token = shop.token("*");
    assert_eq!(status(&shop, &token).await, 200);
    shop.clock.advance(899);
    assert_eq!(status(&shop, &token).await, 200);
    shop.clock.advance(1);
    assert_eq!(status(&shop, &token).await, 401);
}

#[actix_web::test]
async fn a_token_that_has_expired_is_refused() {
    let shop = Shop::open();
    let claims = shop.credentials.claims("client-1", "*");
    let token = shop.credentials.signer().sign(&Claims { exp: claims.iat, ..claims }).unwrap();
    assert_eq!(status(&shop, &token).await, 401);
}

#[actix_web::test]
async fn a_token_signed_by_another_key_is_refused_also_under_our_keys_name() {
    let shop = Shop::open();
    let claims = shop.credentials.claims("client-1", "*");
    let forged = Signer::from_pem(&generate_pem()).unwrap().sign(&claims).unwrap();
    assert_eq!(status(&shop, &forged).await, 401);
    let ours = shop.token("*");
    let (header, _) = ours.split_once('.').unwrap();
    let (_, forged) = forged.split_once('.').unwrap();
    assert_eq!(status(&shop, &format!("{header}.{forged}")).await, 401);
}

#[actix_web::test]
async fn a_token_with_changed_claims_is_refused() {
    let shop = Shop::open();
    let token = shop.token("order:none");
    let parts: Vec<&str> = token.split('.').collect();
    let raised = encode(&serde_json::to_value(shop.credentials.claims("client-1", "*")).unwrap());
    assert_eq!(status(&shop, &format!("{}.{raised}.{}", parts[0], parts[2])).await, 401);
}

#[actix_web::test]
async fn unsigned_and_symmetric_tokens_are_refused() {
    let shop = Shop::open();
    let kid = &serde_json::to_value(shop.credentials.signer().jwks()).unwrap()["keys"][0];
    let claims = encode(&serde_json::to_value(shop.credentials.claims("client-1", "*")).unwrap());
    for header in
        [json!({"alg": "none"}), json!({"alg": "none", "kid": kid["kid"]}), json!({"alg": "None", "typ": "JWT"})]
    {
        assert_eq!(status(&shop, &format!("{}.{claims}.", encode(&header))).await, 401);
    }
    // The classic confusion: the public key, which everybody knows, as an HMAC secret.
    let header = jsonwebtoken::Header {
        kid: Some(kid["kid"].as_str().unwrap().to_owned()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let secret = URL_SAFE_NO_PAD.decode(kid["x"].as_str().unwrap()).unwrap();
    let key = jsonwebtoken::EncodingKey::from_secret(&secret);
    let token = jsonwebtoken::encode(&header, &shop.credentials.claims("client-1", "*"), &key).unwrap();
    assert_eq!(status(&shop, &token).await, 401);
}

#[actix_web::test]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    let shop = Shop::open();
    let sign = |claims: Claims| shop.credentials.signer().sign(&claims).unwrap();
    let claims = || shop.credentials.claims("client-1", "*");
    assert_eq!(status(&shop, &sign(Claims { iss: "elsewhere".to_owned(), ..claims() })).await, 401);
    assert_eq!(status(&shop, &sign(Claims { aud: Some("another shop".to_owned()), ..claims() })).await, 401);
}

#[actix_web::test]
async fn a_token_that_lacks_what_it_must_say_is_refused() {
    let shop = Shop::open();
    let key = |pem: &str| jsonwebtoken::EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
    let pem = generate_pem();
    let signer = Signer::from_pem(&pem).unwrap();
    let issuer = crate::keys::Issuer {
        name: "i".to_owned(),
        audience: None,
        clock_skew_seconds: 0,
        keys: crate::keys::KeySource::Given(signer.jwks()),
    };
    let verifier = crate::keys::Verifier::new(vec![issuer], shop.clock.clone());
    let id = signer.jwks().keys[0].common.key_id.clone();
    let header = jsonwebtoken::Header { kid: id, ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA) };
    let sign = |claims: &Value| jsonwebtoken::encode(&header, claims, &key(&pem)).unwrap();
    let whole = json!({"iss": "i", "sub": "c", "exp": 4_000_000_000_u64, "scope": "*"});
    assert!(verifier.verify(&sign(&whole)).await.is_ok());
    for missing in ["iss", "sub", "exp"] {
        let mut claims = whole.clone();
        claims.as_object_mut().unwrap().remove(missing);
        assert!(verifier.verify(&sign(&claims)).await.is_err(), "{missing}");
    }
    let mut later = whole.clone();
    later["nbf"] = json!(3_999_999_999_u64);
    assert!(verifier.verify(&sign(&later)).await.is_err());
}

#[actix_web::test]
async fn what_is_no_token_at_all_is_refused() {
    let shop = Shop::open();
    let long = "a".repeat(1 << 20);
    for token in ["x", "..", "a.b.c", "....", "e30.e30.e30", long.as_str()] {
        let request = get("/v1/orders").insert_header(("authorization", format!("Bearer {token}").into_bytes()));
        assert_eq!(shop.send(request).await.status, 401, "{}", token.len());
    }
}

#[test]
fn a_key_is_read_back_and_names_itself() {
    let pem = generate_pem();
    let signer = Signer::from_pem(&pem).unwrap();
    assert_eq!(signer.jwks(), Signer::from_pem(&pem).unwrap().jwks());
    let document = serde_json::to_value(signer.jwks()).unwrap();
    let key = &document["keys"][0];
    assert_eq!((key["kty"].as_str(), key["crv"].as_str()), (Some("OKP"), Some("Ed25519")));
    assert_eq!((key["alg"].as_str(), key["use"].as_str()), (Some("EdDSA"), Some("sig")));
    assert!(key.get("d").is_none(), "the private half stays");
    assert_ne!(pem, generate_pem());
    assert!(Signer::from_pem("no key").is_err());
}
