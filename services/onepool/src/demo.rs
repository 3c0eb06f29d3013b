//! Demo data, loaded over the same API that everyone uses.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, RequestBuilder};
use runtime::secrets::ExposeSecret;
use runtime::settings::AuthSettings;
use serde_json::{Value, json};

use crate::terminal::say;

/// One request per line: method, path and body.
const STEPS: &str = include_str!("demo.ndjson");
/// The last thing that is loaded: where it is, everything is. Idempotency keys are forgotten sooner than demos are kept.
const LAST: &str = "/v1/orders?channel=tmall&channel_order_no=DEMO-1002";
/// How long the server may take until it is ready.
const START: Duration = Duration::from_secs(60);

/// Loads the demo data as the administrator of this process.
pub async fn seed_as_administrator(url: &str, auth: &AuthSettings, data_dir: &Path) -> anyhow::Result<()> {
    let administrator = gateway::bootstrap::administrator(auth, data_dir)?;
    seed(url, &administrator.client_id, administrator.client_secret.expose_secret()).await
}

/// Loads the demo data into a running OnePool; loading it again changes nothing.
pub async fn seed(url: &str, client_id: &str, client_secret: &str) -> anyhow::Result<()> {
    let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
    wait_until_ready(&client, url).await?;
    let request = client.post(format!("{url}/oauth/token")).basic_auth(client_id, Some(client_secret));
    let token = send(request.body("grant_type=client_credentials")).await.context("no token")?;
    let token = token.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let last =
        send(client.get(format!("{url}{LAST}")).bearer_auth(&token)).await.context("no answer on the demo's orders")?;
    if last.get("items").and_then(Value::as_array).is_some_and(|orders| !orders.is_empty()) {
        return say("the demo data is there already");
    }
    let mut count: usize = 0;
    for line in STEPS.lines().filter(|line| !line.trim().is_empty()) {
        let step: Value = serde_json::from_str(line)?;
        let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
        let (method, path) = (text("method"), text("path"));
        let request = client.request(method.parse()?, format!("{url}{path}")).bearer_auth(&token);
        let request = request.header("Idempotency-Key", format!("demo-{count}"));
        send(request.json(step.get("body").unwrap_or(&json!({})))).await.with_context(|| format!("{method} {path}"))?;
        count = count.saturating_add(1);
    }
    say(&format!("loaded the demo data in {count} requests"))
}

async fn wait_until_ready(client: &Client, url: &str) -> anyhow::Result<()> {
    let waited = tokio::time::timeout(START, async {
        loop {
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.with_context(|| format!("{url} was not ready within {} s", START.as_secs()))
}

async fn send(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {body}");
    }
    Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
}
