//! Spans reach a collector over OTLP. A process of its own, since telemetry is installed once per process.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its tests share"
)]

use runtime::telemetry::{self, add_link, current_traceparent, set_parent};
use runtime::{Lifecycle, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::info_span;

const CAUSE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_with_their_parent_and_their_links() {
    let lifecycle = Lifecycle::new();
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = collector.local_addr().unwrap();
    let (taken, request) = oneshot::channel();
    lifecycle.spawn("collector", async move { taken.send(take_one(&collector).await).unwrap() });

    let endpoint = ("ONEPOOL__TELEMETRY__OTLP_ENDPOINT".to_owned(), format!("http://{address}/"));
    let settings = Settings::load(&[], None, [endpoint]).unwrap().platform().unwrap();
    let telemetry = telemetry::init(&settings.root.log, &settings.telemetry).unwrap();
    let span = info_span!("handle_orders");
    set_parent(&span, PARENT);
    add_link(&span, CAUSE);
    let traceparent = span.in_scope(current_traceparent).unwrap();
    drop(span);
    telemetry.shutdown();

    let request = request.await.unwrap();
    assert!(request.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    assert!(traceparent.ends_with("-01"), "the caller's decision to sample holds");
    assert!(contains(&request, b"handle_orders"));
    assert!(contains(&request, &bytes_of("b7ad6b7169203331")), "the parent");
    assert!(contains(&request, &bytes_of("4bf92f3577b34da6a3ce929d0e0e4736")), "the link");
    assert!(contains(&request, &bytes_of(&traceparent[36..52])), "the span itself");
}

async fn take_one(collector: &TcpListener) -> Vec<u8> {
    let (mut connection, _) = collector.accept().await.unwrap();
    let mut request = Vec::new();
    while !is_whole(&request) {
        assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "the request was cut short");
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    request
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    request.len() >= end + 4 + length.trim().parse::<usize>().unwrap()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
