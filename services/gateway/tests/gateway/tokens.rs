//! Guessing secrets is not worth the while.

use std::time::Duration;

use testkit::{Reply, TestService};

use crate::{ask, create};

const HOME: [u8; 4] = [192, 0, 2, 1];
const ELSEWHERE: [u8; 4] = [192, 0, 2, 2];

async fn guess(gateway: &TestService, client_id: &str, times: usize) {
    for _ in 0..times {
        let reply = ask(gateway, client_id, "guess", HOME).await;
        assert_eq!((reply.status, reply.body["code"].as_str()), (401, Some("invalid_client")), "{}", reply.text);
    }
}

fn refused(reply: &Reply, retry_after: &str) {
    assert_eq!((reply.status, reply.body["code"].as_str()), (429, Some("rate_limited")), "{}", reply.text);
    assert_eq!(reply.header("retry-after"), Some(retry_after));
}

#[actix_web::test]
async fn after_ten_wrong_secrets_a_client_waits_until_the_minute_is_over() {
    let gateway = TestService::new(&gateway::DESCRIPTOR).await;
    let (till, other) = (create(&gateway, "till").await, create(&gateway, "other").await);
    guess(&gateway, "till", 1).await;
    gateway.test.clock.advance(Duration::from_secs(20));
    guess(&gateway, "till", 9).await;
    refused(&ask(&gateway, "till", "guess", ELSEWHERE).await, "40");
    refused(&ask(&gateway, "till", &till, HOME).await, "40");
    assert_eq!(ask(&gateway, "other", &other, HOME).await.status, 200, "others are not held up");
    gateway.test.clock.advance(Duration::from_secs(40));
    assert_eq!(ask(&gateway, "till", &till, HOME).await.status, 200);
}

#[actix_web::test]
async fn a_right_secret_starts_the_count_anew() {
    let gateway = TestService::new(&gateway::DESCRIPTOR).await;
    let till = create(&gateway, "till").await;
    guess(&gateway, "till", 9).await;
    assert_eq!(ask(&gateway, "till", &till, HOME).await.status, 200);
    guess(&gateway, "till", 9).await;
    assert_eq!(ask(&gateway, "till", &till, HOME).await.status, 200);
}

#[actix_web::test]
async fn unknown_clients_are_counted_as_known_ones_are() {
    let gateway = TestService::new(&gateway::DESCRIPTOR).await;
    guess(&gateway, "nobody", 10).await;
    refused(&ask(&gateway, "nobody", "guess", HOME).await, "60");
}

#[actix_web::test]
async fn an_address_that_tries_many_clients_is_refused_for_all_of_them() {
    let settings = [("GATEWAY__TOKEN_FAILURES_PER_ADDRESS", "3")];
    let gateway = TestService::with(&gateway::DESCRIPTOR, &settings).await;
    let till = create(&gateway, "till").await;
    for client in ["ann", "ben", "cleo"] {
        guess(&gateway, client, 1).await;
    }
    refused(&ask(&gateway, "till", &till, HOME).await, "60");
    assert_eq!(ask(&gateway, "till", &till, ELSEWHERE).await.status, 200);
}

#[actix_web::test]
async fn many_guesses_at_once_are_no_way_round_the_limit() {
    let gateway = TestService::new(&gateway::DESCRIPTOR).await;
    let guesses = (0..60).map(|_| ask(&gateway, "till", "guess", HOME));
    let replies = futures_util::future::join_all(guesses).await;
    let tried = replies.iter().filter(|reply| reply.status == 401).count();
    // Up to eight secrets are checked at once, so seven more may have begun before the tenth had failed.
    assert!((10..=17).contains(&tried), "{tried} were tried");
}
