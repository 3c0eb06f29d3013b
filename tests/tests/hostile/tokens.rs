//! Tokens that are no tokens: expired, meant for others, tampered with, signed by strangers.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::victim;

/// What DER puts before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 10.3).
const PKCS8_ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_but_a_true_one_opens_anything() {
    let (victim, shop) = victim().await;
    let parts: Vec<&str> = shop.api.token().split('.').collect();
    let (head, claims) = (read(parts[0]), read(parts[1]));
    let with = |changes: Value| {
        let mut changed = claims.clone();
        changes.as_object().expect("an object").iter().for_each(|(key, value)| changed[key] = value.clone());
        changed
    };
    let ours = EncodingKey::from_ed_pem(victim.deployment.signing_key().as_bytes()).expect("the key of the deployment");
    let seed = [7; 32];
    let der = [&PKCS8_ED25519[..], &seed[..]].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let theirs = EncodingKey::from_ed_pem(pem.as_bytes()).expect("an Ed25519 key");
    let header = Header { kid: head["kid"].as_str().map(ToOwned::to_owned), ..Header::new(Algorithm::EdDSA) };
    let sign =
        |claims: &Value, key: &EncodingKey| jsonwebtoken::encode(&header, claims, key).expect("it can be signed");
    let now = claims["iat"].as_i64().expect("an instant");
    let shared = EncodingKey::from_secret(head["kid"].as_str().expect("a key id").as_bytes());
    let symmetric = Header { alg: Algorithm::HS256, ..header.clone() };
    let forged = [
        ("nothing", String::new()),
        ("no token", "open sesame".to_owned()),
        ("half a token", parts[..2].join(".")),
        ("expired", sign(&with(json!({ "iat": now - 7_200, "exp": now - 3_600 })), &ours)),
        ("without an end", sign(&with(json!({ "exp": null })), &ours)),
        ("of another issuer", sign(&with(json!({ "iss": "https://elsewhere.example" })), &ours)),
        ("for another audience", sign(&with(json!({ "aud": "bank" })), &ours)),
        ("signed by a stranger", sign(&claims, &theirs)),
        ("signed with what is public", jsonwebtoken::encode(&symmetric, &claims, &shared).expect("it can be signed")),
        ("not signed", format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), parts[1])),
        ("tampered with", format!("{}.{}.{}", parts[0], part(&with(json!({ "sub": "someone" }))), parts[2])),
    ];
    for (what, token) in forged {
        let caller = victim.deployment.bearer(&token);
        for path in ["/v1/orders", "/v1/stock", "/v1/skus", "/v1/members?identity=phone:1", "/v1/payees", "/v1/clients"]
        {
            let answer = caller.get(path).await;
            assert_eq!(answer.status, 401, "a token that is {what} opened {path}: {}", answer.body);
            answer.problem(401, "unauthenticated");
        }
    }
    // The same claims with the true key are let in: what was refused above was refused for its fault alone.
    victim.deployment.bearer(&sign(&claims, &ours)).get("/v1/orders").await.ok();
    victim.is_unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_get_no_token() {
    let (victim, shop) = victim().await;
    let stranger = victim.deployment.stranger();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask = async |body: &str| {
        stranger.send_bytes(reqwest::Method::POST, "/oauth/token", body.as_bytes().to_vec(), &form).await
    };
    let grant = "grant_type=client_credentials";
    ask(&format!("{grant}&client_id=admin&client_secret=guess")).await.problem(401, "invalid_client");
    ask(&format!("{grant}&client_id=nobody&client_secret=guess")).await.problem(401, "invalid_client");
    ask(&format!("{grant}&client_id=admin%00&client_secret=%ff")).await.problem(400, "malformed");
    ask("grant_type=password&username=admin&password=admin").await.problem(400, "malformed");
    ask("\u{0}").await.problem(400, "malformed");
    victim.is_unharmed(&shop).await;
}
