//! A client that is removed is refused everywhere, at once.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use kernel::Timestamp;
use serde_json::Value;
use testkit::wait::eventually_within;
use testkit::{Reply, TestService, redis_url};

use crate::{ask, create};

const HOME: [u8; 4] = [192, 0, 2, 1];

async fn read_channels(gateway: &TestService, token: &str) -> Reply {
    gateway
        .send(TestRequest::get().uri("/v1/channels").insert_header(("Authorization", format!("Bearer {token}"))))
        .await
}

#[actix_web::test]
async fn removing_a_client_in_one_process_ends_its_tokens_in_another() {
    let redis = redis_url();
    let settings = [("CACHE__URL", redis.as_str())];
    let (one, other) = (
        TestService::with(&gateway::DESCRIPTOR, &settings).await,
        TestService::with(&gateway::DESCRIPTOR, &settings).await,
    );
    // Tests share the Redis, so the client's name is this test's own.
    let client = format!("till-{}", kernel::id::uuid_at(Timestamp::EPOCH).simple());
    create(&one, &client).await;
    let (till, neighbour) =
        (other.credentials.claims(&client, "channel:read"), other.credentials.claims("neighbour", "*"));
    assert_eq!(other.call_as(&till, Method::GET, "/v1/channels", Value::Null).await.status, 200);

    assert_eq!(one.call(Method::DELETE, &format!("/v1/clients/{client}"), Value::Null).await.status, 204);

    let refused = eventually_within(Duration::from_secs(2), "the other process refuses the token", async || {
        let reply = other.call_as(&till, Method::GET, "/v1/channels", Value::Null).await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (401, Some("unauthenticated")), "{}", refused.text);
    assert_eq!(other.call_as(&neighbour, Method::GET, "/v1/channels", Value::Null).await.status, 200);
}

#[actix_web::test]
async fn a_client_made_anew_is_believed_again_and_its_old_tokens_are_not() {
    let gateway = TestService::new(&gateway::DESCRIPTOR).await;
    create(&gateway, "till").await;
    let old = gateway.credentials.token("till", "channel:read").unwrap();
    assert_eq!(read_channels(&gateway, &old).await.status, 200);
    assert_eq!(gateway.call(Method::DELETE, "/v1/clients/till", Value::Null).await.status, 204);
    // No time passes meanwhile: the new token is issued in the second of the revocation.
    let secret = create(&gateway, "till").await;
    assert_eq!(ask(&gateway, "till", &secret, HOME).await.status, 200);
    eventually_within(Duration::from_secs(2), "the old token is refused", async || {
        (read_channels(&gateway, &old).await.status == 401).then_some(())
    })
    .await;
    gateway.test.clock.advance(Duration::from_secs(1));
    let new = gateway.credentials.token("till", "channel:read").unwrap();
    assert_eq!(read_channels(&gateway, &new).await.status, 200);
    assert_eq!(read_channels(&gateway, &old).await.status, 401);
}
