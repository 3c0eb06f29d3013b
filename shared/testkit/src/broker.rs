//! A virtual host per test: its own exchanges and queues on the test run's RabbitMQ.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{address, unique};

/// A virtual host that lives as long as the value.
#[derive(Debug)]
pub struct TestBroker {
    vhost: String,
    admin: Admin,
}

impl TestBroker {
    /// Makes a virtual host.
    pub fn new() -> Self {
        let (vhost, admin) = (unique("test"), Admin::from_environment());
        admin.must("PUT", &format!("/api/vhosts/{vhost}"), "{}");
        let everything = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        admin.must("PUT", &format!("/api/permissions/{vhost}/{}", admin.user), everything);
        Self { vhost, admin }
    }

    /// `amqp://…`, with the virtual host.
    pub fn url(&self) -> String {
        format!("{}/{}", address("ONEPOOL_TEST_AMQP").trim_end_matches('/'), self.vhost)
    }

    /// What the management API answers to `GET /api/{what}/{vhost}`: `queues`, `exchanges`, `bindings`. Counts of
    /// messages in it lag behind by seconds; declare a queue passively for an exact one.
    pub fn list(&self, what: &str) -> serde_json::Value {
        let body = self.admin.must("GET", &format!("/api/{what}/{}", self.vhost), "");
        serde_json::from_str(&body).expect("the management API answers JSON")
    }
}

impl Default for TestBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        // The servers of a test run are thrown away anyhow: a failing test must not fail twice.
        let _left_behind = self.admin.ask("DELETE", &format!("/api/vhosts/{}", self.vhost), "");
    }
}

/// The management API, asked without a client library so that it can also be asked while a test unwinds.
#[derive(Debug)]
struct Admin {
    authority: String,
    user: String,
    password: String,
}

impl Admin {
    fn from_environment() -> Self {
        let url = address("ONEPOOL_TEST_AMQP_ADMIN");
        let parts = url.strip_prefix("http://").and_then(|rest| rest.trim_end_matches('/').split_once('@'));
        let (login, authority) = parts.expect("ONEPOOL_TEST_AMQP_ADMIN is http://user:password@host:port");
        let (user, password) =
            login.split_once(':').expect("ONEPOOL_TEST_AMQP_ADMIN is http://user:password@host:port");
        Self { authority: authority.to_owned(), user: user.to_owned(), password: password.to_owned() }
    }

    fn must(&self, method: &str, path: &str, body: &str) -> String {
        let (status, answer) =
            self.ask(method, path, body).expect("the management API of the test broker is reachable");
        assert!((200..300).contains(&status), "{method} {path} was answered with {status}: {answer}");
        answer
    }

    /// HTTP/1.0, so that the answer ends with the connection and is never chunked.
    fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let login = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut link = TcpStream::connect(&self.authority)?;
        write!(
            link,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Basic {login}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            body.len()
        )?;
        let mut answer = String::new();
        link.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Ok((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
    }
}
