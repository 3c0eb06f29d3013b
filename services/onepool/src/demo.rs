//! Demo data, loaded over the same API that everyone uses.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder};
use runtime::secrets::ExposeSecret;
use runtime::settings::AuthSettings;
use serde_json::{Value, json};

use crate::terminal::say;

/// One request per line: method, path and body.
const STEPS: &str = include_str!("demo.ndjson");
/// The last thing that is loaded: where it is, everything is. Idempotency keys are forgotten sooner than demos are kept.
const LAST: &str = "/v1/orders?channel=tmall&channel_order_no=DEMO-1002";
/// The policy that the demo's orders earn by.
const POLICY: &str = "demo";
/// Who approves it.
const CHECKER: &str = "demo-checker";
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
    let administrator = Caller::login(&client, url, (client_id, client_secret)).await?;
    let last = administrator.get(LAST).await.context("no answer on the demo's orders")?;
    if !items(&last).is_empty() {
        return say("the demo data is there already");
    }
    let steps: Vec<Value> = STEPS.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (orders, setup): (Vec<_>, Vec<_>) =
        steps.iter().enumerate().partition(|(_, step)| text(step, "path") == "/v1/orders");
    administrator.take(&setup).await?;
    // What is ordered from then on earns by it.
    bring_policy_into_force(&administrator).await?;
    administrator.take(&orders).await?;
    say(&format!("loaded the demo data in {} requests", steps.len()))
}

/// A policy is approved by someone other than its maker, so another client is made for that, and removed again.
async fn bring_policy_into_force(maker: &Caller<'_>) -> anyhow::Result<()> {
    let found = maker.get(&format!("/v1/rebate/policies?code={POLICY}&limit=1")).await?;
    let policy = match items(&found).first() {
        Some(policy) => policy.clone(),
        None => maker.ask(Method::POST, "/v1/rebate/policies", &policy()).await?,
    };
    if text(&policy, "status") == "active" {
        return Ok(());
    }
    // An interrupted loading may have left it behind, with a secret that nobody knows.
    let checker = format!("/v1/clients/{CHECKER}");
    if maker.get(&checker).await.is_ok() {
        maker.ask(Method::DELETE, &checker, &Value::Null).await?;
    }
    let body = json!({ "client_id": CHECKER, "name": "Approves the demo's policy", "permissions": ["rebate:*"] });
    let made = maker.ask(Method::POST, "/v1/clients", &body).await?;
    let approver = Caller::login(maker.client, maker.url, (CHECKER, text(&made, "client_secret"))).await?;
    let path = format!("/v1/rebate/policies/{}", text(&policy, "id"));
    if text(&policy, "status") == "draft" {
        approver.ask(Method::POST, &format!("{path}/approve"), &json!({})).await?;
    }
    approver.ask(Method::POST, &format!("{path}/activate"), &json!({})).await?;
    maker.ask(Method::DELETE, &checker, &Value::Null).await?;
    Ok(())
}

/// 3 % to the guide, 1.5 % to the store and 2 % to the dealer behind it, of what was paid.
fn policy() -> Value {
    json!({ "code": POLICY, "name": "演示返利政策", "document": { "basis": "paid", "shares": [
        { "role": "guide", "rate_ppm": 30_000 },
        { "role": "store", "rate_ppm": 15_000 },
        { "role": "dealer", "rate_ppm": 20_000 },
    ] } })
}

/// Someone with a token.
struct Caller<'c> {
    client: &'c Client,
    url: &'c str,
    token: String,
}

impl<'c> Caller<'c> {
    async fn login(client: &'c Client, url: &'c str, (id, secret): (&str, &str)) -> anyhow::Result<Self> {
        let request = client.post(format!("{url}/oauth/token")).basic_auth(id, Some(secret));
        let granted = send(request.body("grant_type=client_credentials")).await.context("no token")?;
        Ok(Self { client, url, token: text(&granted, "access_token").to_owned() })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, &Value::Null).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        send(request).await.with_context(|| format!("{method} {path}"))
    }

    /// Each step has a key of its own, so that what an interrupted loading did is not done twice.
    async fn take(&self, steps: &[(usize, &Value)]) -> anyhow::Result<()> {
        for (number, step) in steps {
            let (method, path) = (text(step, "method"), text(step, "path"));
            let request = self.client.request(method.parse()?, format!("{}{path}", self.url)).bearer_auth(&self.token);
            let request = request.header("Idempotency-Key", format!("demo-{number}"));
            let body = step.get("body").cloned().unwrap_or_else(|| json!({}));
            send(request.json(&body)).await.with_context(|| format!("{method} {path}"))?;
        }
        Ok(())
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
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
