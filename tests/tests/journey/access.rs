//! Whoever loses access loses it everywhere: the gateway removes a client, and every other process refuses its tokens.

use serde_json::json;
use system_tests::shop::text;
use system_tests::{Deployment, Topology, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_removed_client_open_nothing_in_any_process() {
    let deployment = Deployment::start(Topology::ProcessPerRole, &[]).await;
    let admin = deployment.administrator().await;
    let body = json!({ "client_id": "leaver", "name": "Leaves", "permissions": ["*"] });
    let leaver = async || {
        let made = admin.post("/v1/clients", &body).await.status(201);
        deployment.client("leaver", &text(&made["client_secret"])).await
    };
    let paths = ["/v1/channels", "/v1/skus", "/v1/locations", "/v1/orders", "/v1/points/rules/default", "/v1/payees/x"];
    let known = |status: u16| status == 200 || status == 404;
    let first = leaver().await;
    for path in paths {
        assert!(known(first.get(path).await.status), "{path}");
    }

    admin.delete("/v1/clients/leaver").await.status(204);

    for path in paths {
        until(&format!("{path} is closed to the client"), async || {
            let answer = first.get(path).await;
            if answer.status == 401 { Ok(()) } else { Err(answer.status) }
        })
        .await;
    }
    // Made anew, it gets in; the token from before still does not.
    let second = leaver().await;
    for path in paths {
        assert!(known(second.get(path).await.status), "{path}");
        first.get(path).await.problem(401, "unauthenticated");
    }
}
