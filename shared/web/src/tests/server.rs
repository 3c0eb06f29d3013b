//! Over a socket: the end of a server, fetched keys, raw bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use runtime::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::*;
use crate::keys::{Issuer, KeySource, Signer, Verifier, generate_pem};
use crate::server::{Running, ServerOptions, run};

fn options() -> ServerOptions {
    ServerOptions {
        host: "127.0.0.1".to_owned(),
        port: 0,
        metrics_port: 0,
        workers: 1,
        max_connections: 100,
        request_timeout: Duration::from_secs(1),
        keep_alive: Duration::from_secs(10),
        drain: Duration::from_secs(10),
        cors_origins: vec!["https://console.example.com".to_owned()],
    }
}

fn start(shop: &Shop) -> (Running, Lifecycle) {
    let lifecycle = Lifecycle::new();
    (run(&options(), &shop.site, &lifecycle).unwrap(), lifecycle)
}

async fn raw(port: u16, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = String::new();
    let mut piece = [0; 4096];
    // The head is enough; a connection that is closed instead has answered with what came before.
    while !answer.contains("\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(read) if read > 0 => answer.push_str(&String::from_utf8_lossy(&piece[..read])),
            _ => break,
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_measured_by_route_on_a_port_of_their_own() {
    let settings = runtime::settings::TelemetrySettings {
        log_format: runtime::settings::LogFormat::Json,
        otlp_endpoint: String::new(),
        sample_ratio: 0.0,
    };
    runtime::telemetry::init("onepool", "off", &settings).unwrap();
    let (running, lifecycle) = start(&Shop::open());
    let url = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let answer = reqwest::get(url(running.port, "/v1/skus/secret-sku")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(reqwest::get(url(running.port, "/metrics")).await.unwrap().status(), 404);
    let brew = reqwest::Method::from_bytes(b"BREW").unwrap();
    let answer = reqwest::Client::new().request(brew, url(running.port, "/v1/skus/tea")).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    let metrics = reqwest::get(url(running.metrics_port, "/metrics")).await.unwrap().text().await.unwrap();
    let labels = "http_server_request_duration_seconds_count{method=\"GET\",route=\"/v1/skus/{sku}\",status=\"200\"}";
    assert!(metrics.contains(labels), "{metrics}");
    assert!(!metrics.contains("secret-sku"));
    let unknown =
        "http_server_request_duration_seconds_count{method=\"_OTHER\",route=\"/v1/skus/{sku}\",status=\"405\"}";
    assert!(metrics.contains(unknown) && !metrics.contains("BREW"), "a made-up method makes no metric: {metrics}");
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_being_worked_on_is_finished_and_no_new_one_taken() {
    let (entered, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inside, gate) = (Arc::clone(&entered), Arc::clone(&leave));
    let slow = Route::get("/v1/slow", Access::Open, move || {
        let (inside, gate) = (Arc::clone(&inside), Arc::clone(&gate));
        async move {
            inside.add_permits(1);
            gate.acquire().await.unwrap().forget();
            answer::ok(&"done")
        }
    });
    let shop = Shop::with(vec![slow], Limits::default());
    let (running, lifecycle) = start(&shop);
    let url = format!("http://127.0.0.1:{}/v1/slow", running.port);
    let request = async { reqwest::get(url.clone()).await.unwrap().text().await.unwrap() };
    let ending = async {
        entered.acquire().await.unwrap().forget();
        let stop = running.stop();
        let closed = async {
            while TcpStream::connect(("127.0.0.1", running.port)).await.is_ok() {
                tokio::task::yield_now().await;
            }
            assert!(!shop.site.readiness().report().await.ready);
            leave.add_permits(1);
        };
        tokio::join!(stop, closed);
    };
    let (text, ()) = tokio::join!(request, ending);
    assert_eq!(text, "\"done\"");
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_rubbish_does_not_harm_the_server() {
    let shop = Shop::open();
    let (running, lifecycle) = start(&shop);
    let port = running.port;
    for rubbish in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/skus/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        let answer = raw(port, rubbish).await;
        assert!(!answer.starts_with("HTTP/1.1 5"), "{answer}");
    }
    let head = b"GET /v1/skus/A HTTP/1.1\r\nhost: x\r\n";
    assert!(raw(port, head).await.starts_with("HTTP/1.1 408"), "a head that never ends is cut off");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100_000));
    assert!(!raw(port, many.as_bytes()).await.starts_with("HTTP/1.1 5"));
    assert_eq!(reqwest::get(format!("http://127.0.0.1:{port}/livez")).await.unwrap().status(), 200);
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_named_origins_may_call_from_a_browser() {
    let (running, lifecycle) = start(&Shop::open());
    let preflight = async |origin: &str| {
        reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, format!("http://127.0.0.1:{}/v1/orders", running.port))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,idempotency-key")
            .send()
            .await
            .unwrap()
    };
    let allowed = preflight("https://console.example.com").await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://console.example.com");
    assert!(!preflight("https://evil.example.com").await.headers().contains_key("access-control-allow-origin"));
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

/// A publisher of keys that can be changed, broken, and counted.
struct Publisher {
    signer: std::sync::Mutex<Signer>,
    up: AtomicBool,
    asked: AtomicUsize,
}

async fn publish(publisher: Data<Arc<Publisher>>) -> HttpResponse {
    publisher.asked.fetch_add(1, Ordering::Relaxed);
    if publisher.up.load(Ordering::Relaxed) {
        answer::ok(&publisher.signer.lock().unwrap().jwks())
    } else {
        HttpResponse::BadGateway().finish()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_fetched_once_and_unknown_ones_cannot_force_more() {
    let signer = Signer::from_pem(&generate_pem()).unwrap();
    let publisher = Arc::new(Publisher {
        signer: std::sync::Mutex::new(signer.clone()),
        up: AtomicBool::new(true),
        asked: AtomicUsize::new(0),
    });
    let routes = with_state(Arc::clone(&publisher), vec![Route::get("/.well-known/jwks.json", Access::Open, publish)]);
    let shop = Shop::with(routes, Limits::default());
    let (running, lifecycle) = start(&shop);
    let issuer = Issuer {
        name: "onepool-test".to_owned(),
        audience: None,
        clock_skew_seconds: 0,
        keys: KeySource::Url(format!("http://127.0.0.1:{}/.well-known/jwks.json", running.port)),
    };
    let verifier = Verifier::new(vec![issuer.clone()], shop.clock.clone());
    let claims = |client: &str| shop.credentials.claims(client, "*");
    for client in ["a", "b", "c"] {
        let token = signer.sign(&claims(client)).unwrap();
        assert_eq!(verifier.verify(&token).await.unwrap().client_id, client);
    }
    for _ in 0..20 {
        let forged = Signer::from_pem(&generate_pem()).unwrap().sign(&claims("x")).unwrap();
        assert_eq!(verifier.verify(&forged).await.unwrap_err().status, 401);
    }
    assert_eq!(publisher.asked.load(Ordering::Relaxed), 1);
    publisher.up.store(false, Ordering::Relaxed);
    let fresh = Verifier::new(vec![issuer], shop.clock.clone());
    let problem = fresh.verify(&signer.sign(&claims("a")).unwrap()).await.unwrap_err();
    assert_eq!((problem.status, problem.retry_after_seconds), (503, Some(5)), "no keys is not the token's fault");
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_too_much_still_reads_why_it_was_refused() {
    let shop = Shop::open();
    let (running, lifecycle) = start(&shop);
    let url = format!("http://127.0.0.1:{}/v1/orders", running.port);
    let client = reqwest::Client::new();
    let send = async |token: &str, bytes: usize| {
        let request = client.post(&url).header("content-type", "application/json").bearer_auth(token);
        request.body("x".repeat(bytes)).send().await.unwrap().status().as_u16()
    };
    // Many clients write everything before they read anything; a connection reset under them would hide the answer.
    let stubborn = async |announced: bool| {
        let framing = if announced { "content-length: 10485767" } else { "transfer-encoding: chunked" };
        let token = shop.token("*");
        let mut request = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{framing}\r\n\r\n"
        );
        request.push_str(if announced { "" } else { "A00000\r\n" });
        request.push_str(&"x".repeat(10 << 20));
        request.push_str(if announced { "1234567" } else { "\r\n0\r\n\r\n" });
        raw(running.port, request.as_bytes()).await
    };
    for _ in 0..3 {
        for announced in [true, false] {
            let answer = stubborn(announced).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        }
        assert_eq!(send(&shop.token("*"), 10 << 20).await, 413);
        assert_eq!(send("wrong", 10 << 20).await, 401);
        assert_eq!(send(&shop.token("order:read"), 900 << 10).await, 403);
    }
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_answered_to_a_client_that_reads_only_when_it_has_sent_everything() {
    let import = Route::post("/v1/import", Access::Open, |items: crate::ndjson::Incoming<u64>| async {
        crate::ndjson::import(items, 500, |items| async { Ok(items.into_iter().map(Ok::<u64, _>).collect()) }).await
    });
    let shop = Shop::with(vec![import], Limits::default());
    let (running, lifecycle) = start(&shop);
    let body: String = (0..500_000).map(|number| format!("{number}\n")).collect();
    let head =
        format!("POST /v1/import HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut socket = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, chunks) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    // Each chunk follows its length on a line of its own.
    let lines: String = chunks.split("\r\n").skip(1).step_by(2).collect();
    assert_eq!(lines.lines().count(), 500_000);
    assert!(lines.ends_with("{\"line\":500000,\"result\":499999}\n"));
    lifecycle.shutdown(Duration::from_secs(10)).await.unwrap();
}
