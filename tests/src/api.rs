//! A client of the HTTP API, as a connector or a till would write one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::process::unique;
use crate::wait::Wait;

/// No answer takes longer than what `Prefer: wait` may hold back, and some.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Which address answers for which path: one for all, or what an Ingress would do for a process per role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hosts(HashMap<String, String>);

impl Hosts {
    /// Every role at one port.
    pub fn single(port: u16) -> Self {
        Self(HashMap::from([(String::new(), at(port))]))
    }

    /// Every role at one address, such as that of an Ingress.
    pub fn at(url: &str) -> Self {
        Self(HashMap::from([(String::new(), url.trim_end_matches('/').to_owned())]))
    }

    /// A port per role.
    pub fn per_role(ports: impl Iterator<Item = (&'static str, u16)>) -> Self {
        Self(ports.map(|(role, port)| (role.to_owned(), at(port))).collect())
    }

    /// The address of a role.
    pub fn of_role(&self, role: &str) -> &str {
        self.0.get(role).or_else(|| self.0.get("")).expect("every role has an address")
    }

    fn of_path(&self, path: &str) -> &str {
        self.of_role(role_of(path))
    }
}

fn at(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The role that answers for a path, as the Ingress routes it.
fn role_of(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["v1", "channels", _, "listings", ..] | ["v1", "skus" | "price-lists" | "prices", ..] => "product",
        ["v1", "orders", _, "sourcing"] => "inventory",
        ["v1", "locations" | "stock" | "availability" | "sharing-rules" | "reservations" | "sourcing", ..]
        | ["v1", "receipts" | "transfers" | "counts" | "backorders", ..] => "inventory",
        [
            "v1",
            "orders" | "order-holds" | "order-blacklist" | "order-hold-rules" | "fulfilments" | "returns" | "pos",
            ..,
        ] => "order",
        ["v1", "members" | "member-merges" | "points" | "tier-programs" | "segments" | "coupons" | "rewards", ..]
        | ["v1", "blacklist" | "channel-balances", ..] => "member",
        ["v1", "payees" | "bindings" | "rebate", ..] => "rebate",
        _ => "gateway",
    }
}

/// An answer: its status, its body, and what was asked for messages.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a text where it is no JSON.
    pub body: Value,
    asked: String,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} was answered with {}: {}", self.asked, self.status, self.body);
        self.body
    }

    /// The body of this very status.
    #[track_caller]
    pub fn status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} was answered with {}", self.asked, self.body);
        self.body
    }

    /// The problem of a refusal with this code; every problem says of what kind it is, and quotes its trace.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}: {}", self.asked, self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.asked);
        assert_eq!(self.body["status"], status, "{}", self.asked);
        self.body
    }

    /// Whether it is worth asking again: the service, or something under it, was away.
    pub const fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }
}

/// A client with a token.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    hosts: Arc<Hosts>,
    token: String,
}

impl Api {
    /// Gets a token with client credentials.
    pub async fn login(hosts: Arc<Hosts>, client_id: &str, client_secret: &str) -> Self {
        let mut api = Self::with_token(hosts, "");
        let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret)];
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{key}={}", value.replace(' ', "+"))).collect();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = api.send_bytes(Method::POST, "/oauth/token", body.join("&").into_bytes(), &headers).await.ok();
        answer["access_token"].as_str().expect("an access token").clone_into(&mut api.token);
        api
    }

    /// Someone who has this token; none when it is empty.
    pub fn with_token(hosts: Arc<Hosts>, token: &str) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("a client with a timeout");
        Self { http, hosts, token: token.to_owned() }
    }

    /// The same client with a token of its own; one is good for a quarter of an hour.
    pub async fn renewed(&self, client_id: &str, client_secret: &str) -> Self {
        let token = Self::login(self.hosts.clone(), client_id, client_secret).await.token;
        Self { token, ..self.clone() }
    }

    /// Where it asks.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same client, which asks this address for what a role answers.
    #[must_use]
    pub fn via(&self, role: &str, url: &str) -> Self {
        let mut hosts = self.hosts.0.clone();
        hosts.insert(role.to_owned(), url.to_owned());
        Self { hosts: Arc::new(Hosts(hosts)), ..self.clone() }
    }

    /// The address of a role.
    pub fn host(&self, role: &str) -> &str {
        self.hosts.of_role(role)
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send_bytes(Method::GET, path, Vec::new(), &[]).await
    }

    /// Reads what is too long to be held as a JSON value; again while there is too much to do.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        let wait = Wait::until(&format!("GET {path} is answered"));
        loop {
            let request = self.authorised(self.http.get(format!("{}{path}", self.hosts.of_path(path))));
            let answer = request.send().await.unwrap_or_else(|error| panic!("GET {path} was not answered: {error:?}"));
            let status = answer.status();
            let body = answer.bytes().await.unwrap_or_else(|error| panic!("GET {path} broke off: {error:?}"));
            match status.as_u16() {
                429 | 502..=504 => wait.pause(status).await,
                200 => return serde_json::from_slice(&body).unwrap_or_else(|error| panic!("GET {path}: {error}")),
                _ => panic!("GET {path} was answered with {status}: {}", String::from_utf8_lossy(&body)),
            }
        }
    }

    /// Creates or acts.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body, &[]).await
    }

    /// Creates or replaces.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, body, &[]).await
    }

    /// Removes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send_bytes(Method::DELETE, path, Vec::new(), &[]).await
    }

    /// Sends lines of JSON, and answers the lines that come back.
    pub async fn post_lines(&self, path: &str, lines: &[Value]) -> Vec<Value> {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let headers = [("content-type", "application/x-ndjson")];
        let answer = self.send_bytes(Method::POST, path, body.into_bytes(), &headers).await;
        let asked = answer.asked.clone();
        let text = match answer.ok() {
            Value::String(text) => text,
            // A single line reads as JSON.
            one => return vec![one],
        };
        let parsed = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        parsed.unwrap_or_else(|error| panic!("{asked} answered lines that are no JSON ({error}): {text}"))
    }

    /// Sends JSON with headers.
    pub async fn send(&self, method: Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let with_type: Vec<(&str, &str)> =
            headers.iter().copied().chain([("content-type", "application/json")]).collect();
        self.send_bytes(method, path, body.to_string().into_bytes(), &with_type).await
    }

    /// Sends any bytes with headers.
    pub async fn send_bytes(&self, method: Method, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
        let asked = format!("{method} {path}");
        let sent = self.try_bytes(method, path, body, headers).await;
        sent.unwrap_or_else(|error| panic!("{asked} was not answered: {error:?}"))
    }

    /// Posts until it is answered by a service that has everything it needs, with one key for all tries: so it happens
    /// once, and the answer is the one it had then.
    pub async fn persist(&self, path: &str, body: &Value) -> Answer {
        let key = unique();
        let headers = [("content-type", "application/json"), ("idempotency-key", &key)];
        let body = body.to_string().into_bytes();
        let wait = Wait::until(&format!("POST {path} is answered"));
        loop {
            match self.try_bytes(Method::POST, path, body.clone(), &headers).await {
                Ok(answer) if !answer.is_passing() => return answer,
                Ok(answer) => wait.pause(answer.body).await,
                Err(error) => wait.pause(error).await,
            }
        }
    }

    /// Reads until what is read is as expected, and answers it; the link may break meanwhile.
    pub async fn get_until(&self, path: &str, what: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let wait = Wait::until(what);
        loop {
            match self.try_bytes(Method::GET, path, Vec::new(), &[]).await {
                Ok(answer) if answer.status == 200 && expected(&answer.body) => return answer.body,
                Ok(answer) => wait.pause(answer.body).await,
                Err(error) => wait.pause(error).await,
            }
        }
    }

    /// [`Api::send_bytes`], which may not be answered.
    pub async fn try_bytes(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Answer> {
        let asked = format!("{method} {path}");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header's name");
            map.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        let url = format!("{}{path}", self.hosts.of_path(path));
        let request = self.authorised(self.http.request(method, url)).headers(map).body(body);
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = String::from_utf8_lossy(&answer.bytes().await?).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body, asked })
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }
}

#[cfg(test)]
mod tests {
    use super::role_of;

    #[test]
    fn paths_reach_the_role_that_owns_them() {
        assert_eq!(role_of("/v1/orders/7"), "order");
        assert_eq!(role_of("/v1/orders/7/sourcing?why_not=A"), "inventory");
        assert_eq!(role_of("/v1/channels/tmall"), "gateway");
        assert_eq!(role_of("/v1/channels/tmall/listings/9"), "product");
        assert_eq!(role_of("/oauth/token"), "gateway");
    }
}
